"""The files of a replay: which there are, and what each holds, told by its content first and its name second.

    kind     content                                          name, where content doesn't tell
    evtx     `ElfFile` at 0, or `ElfChnk` at 4096             .evtx
    xml      `<?xml`, `<Event` or `<Events` first             .xml
    array    `[` first                                        .json
    lines    a syslog message, a known payload, `{` first     .log .syslog .txt .ndjson .jsonl

Text may be UTF-8 or UTF-16. A folder means every file below it, in the order of their paths, without those whose name begins with a
dot; links are followed, and a folder reached twice is entered once. In a folder, text that tells nothing of itself by its first
lines is passed over (a README is no log); named on the command line, it is read as lines.
"""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from listeners.evtx import Readable
from wire.evtx import CHUNK_MAGIC, FILE_MAGIC, HEADER_BLOCK
from wire.syslog_header import parse_header
from wire.syslog_payload import BEGINNING

SNIFFED: Final = HEADER_BLOCK + len(CHUNK_MAGIC)
FIRST_LINES: Final = 8
PIECE: Final = 256 << 10
STDIN: Final = Path("-")


class Kind(StrEnum):
    """What a file holds."""

    EVTX = "evtx"
    XML = "xml"
    ARRAY = "array"
    LINES = "lines"
    UNKNOWN = "unknown"


NAMES: Final = {
    ".evtx": Kind.EVTX,
    ".xml": Kind.XML,
    ".json": Kind.ARRAY,
    ".log": Kind.LINES,
    ".syslog": Kind.LINES,
    ".txt": Kind.LINES,
    ".ndjson": Kind.LINES,
    ".jsonl": Kind.LINES,
}

FOREIGN: Final = (
    (0, b"\x1f\x8b", "it is compressed (gzip): unpack it first"),
    (0, b"PK\x03\x04", "it is an archive (ZIP): unpack it first"),
    (0, b"7z\xbc\xaf\x27\x1c", "it is an archive (7z): unpack it first"),
    (0, b"\xfd7zXZ\x00", "it is compressed (xz): unpack it first"),
    (0, b"BZh", "it is compressed (bzip2): unpack it first"),
    (0, b"\x28\xb5\x2f\xfd", "it is compressed (zstd): unpack it first"),
    (4, b"LfLe", "it is an event log from before Windows Vista (.evt), which has none of these events"),
)
"""(offset, signature, what to do about it) of files that people do have, and that hold no text."""

_XML: Final = re.compile(r"\s*<(?:\?xml\s|!--|(?:[A-Za-z_][A-Za-z0-9_.-]*:)?Events?[\s/>])")
_BOMS: Final = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_UNMARKED: Final = ((re.compile(rb"(?:[\t\n\r\x20-\x7e]\x00){4}"), "utf-16-le"), (re.compile(rb"(?:\x00[\t\n\r\x20-\x7e]){4}"), "utf-16-be"))


@dataclass(frozen=True, slots=True)
class Found:
    """A file to replay.

    path:   where it is; STDIN for standard input.
    named:  it stood on the command line itself, not below a folder there.
    size:   octets, 0 where nobody knows.
    """

    path: Path
    named: bool
    size: int


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file or folder that couldn't be looked at, and why."""

    path: Path
    reason: str


def find_files(paths: Iterable[Path]) -> Iterator[Found | Unreadable]:
    """Every file that `paths` mean, once each, in order."""
    seen: set[tuple[int, int]] = set()
    for path in paths:
        if path == STDIN:
            yield Found(path, named=True, size=0)
        else:
            yield from _find(path, seen, named=True)


def _find(path: Path, seen: set[tuple[int, int]], *, named: bool) -> Iterator[Found | Unreadable]:
    try:
        status = path.stat()
        if not path.is_dir():
            if path.is_file() or named:
                yield from _once(Found(path, named, status.st_size), status, seen)
            return
        names = sorted(entry.name for entry in os.scandir(path) if not entry.name.startswith("."))
    except OSError as error:
        yield Unreadable(path, error.strerror or str(error))
        return
    if _first_time(status, seen):
        for name in names:
            yield from _find(path / name, seen, named=False)


def _once(found: Found, status: os.stat_result, seen: set[tuple[int, int]]) -> Iterator[Found]:
    if _first_time(status, seen):
        yield found


def _first_time(status: os.stat_result, seen: set[tuple[int, int]]) -> bool:
    identity = (status.st_dev, status.st_ino)
    if identity in seen:
        return False
    seen.add(identity)
    return True


def sniff(head: bytes, name: str, *, named: bool) -> tuple[Kind, str]:
    """(kind, character encoding) of a file by its first SNIFFED octets and its name."""
    if head.startswith(FILE_MAGIC) or head[HEADER_BLOCK:SNIFFED] == CHUNK_MAGIC:
        return Kind.EVTX, ""
    if any(head.startswith(signature, at) for at, signature, _ in FOREIGN):
        return Kind.UNKNOWN, ""
    encoding = _encoding(head)
    suffix = NAMES.get(Path(name).suffix.lower(), Kind.UNKNOWN)
    text = head.decode(encoding, "replace") if encoding else ""
    kind = _text_kind(text)
    if kind is Kind.UNKNOWN and suffix is Kind.EVTX:
        return Kind.EVTX, ""
    if kind is Kind.UNKNOWN and encoding:
        empty = not text.strip()
        kind = suffix if empty and suffix is not Kind.UNKNOWN else Kind.LINES if named else Kind.UNKNOWN
    return kind, encoding


def say_unknown(head: bytes) -> str:
    """Why nothing is read of a file of unknown kind, by its first octets."""
    return next((reason for at, signature, reason in FOREIGN if head.startswith(signature, at)), "no EVTX, event XML, JSON or syslog in it")


def _text_kind(text: str) -> Kind:
    if _XML.match(text):
        return Kind.XML
    if re.match(r"\s*\[\s*[{\]]", text):
        return Kind.ARRAY
    lines = [line for line in text.splitlines() if line.strip()][:FIRST_LINES]
    return Kind.LINES if any(_begins_message(line.encode("utf-8", "replace")) for line in lines) else Kind.UNKNOWN


def _begins_message(line: bytes) -> bool:
    """Whether a line is a syslog message or begins a known payload; an octet count may stand before it."""
    behind_count = re.sub(rb"\A[1-9][0-9]{0,6} ", b"", line)
    return any(BEGINNING.match(text) or parse_header(text).headed for text in (line, behind_count))


def _encoding(head: bytes) -> str:
    """The character encoding of text, an empty one if it is none."""
    for mark, encoding in _BOMS:
        if head.startswith(mark):
            return encoding
    for pattern, encoding in _UNMARKED:
        if pattern.match(head):
            return encoding
    return "" if b"\x00" in head.rstrip(b"\x00") else "utf-8"


def read_text(file: Readable, head: bytes, encoding: str) -> Iterator[bytes]:
    """The rest of a file behind `head`, and `head`, as UTF-8 in pieces; what was UTF-8 comes as it is."""
    decoder = None if encoding == "utf-8" else codecs.getincrementaldecoder(encoding)("replace")
    piece = head
    while piece:
        yield piece if decoder is None else decoder.decode(piece).encode("utf-8", "replace")
        piece = file.read(PIECE)
    if decoder is not None:
        yield decoder.decode(b"", final=True).encode("utf-8", "replace")
