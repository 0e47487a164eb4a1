"""A small writer of valid EVTX files, and ways to damage them: so that tests have files of our own.

Implements as much of libevtx' "Windows XML Event Log (EVTX) format" as an event log service writes: chunks with their string and
template tables and checksums, records as a template instance with typed substitutions ("Binary XML", sections 4.2 to 4.8). It
shares no code with `wire.evtx`, which reads such files.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable
from uuid import UUID

from wire.event import WindowsEvent

CHUNK = 65_536
FIRST_CHUNK = 4096
FILETIME_EPOCH_S = 11_644_473_600

STRING, UINT8, UINT16, UINT32, UINT64, GUID, FILETIME, SID, HEX64, NESTED = 0x01, 0x04, 0x06, 0x08, 0x0A, 0x0F, 0x11, 0x13, 0x15, 0x21
NAMESPACE = "http://schemas.microsoft.com/win/2004/08/events/event"

Value = tuple[int, "bytes | Element"]
"""A type, and octets or, of type NESTED, an element that becomes an instance of a template of its own."""
Attribute = tuple[str, Value | str]
"""A name and a typed value to substitute, or a text that stands in the template."""


class Element:
    """One element of a template: attributes, then either children or one value."""

    def __init__(self, name: str, *attributes: Attribute, value: Value | None = None, children: Iterable[Element] = ()) -> None:
        self.name, self.attributes, self.value, self.children = name, attributes, value, tuple(children)


def write_evtx(events: Iterable[WindowsEvent], *, per_chunk: int = 1000, flags: int = 0) -> bytes:
    """A file of these events, a new chunk begun every `per_chunk` records or when one is full."""
    chunks: list[ChunkWriter] = []
    for number, event in enumerate(events, 1):
        if not chunks or len(chunks[-1].records) == per_chunk or not chunks[-1].add(event, number):
            chunks.append(ChunkWriter())
            assert chunks[-1].add(event, number), "an event is too long for a chunk"
    body = b"".join(chunk.close() for chunk in chunks)
    return file_header(len(chunks), sum(len(chunk.records) for chunk in chunks) + 1, flags) + body


def file_header(chunk_count: int, next_record: int, flags: int = 0) -> bytes:
    head = struct.pack("<8sQQQIHHHH76s", b"ElfFile\x00", 0, max(chunk_count - 1, 0), next_record, 128, 1, 3, 4096, chunk_count, b"")
    return (head + struct.pack("<II", flags, zlib.crc32(head))).ljust(FIRST_CHUNK, b"\x00")


class ChunkWriter:
    """A chunk being filled."""

    def __init__(self) -> None:
        self.buffer = bytearray(512)
        self.records: list[tuple[int, int]] = []
        self.names: dict[str, int] = {}
        self.templates: dict[bytes, int] = {}

    def add(self, event: WindowsEvent, number: int) -> bool:
        """Append a record; False, and nothing changed, if it doesn't fit any more."""
        return self.add_element(event_element(event), number, _filetime(event))

    def add_element(self, root: Element, number: int, filetime: int = 133_000_000_000_000_000) -> bool:
        """Append a record of any content, likewise."""
        before = (bytes(self.buffer), dict(self.names), dict(self.templates))
        start = len(self.buffer)
        self.buffer += struct.pack("<4sIQQ", b"**\x00\x00", 0, number, filetime)
        self._write_instance(root)
        while (len(self.buffer) + 4 - start) % 8:
            self.buffer.append(0)
        size = len(self.buffer) + 4 - start
        self.buffer += struct.pack("<I", size)
        struct.pack_into("<I", self.buffer, start + 4, size)
        if len(self.buffer) > CHUNK:
            self.buffer, self.names, self.templates = bytearray(before[0]), before[1], before[2]
            return False
        self.records.append((start, number))
        return True

    def close(self) -> bytes:
        """The chunk's octets."""
        free, (last_at, last), first = len(self.buffer), self.records[-1], self.records[0][1]
        octets = self.buffer.ljust(CHUNK, b"\x00")
        self._chain(octets, 128, 64, [(_hash(name) % 64, at) for name, at in self.names.items()])
        self._chain(octets, 384, 32, [(struct.unpack_from("<I", octets, at + 4)[0] % 32, at) for at in self.templates.values()])
        checksum = zlib.crc32(octets[512:free])
        struct.pack_into("<8sQQQQIIII", octets, 0, b"ElfChnk\x00", first, last, first, last, 128, last_at, free, checksum)
        struct.pack_into("<I", octets, 124, zlib.crc32(octets[:120] + octets[128:512]))
        return bytes(octets)

    @staticmethod
    def _chain(octets: bytearray, table: int, buckets: int, nodes: list[tuple[int, int]]) -> None:
        """Point the table's buckets at their nodes, each node at the one before it."""
        heads = [0] * buckets
        for bucket, at in nodes:
            struct.pack_into("<I", octets, at, heads[bucket])
            heads[bucket] = at
        struct.pack_into(f"<{buckets}I", octets, table, *heads)

    def _write_instance(self, root: Element) -> None:
        values: list[Value] = []
        shape = _shape(root).encode()
        self.buffer += b"\x0f\x01\x01\x00\x0c\x01"
        identity = zlib.crc32(shape)
        known = self.templates.get(shape)
        self.buffer += struct.pack("<II", identity, known or len(self.buffer) + 8)
        if known is None:
            at = self.templates[shape] = len(self.buffer)
            self.buffer += struct.pack("<I", 0) + struct.pack("<I", identity) + bytes(12) + bytes(4)
            self.buffer += b"\x0f\x01\x01\x00"
            self._write_element(root, values)
            self.buffer.append(0)
            struct.pack_into("<I", self.buffer, at + 20, len(self.buffer) - at - 24)
        else:
            _collect(root, values)
        table_at = len(self.buffer) + 4
        self.buffer += struct.pack("<I", len(values)) + bytes(4 * len(values))
        for place, (kind, value) in enumerate(values):
            start = len(self.buffer)
            if isinstance(value, bytes):
                self.buffer += value
            else:
                self._write_instance(value)
            struct.pack_into("<HBB", self.buffer, table_at + 4 * place, len(self.buffer) - start, kind, 0)

    def _write_element(self, element: Element, values: list[Value]) -> None:
        self.buffer += struct.pack("<BH", 0x41 if element.attributes else 0x01, 0xFFFF)
        size_at = len(self.buffer)
        self.buffer += bytes(4)
        self._write_name(element.name)
        if element.attributes:
            list_at = len(self.buffer)
            self.buffer += bytes(4)
            for index, (name, value) in enumerate(element.attributes):
                self.buffer.append(0x46 if index < len(element.attributes) - 1 else 0x06)
                self._write_name(name)
                if isinstance(value, str):
                    self.buffer += struct.pack("<BBH", 0x05, STRING, len(value)) + value.encode("utf-16-le")
                else:
                    self._write_substitution(value, values)
            struct.pack_into("<I", self.buffer, list_at, len(self.buffer) - list_at - 4)
        if element.children or element.value is not None:
            self.buffer.append(0x02)
            if element.value is not None:
                self._write_substitution(element.value, values)
            for child in element.children:
                self._write_element(child, values)
            self.buffer.append(0x04)
        else:
            self.buffer.append(0x03)
        struct.pack_into("<I", self.buffer, size_at, len(self.buffer) - size_at - 4)

    def _write_name(self, name: str) -> None:
        known = self.names.get(name)
        self.buffer += struct.pack("<I", known or len(self.buffer) + 4)
        if known is None:
            self.names[name] = len(self.buffer)
            self.buffer += struct.pack("<IHH", 0, _hash(name), len(name)) + name.encode("utf-16-le") + b"\x00\x00"

    def _write_substitution(self, value: Value, values: list[Value]) -> None:
        self.buffer += struct.pack("<BHB", 0x0D, len(values), value[0])
        values.append(value)


def event_element(event: WindowsEvent) -> Element:
    """An event as Windows' own template shapes it: attributes and elements that have no value are left out."""
    provider: list[Attribute] = [("Name", event.provider)]
    if event.provider_guid:
        provider.append(("Guid", (GUID, UUID(event.provider_guid).bytes_le)))
    if event.event_source_name:
        provider.append(("EventSourceName", event.event_source_name))
    qualifiers: tuple[Attribute, ...] = (("Qualifiers", (UINT16, struct.pack("<H", int(event.qualifiers)))),) if event.qualifiers else ()
    activity: tuple[Attribute, ...] = (("ActivityID", (GUID, UUID(event.activity_id).bytes_le)),) if event.activity_id else ()
    user: tuple[Attribute, ...] = (("UserID", (SID, _sid(event.user_sid))),) if event.user_sid else ()
    system = Element(
        "System",
        children=(
            Element("Provider", *provider),
            Element("EventID", *qualifiers, value=(UINT16, struct.pack("<H", int(event.event_id)))),
            Element("Version", value=(UINT8, bytes([int(event.version or 0)]))),
            Element("Level", value=(UINT8, bytes([int(event.level or 0)]))),
            Element("Task", value=(UINT16, struct.pack("<H", int(event.task or 0)))),
            Element("Opcode", value=(UINT8, bytes([int(event.opcode or 0)]))),
            Element("Keywords", value=(HEX64, struct.pack("<Q", int(event.keywords or "0", 16)))),
            Element("TimeCreated", ("SystemTime", (FILETIME, struct.pack("<Q", _filetime(event))))),
            Element("EventRecordID", value=(UINT64, struct.pack("<Q", int(event.record_id)))),
            Element("Correlation", *activity),
            Element(
                "Execution",
                ("ProcessID", (UINT32, struct.pack("<I", int(event.process_id or 0)))),
                ("ThreadID", (UINT32, struct.pack("<I", int(event.thread_id or 0)))),
            ),
            Element("Channel", value=_text(event.channel)),
            Element("Computer", value=_text(event.computer)),
            Element("Security", *user),
        ),
    )
    data = Element("EventData", children=(Element("Data", ("Name", name), value=_typed(name, text)) for name, text in event.data))
    return Element("Event", ("xmlns", NAMESPACE), children=(system, data))


def _typed(name: str, text: str) -> Value:
    return (SID, _sid(text)) if name.endswith("Sid") and text.startswith("S-1-") else _text(text)


def _text(text: str) -> Value:
    return STRING, text.encode("utf-16-le")


def _sid(text: str) -> bytes:
    revision, authority, *rest = (int(part) for part in text.split("-")[1:])
    return bytes([revision, len(rest)]) + authority.to_bytes(6, "big") + struct.pack(f"<{len(rest)}I", *rest)


def _filetime(event: WindowsEvent) -> int:
    assert event.time is not None
    return event.time.unix_ns // 100 + FILETIME_EPOCH_S * 10_000_000


def _hash(name: str) -> int:
    value = 0
    for char in name:
        value = (value * 65_599 + ord(char)) & 0xFFFFFFFF
    return value & 0xFFFF


def _shape(element: Element) -> str:
    attributes = "".join(f" {name}={value if isinstance(value, str) else value[0]!r}" for name, value in element.attributes)
    return f"<{element.name}{attributes}>{element.value[0] if element.value else ''}{''.join(map(_shape, element.children))}</>"


def _collect(element: Element, values: list[Value]) -> None:
    """The values to substitute, in the order in which the template names them."""
    values += [value for _, value in element.attributes if not isinstance(value, str)]
    if element.value is not None:
        values.append(element.value)
    for child in element.children:
        _collect(child, values)


# -- damage: each takes a file and gives it back broken in one way


def records_of(octets: bytes, chunk: int = 0) -> list[int]:
    """Where the records of a sound chunk begin in the file."""
    base = FIRST_CHUNK + chunk * CHUNK
    (free,) = struct.unpack_from("<I", octets, base + 48)
    found, at = [], base + 512
    while at < base + free:
        found.append(at)
        at += struct.unpack_from("<I", octets, at + 4)[0]
    return found


def _patched(octets: bytes, at: int, patch: bytes) -> bytes:
    return octets[:at] + patch + octets[at + len(patch) :]


def break_chunk_magic(octets: bytes, chunk: int = 0) -> bytes:
    return _patched(octets, FIRST_CHUNK + chunk * CHUNK, bytes(8))


def break_chunk_checksum(octets: bytes, chunk: int = 0) -> bytes:
    return _patched(octets, FIRST_CHUNK + chunk * CHUNK + 52, bytes(4))


def wipe_chunk(octets: bytes, chunk: int = 0) -> bytes:
    return _patched(octets, FIRST_CHUNK + chunk * CHUNK, bytes(CHUNK))


def break_file_magic(octets: bytes) -> bytes:
    return _patched(octets, 0, b"NoFile\x00\x00")


def break_file_checksum(octets: bytes) -> bytes:
    return _patched(octets, 124, bytes(4))


def zero_record_size(octets: bytes, *records: int, chunk: int = 0) -> bytes:
    for at in [records_of(octets, chunk)[record] for record in records]:
        octets = _patched(octets, at + 4, bytes(4))
    return octets


def change_record_text(octets: bytes, record: int, chunk: int = 0) -> bytes:
    """Flip a bit in a record's last octets, which are text or padding."""
    at = records_of(octets, chunk)[record + 1] - 12
    return _patched(octets, at, bytes([octets[at] ^ 1]))


def break_binary_xml(octets: bytes, record: int, chunk: int = 0) -> bytes:
    """Make a record's first token one that doesn't exist; the record's header stays whole."""
    return _patched(octets, records_of(octets, chunk)[record] + 24, b"\xff")


def tear_record(octets: bytes, record: int, chunk: int = 0) -> bytes:
    """Zero a record's closing size, as where the page that holds its end was never written."""
    at = records_of(octets, chunk)[record]
    return _patched(octets, at + struct.unpack_from("<I", octets, at + 4)[0] - 4, bytes(4))


def close_name_chain_to_a_ring(octets: bytes, chunk: int = 0) -> bytes:
    """Make every name node of the chunk its own successor."""
    base, broken = FIRST_CHUNK + chunk * CHUNK, octets
    for at in struct.unpack_from("<64I", octets, base + 128):
        if at:
            broken = _patched(broken, base + at, struct.pack("<I", at))
    return broken


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "chunk-magic": break_chunk_magic,
    "chunk-checksum": break_chunk_checksum,
    "chunk-missing": wipe_chunk,
    "file-magic": break_file_magic,
    "file-checksum": break_file_checksum,
    "record-header": lambda octets: zero_record_size(octets, 2),
    "record-unreadable": lambda octets: break_binary_xml(octets, 2),
    "record-torn": lambda octets: tear_record(octets, 2),
    "chunk-truncated": lambda octets: octets[: len(octets) - 30_000],
}
