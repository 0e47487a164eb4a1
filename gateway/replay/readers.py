"""Readers of a replay: from an open file of a known kind to Frames, never more than a few messages in memory.

An object that wraps event XML, `{"xml": "<Event ..."}`, a line of NDJSON or one of an array, is unwrapped: the message is the XML.
Everything else goes on as it stands, for the normalizer to judge.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Final

import orjson

from gateway.replay.files import Kind, read_text
from kernel import Engine, Octets
from listeners.evtx import Damage, Readable, read_evtx
from listeners.syslog.reassembly import Reassembly
from pipeline.model import Frames, Origin
from wire.document_split import Split, scan_events, scan_objects
from wire.syslog_framing import scanner

MAX_EVENT: Final = 256 << 10
MAX_LINE: Final = 1 << 20  # also of an object: an event of 256 KiB escaped in JSON, with what stands around it


@dataclass(frozen=True, slots=True)
class Refused:
    """Messages that never became a frame, by the rule they broke."""

    rejected: Counter[str]


Reading = Frames | Damage | Refused


def read_messages(file: Readable, head: bytes, kind: Kind, encoding: str, origin: Callable[[], Origin], *, engine: Engine, salvage: bool) -> Iterator[Reading]:
    """What a file holds, in order.

    Args:
        file: open behind `head`.
        head: its first octets, as they were sniffed.
        kind: what it holds; not UNKNOWN.
        encoding: of text.
        origin: of the Frames made next.
        engine: which one frames lines and renders EVTX.
        salvage: whether to search damaged EVTX chunks for more.

    Raises:
        OSError: the file can't be read on.
    """
    match kind:
        case Kind.EVTX:
            yield from read_evtx(Joined(head, file), origin, engine=engine, salvage=salvage)
        case Kind.XML:
            yield from _read_document(read_text(file, head, encoding), scan_events, MAX_EVENT, origin)
        case Kind.ARRAY:
            yield from _read_document(read_text(file, head, encoding), scan_objects, MAX_LINE, origin)
        case _:
            yield from _read_lines(read_text(file, head, encoding), origin, engine)


class Joined:
    """A file whose first octets were read already."""

    def __init__(self, head: bytes, file: Readable) -> None:
        self._head, self._file = head, file

    def read(self, size: int) -> bytes:
        """`size` octets, fewer only at the end."""
        taken, self._head = self._head[:size], self._head[size:]
        return taken + self._file.read(size - len(taken)) if len(taken) < size else taken


def _read_document(pieces: Iterable[bytes], scan: Callable[..., Split], max_event: int, origin: Callable[[], Origin]) -> Iterator[Reading]:
    buffer, offset, stray, first, passing = b"", 0, 0, -1, (0, False)
    for piece in chain(pieces, (None,)):
        buffer += piece or b""
        split = scan(buffer, max_event, last=piece is None, passing=passing)
        passing = split.passing
        if split.stray and first < 0:
            first = offset
        stray += split.stray
        if split.spans:
            yield unwrap(Frames(buffer, split.spans, origin()))
        buffer, offset = buffer[split.consumed :], offset + split.consumed
    if stray:
        yield Damage("stray-octets", max(first, 0), f"{stray} octets between events belong to none")


def _read_lines(pieces: Iterable[bytes], origin: Callable[[], Origin], engine: Engine) -> Iterator[Reading]:
    lines, offset = Reassembly(scanner(engine), MAX_LINE), 0
    for piece in pieces:
        offset += len(piece)
        cut = lines.receive(piece)
        yield from _cut(cut.buffer, cut.spans, Counter(cut.rejected), origin)
        if cut.broken is not None:
            yield Damage(cut.broken.rule, offset - len(piece), f"the frames can't be followed any further: {cut.broken.detail}")
            return
    cut = lines.end()
    yield from _cut(cut.buffer, cut.spans, Counter(cut.rejected), origin)


def _cut(buffer: Octets, spans: array[int], rejected: Counter[str], origin: Callable[[], Origin]) -> Iterator[Reading]:
    if spans:
        yield unwrap(Frames(buffer, spans, origin()))
    if rejected:
        yield Refused(rejected)


def unwrap(frames: Frames) -> Frames:
    """The same messages, each `{"xml": ...}` replaced by the XML in it."""
    if b'"xml"' not in frames.buffer[:]:
        return frames
    messages = [_unwrapped(frames.buffer[start:end]) for start, end in frames.pairs()]
    spans, at = array("I"), 0
    for message in messages:
        spans.extend((at, at + len(message)))
        at += len(message)
    return Frames(b"".join(messages), spans, frames.origin)


def _unwrapped(message: bytes) -> bytes:
    if not message.lstrip().startswith(b"{") or b'"xml"' not in message:
        return message
    try:
        value = orjson.loads(message)
    except orjson.JSONDecodeError:
        return message
    xml = value.get("xml") if isinstance(value, dict) else None
    return xml.encode("utf-8", "replace") if isinstance(xml, str) else message
