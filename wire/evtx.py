"""The container of an EVTX file: file header, chunks and the records in them (libevtx, "Windows XML Event Log (EVTX) format", sections 2 to 4).

    offset   size    what
    0        4096    file header: `ElfFile`, counts, flags, CRC32 of its first 120 octets at 124
    4096     65536   a chunk, and so on: header, string and template tables up to 512, then records, then free space
      0      8       `ElfChnk`
      8      32      first and last record number, first and last record identifier
      44     4       offset of the last record
      48     4       offset of the free space: where the records end
      52     4       CRC32 of the records
      124    4       CRC32 of the header's octets 0 to 120 and 128 to 512
    record   n       `**` NUL NUL, size, identifier, FILETIME of writing, binary XML, size again

Binary XML is the business of the `evtx` library; what stands here finds the records of a damaged file that can still be given to
it. Offsets of names and templates inside a chunk count from the chunk's start, so a record stays where it is: `repair_chunk`
mends the chunk's signature and covers what lies broken between two records with a filler record. It empties the tables of names
and templates too: they only say again what stands in the records, and are chains, which a damage may close to an endless ring.

What a file's own structure leads to is read; behind a broken record header it leads nowhere, and only `salvage` searches on, for
signatures.

Departures: a log copied while in use has a header that lags behind (flag 1, dirty), so neither chunk count nor checksums decide
what is read; flag 4 says that no checksums were kept at all; an unused chunk is all zero.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from pipeline.errors import MessageError

DOCUMENT: Final = "libevtx, EVTX format"

HEADER_BLOCK: Final = 4096
CHUNK: Final = 65_536
TABLES_AT: Final = 128
RECORDS_AT: Final = 512

FILE_MAGIC: Final = b"ElfFile\x00"
CHUNK_MAGIC: Final = b"ElfChnk\x00"
RECORD_MAGIC: Final = b"**\x00\x00"

DIRTY: Final = 0x1
NO_CHECKSUMS: Final = 0x4

FILE_HEADER: Final = struct.Struct("<8sQQQIHHHH76xII")
CHUNK_HEADER: Final = struct.Struct("<8sQQQQIIII64xII")
RECORD_HEADER: Final = struct.Struct("<4sIQQ")
SIZE: Final = struct.Struct("<I")

MIN_RECORD: Final = RECORD_HEADER.size + SIZE.size
FILLER_ID: Final = (1 << 64) - 1
END_OF_BINARY_XML: Final = b"\x0f\x01\x01\x00\x00"  # fragment header, end of stream


@dataclass(frozen=True, slots=True)
class FileHeader:
    """What a file says about itself: how many chunks it has in use, and its flags (DIRTY, NO_CHECKSUMS)."""

    chunk_count: int
    flags: int

    @property
    def dirty(self) -> bool:
        return bool(self.flags & DIRTY)

    @property
    def checksums(self) -> bool:
        return not self.flags & NO_CHECKSUMS


class Record(NamedTuple):
    """A record: where it is in its chunk, and its identifier (EventRecordID of a log that was never copied).

    torn: its two sizes differ, so what stands at its end isn't its end: the log was copied while it was written, or lost a page.
    """

    start: int
    end: int
    record_id: int
    torn: bool = False


@dataclass(frozen=True, slots=True)
class Break:
    """Something broken in a chunk: the rule, where it shows (octets from the chunk's start), facts for a person, and whether no record follows."""

    rule: str
    start: int
    detail: str = ""
    last: bool = False


@dataclass(frozen=True, slots=True)
class Chunk:
    """What a chunk holds.

    octets:   CHUNK octets, padded with zeros where the file was cut, with nothing mended yet.
    records:  its records in order.
    breaks:   what is broken in it.
    """

    octets: bytes
    records: tuple[Record, ...]
    breaks: tuple[Break, ...]


def parse_file_header(octets: bytes) -> FileHeader:
    """The file header of a file's first HEADER_BLOCK octets.

    Raises:
        MessageError: `file-truncated`, `file-magic` or `file-checksum`: chunks behind it may be whole all the same.
    """
    if len(octets) < FILE_HEADER.size:
        raise MessageError("file-truncated", document=DOCUMENT, detail=f"{len(octets)} octets are no file header")
    magic, _, _, _, _, _, _, _, chunk_count, flags, checksum = FILE_HEADER.unpack_from(octets)
    if magic != FILE_MAGIC:
        raise MessageError("file-magic", document=DOCUMENT, detail="the file header's signature is broken")
    if zlib.crc32(octets[:120]) != checksum and not flags & NO_CHECKSUMS:
        raise MessageError("file-checksum", offset=124, document=DOCUMENT, detail="the file header's checksum doesn't match")
    return FileHeader(chunk_count, flags)


def scan_chunk(octets: bytes, *, checksums: bool = True, salvage: bool = False) -> Chunk:
    """The whole records of a chunk and what is broken between them; total, and linear in the chunk.

    Args:
        octets: 1 to CHUNK octets as they stand in the file.
        checksums: whether the file kept any.
        salvage: whether to search on behind what is no record, for one with a higher identifier.
    """
    breaks: list[Break] = []
    there, octets = len(octets), octets.ljust(CHUNK, b"\x00")
    magic, _, _, _, _, _, _, free_at, records_checksum, _, header_checksum = CHUNK_HEADER.unpack_from(octets)
    bounded = RECORDS_AT <= free_at <= CHUNK
    end = free_at if bounded else CHUNK
    records, gaps = _scan_records(octets, min(end, there), bounded=bounded, salvage=salvage)
    if there < CHUNK:
        breaks.append(Break("chunk-truncated", there, f"the file ends after {there} of the chunk's {CHUNK} octets, {_count(len(records))} read"))
        gaps = gaps[:-1] if gaps and gaps[-1].last else gaps  # the record that the end cut
    if magic != CHUNK_MAGIC:
        breaks.append(Break("chunk-magic", 0, f"the chunk's signature is broken, {_count(len(records))} read all the same"))
    breaks += gaps if records or not breaks else []  # where nothing is as it should be, once is enough
    if checksums and not breaks:  # a checksum says that something is broken; nothing new where that is known
        if zlib.crc32(octets[TABLES_AT:RECORDS_AT], zlib.crc32(octets[:120])) != header_checksum:
            breaks.append(Break("chunk-checksum", 124, f"the checksum of the chunk's header doesn't match, {_count(len(records))} read all the same"))
        elif zlib.crc32(octets[RECORDS_AT:end]) != records_checksum:
            breaks.append(Break("chunk-checksum", 52, f"the checksum of the chunk's records doesn't match, {_count(len(records))} read all the same"))
    return Chunk(octets, records, tuple(breaks))


def repair_chunk(chunk: Chunk, without: Iterable[Record] = ()) -> bytes:
    """CHUNK octets in which one can walk from record to record: signature mended, tables empty, gaps covered, nothing after the last.

    Args:
        chunk: as it was found.
        without: records of it to be made filler records. What else they hold stays: others may use its names and templates.
    """
    octets, at = bytearray(chunk.octets), RECORDS_AT
    octets[TABLES_AT:RECORDS_AT] = bytes(RECORDS_AT - TABLES_AT)
    octets[: len(CHUNK_MAGIC)] = CHUNK_MAGIC
    for record in chunk.records:
        if record.start > at:
            _fill(octets, at, record.start)
        at = record.end
    for record in without:
        RECORD_HEADER.pack_into(octets, record.start, RECORD_MAGIC, record.end - record.start, FILLER_ID, 0)
        octets[record.start + RECORD_HEADER.size : record.start + RECORD_HEADER.size + len(END_OF_BINARY_XML)] = END_OF_BINARY_XML
    SIZE.pack_into(octets, 48, at)
    SIZE.pack_into(octets, 44, chunk.records[-1].start if chunk.records else RECORDS_AT)
    octets[at:] = bytes(CHUNK - at)
    SIZE.pack_into(octets, 52, zlib.crc32(octets[RECORDS_AT:at]))
    SIZE.pack_into(octets, 124, zlib.crc32(octets[TABLES_AT:RECORDS_AT], zlib.crc32(octets[:120])))
    return bytes(octets)


def encode_file_header(chunk_count: int, *, flags: int = 0, next_record_id: int = 1) -> bytes:
    """The HEADER_BLOCK octets that begin a file of so many chunks, format version 3.1."""
    head = FILE_HEADER.pack(FILE_MAGIC, 0, max(0, chunk_count - 1), next_record_id, 128, 1, 3, HEADER_BLOCK, chunk_count, flags, 0)
    return (head[:124] + SIZE.pack(zlib.crc32(head[:120]))).ljust(HEADER_BLOCK, b"\x00")


def _scan_records(octets: bytes, end: int, *, bounded: bool, salvage: bool) -> tuple[tuple[Record, ...], list[Break]]:
    """Walk from record to record up to `end`, where free space begins if `bounded`."""
    records: list[Record] = []
    gaps: list[Break] = []
    at, last_id = RECORDS_AT, -1
    while at < end:
        record = _record_at(octets, at, end)
        if record is None:
            if not bounded and not any(octets[at : at + MIN_RECORD]):
                break
            record = _next_record(octets, at + MIN_RECORD, end, last_id) if salvage else None
            gaps.append(Break("record-header", at, _say_gap(at, record, end), last=record is None))
            if record is None:
                break
        records.append(record)
        at, last_id = record.end, record.record_id
    return tuple(records), gaps


def _record_at(octets: bytes, at: int, end: int) -> Record | None:
    if at + MIN_RECORD > end:
        return None
    magic, size, record_id, _ = RECORD_HEADER.unpack_from(octets, at)
    whole = magic == RECORD_MAGIC and MIN_RECORD <= size <= end - at and record_id != FILLER_ID
    return Record(at, at + size, record_id, SIZE.unpack_from(octets, at + size - SIZE.size)[0] != size) if whole else None


def _next_record(octets: bytes, at: int, end: int, after_id: int) -> Record | None:
    """The next signature that a record stands behind: both its sizes agree, and its identifier is higher than the last."""
    while (at := octets.find(RECORD_MAGIC, at, end)) >= 0:
        record = _record_at(octets, at, end)
        if record is not None and record.record_id > after_id and not record.torn:
            return record
        at += 1
    return None


def _say_gap(at: int, record: Record | None, end: int) -> str:
    return (
        f"{record.start - at} octets before record {record.record_id} are no record" if record else f"no record follows in the chunk's last {end - at} octets"
    )


def _count(records: int) -> str:
    return "1 record" if records == 1 else f"{records} records"


def _fill(octets: bytearray, start: int, end: int) -> None:
    """A record without content from `start` to `end`, at least MIN_RECORD octets long."""
    octets[start:end] = bytes(end - start)
    RECORD_HEADER.pack_into(octets, start, RECORD_MAGIC, end - start, FILLER_ID, 0)
    octets[start + RECORD_HEADER.size : start + RECORD_HEADER.size + len(END_OF_BINARY_XML)] = END_OF_BINARY_XML
    SIZE.pack_into(octets, end - 4, end - start)
