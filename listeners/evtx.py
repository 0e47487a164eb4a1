"""EVTX files: each chunk's events, rendered as event XML, and one line's worth of facts per damage.

    chunks ─▶ kernel ─▶ event XML of those that are surely whole
                └─ any other chunk ─▶ `wire.evtx` ─▶ `evtx` library ─▶ the same, and what is damaged

The kernel writes what the library would. The library is given one chunk at a time, as a file of its own: so memory stays with one chunk,
a damage ends nothing but itself, and its place in the file is known. What the library can't be given whole, `wire.evtx` mends first; what
it would expand without bound, `wire.evtx_expansion` finds, and it isn't given at all.

    rule               what is lost
    file-truncated     what isn't there
    file-magic         nothing, if chunks follow
    file-checksum      nothing
    chunk-truncated    the records that aren't whole any more
    chunk-magic        nothing, if records follow
    chunk-checksum     perhaps nothing: its records are read all the same
    chunk-missing      a chunk in use that is all zero: its records
    chunk-unreadable   its records
    record-header      that record and those behind it in the chunk, which only `salvage` searches for
    record-unreadable  that record
    record-expansion   that record, whose binary XML, a few octets, means more text than 32 MiB together with those before it
    record-torn        perhaps a part of that record: what there is of it is read
"""

from __future__ import annotations

import io
from array import array
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from kernel import Engine, render_chunks
from pipeline.errors import MessageError
from pipeline.model import Frames, Origin
from wire.evtx import CHUNK, FILLER_ID, HEADER_BLOCK, Chunk, FileHeader, encode_file_header, parse_file_header, repair_chunk, scan_chunk
from wire.evtx_expansion import MAX_STEPS, MAX_TEXT, find_expanding

AT_ONCE: Final = 4 * CHUNK
NOTHING: Final = (b"", b"", 0)
DECLARATION: Final = '<?xml version="1.0" encoding="utf-8"?>'
REASON_LENGTH: Final = 200


class Readable(Protocol):
    """What a file has to be able to do here."""

    def read(self, size: int, /) -> bytes:
        """`size` octets, fewer only at the end."""


@dataclass(frozen=True, slots=True)
class Damage:
    """Something in a file that can't be read as it should.

    rule:    one of the table above.
    offset:  octet of the file at which it shows.
    detail:  facts for a person.
    """

    rule: str
    offset: int
    detail: str


def read_evtx(file: Readable, origin: Callable[[], Origin], *, engine: Engine = Engine.NATIVE, salvage: bool = False) -> Iterator[Frames | Damage]:
    """The events of an open EVTX file, in the order they stand in it, a few chunks' in one Frames, and each Damage where it shows.

    Args:
        file: read from its present position; need not be seekable.
        origin: of the Frames made next.
        engine: whether the kernel renders what it is sure of, or the library everything.
        salvage: whether to search a chunk for records behind a broken one.

    Raises:
        OSError: the file can't be read on.
    """
    header = FileHeader(chunk_count=0, flags=0)
    octets = file.read(HEADER_BLOCK)
    try:
        header = parse_file_header(octets)
    except MessageError as error:
        yield Damage(error.rule, error.offset, error.detail)
    used_end = HEADER_BLOCK if header.dirty else HEADER_BLOCK + CHUNK * header.chunk_count
    at = HEADER_BLOCK
    while octets := file.read(AT_ONCE):
        while octets:
            text, spans, consumed = render_chunks(octets, header.checksums, MAX_TEXT, MAX_STEPS) if engine is Engine.NATIVE else NOTHING
            if spans:
                yield Frames(text, array("I", spans), origin())
            if not consumed:
                chunk, consumed = octets[:CHUNK], CHUNK
                if any(chunk):
                    yield from _read_chunk(scan_chunk(chunk, checksums=header.checksums, salvage=salvage), at, origin)
                elif at < used_end:
                    yield Damage("chunk-missing", at, "the chunk is all zero")
            octets, at = octets[consumed:], at + consumed


def _read_chunk(chunk: Chunk, at: int, origin: Callable[[], Origin]) -> Iterator[Frames | Damage]:
    yield from (Damage(broken.rule, at + broken.start, broken.detail) for broken in chunk.breaks)
    refused = find_expanding(chunk.octets, chunk.records)
    yield from (
        Damage("record-expansion", at + record.start, f"record {record.record_id}: its binary XML asks for more memory than the events of a chunk take")
        for record in refused
    )
    records = [record for record in chunk.records if record not in refused] if refused else chunk.records
    if not records:
        return
    outcomes = _render(repair_chunk(chunk, refused))
    texts = [outcome for outcome in outcomes if isinstance(outcome, bytes)]
    if texts:
        yield _frame(texts, origin())
    if len(outcomes) < len(records):
        yield Damage(
            "chunk-unreadable",
            at,
            f"{len(records) - len(texts)} records: {', '.join(str(outcome) for outcome in outcomes if not isinstance(outcome, bytes))}",
        )
        return
    for record, outcome in zip(records, outcomes, strict=False):
        if not isinstance(outcome, bytes):
            yield Damage("record-unreadable", at + record.start, f"record {record.record_id}: {outcome}")
        elif record.torn:
            yield Damage("record-torn", at + record.start, f"record {record.record_id} doesn't end with its size: what was read of it may be wrong")


def _render(chunk: bytes) -> list[bytes | str]:
    """What became of each record, in order: its event XML, or the library's reason; fewer where the library gave the chunk up."""
    from evtx import PyEvtxParser  # noqa: PLC0415 - a whole file never needs it

    rendered = PyEvtxParser(io.BytesIO(encode_file_header(1) + chunk), number_of_threads=1, indent=False).records()
    outcomes: list[bytes | str] = []
    while True:
        try:
            record = next(rendered)
        except StopIteration:
            return outcomes
        except (RuntimeError, OSError) as error:
            outcomes.append(str(error).rpartition(": ")[2][:REASON_LENGTH])
        else:
            if record is not None and record["event_record_id"] != FILLER_ID:
                outcomes.append(record["data"].removeprefix(DECLARATION).strip().encode())


def _frame(texts: Collection[bytes], origin: Origin) -> Frames:
    spans, at = array("I"), 0
    for text in texts:
        spans.extend((at, at + len(text)))
        at += len(text)
    return Frames(b"".join(texts), spans, origin)
