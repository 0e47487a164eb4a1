"""What the Rust in kernel/binding exports; `make lint` compares this file with the built module."""

from collections.abc import Sequence
from typing import TypeAlias, final

__all__ = [
    "Burst",
    "KeySet",
    "NativeAccounting",
    "NativeBatch",
    "Normalizer",
    "Receiver",
    "Retransmissions",
    "Room",
    "SessionPlan",
    "SessionTable",
    "compress",
    "decode_utf_16",
    "decompress",
    "encode_responses",
    "find_expanding",
    "highest_record_ids",
    "is_legal_xml",
    "loose_lines",
    "parse_changes",
    "render_chunks",
    "scan_counted",
    "scan_trailed",
    "scan_wrapped_events",
    "sldc_decode",
    "sldc_encode",
    "verify_requests",
]

@final
class Room:
    """Memory that stays while what is read into it comes and goes; for so many octets, with place for `before` more. It grows where that isn't enough."""

    def __new__(cls, octets: int, before: int, /) -> Room: ...
    def __len__(self) -> int: ...
    def __getitem__(self, span: slice, /) -> bytes:
        """A copy; ValueError where a step leaves octets out."""

    def clear(self) -> None: ...
    def receive(self, fd: int, most: int, /) -> int | None:
        """Add up to `most` octets of a socket: how many, 0 at the end of the stream, None where there is nothing just now. OSError as of recv(2)."""

    def extend(self, octets: bytes, /) -> None:
        """Add octets behind what is there."""

    def prepend(self, octets: bytes, /) -> None:
        """Put octets before what is there, which is moved only where they have no place."""

_Octets: TypeAlias = bytes | Room

def scan_counted(buffer: _Octets, skip: int, max_message: int, /) -> tuple[bytes, int, int, int, str | None]:
    """(spans, consumed, skip, oversize, broken rule) of an octet-counted buffer: native twin of wire.syslog_framing.scan_counted.

    Spans are native 32-bit offsets, for `array("I").frombytes`. A buffer of 4 GiB or more is a programming error.
    """

def scan_trailed(buffer: _Octets, skipping: bool, searched: int, max_message: int, /) -> tuple[bytes, int, bool, int]:
    """(spans, consumed, skipping, oversize) of a non-transparently framed buffer: twin of wire.syslog_framing.scan_trailed."""

def loose_lines(buffer: _Octets, lines: bytes, /) -> list[int]:
    """Numbers of the lines, start, end ... as the octets of an array("I"), that don't begin with a PRI: native twin of wire.syslog_multiline.loose_lines."""

def compress(data: bytes, level: int = 1, /) -> bytes:
    """One zstd frame (RFC 8878) of `data`, which declares its content's size and has no checksum.

    Raises:
        ValueError: zstd has no such level.
    """

def decompress(data: bytes, max_size: int, /) -> bytes:
    """The content of `data`, which is exactly one zstd frame that declares its size; memory is bounded by `max_size` octets.

    Raises:
        ValueError: it isn't, it is damaged (a checksum is verified where there is one), or its content is longer than `max_size`.
    """

def sldc_decode(data: bytes, max_size: int, /) -> tuple[bytes, str | None, int]:
    """(content, broken rule, octet at which) of an SLDC stream: native twin of wire.sldc.decode."""

def sldc_encode(content: bytes, /) -> bytes:
    """An SLDC stream of `content`, which is under 4 GiB: native twin of wire.sldc.encode."""

def decode_utf_16(octets: bytes, big_endian: bool, /) -> tuple[bytes, int]:
    """(UTF-8, code units that were no character) of UTF-16: native twin of wire.soap_encoding.decode_utf_16."""

def find_expanding(octets: bytes, records: bytes, max_text: int, max_steps: int, /) -> list[int]:
    """Places of those records, start, end ... as the octets of an array("I"), that may not fit into `max_text`: native twin of wire.evtx_expansion."""

def render_chunks(octets: bytes, checksums: bool, max_text: int, max_steps: int, /) -> tuple[Room, bytes, int]:
    """(event XML of records, its spans, octets read) of the whole chunks of an EVTX file that `octets` begin with, up to the first one in doubt.

    What is written is what the `evtx` library writes, its oracle in tests. Of a chunk there is no more text than `max_text`.
    """

def is_legal_xml(octets: bytes, /) -> bool:
    """Whether octets are UTF-8 and hold no character that XML doesn't allow (XML 1.0 section 2.2), references not looked at."""

def scan_wrapped_events(octets: bytes, /) -> tuple[bytes, int, int]:
    """(spans, end of the first event, end of the last) of the run that begins with a document's first CDATA section.

    Start-tag, section, end-tag, then at once the same again, octet for octet but for the content. Spans are of the contents; none where there is no such run.
    """

def highest_record_ids(buffer: bytes, spans: bytes, /) -> list[tuple[str, str, int]]:
    """(computer, channel, highest record ID) of a batch's events: native twin of listeners.wef.record_ids.highest_record_ids."""

@final
class Normalizer:
    """A profile, loaded from a document of normalizers.native_plan: native twin of normalizers.normalizer.Normalizer.

    Raises:
        ValueError: it isn't such a document.
    """

    def __new__(cls, document: bytes, /) -> Normalizer: ...
    def normalize(self, buffer: _Octets, spans: bytes, arrival_ms: int, labels: Sequence[str], events: bool, max_rejects: int, /) -> NativeBatch:
        """Judge the messages of a buffer; `spans` are native 32-bit offsets, `events` where each is an event's XML with no header before it."""
    def normalize_radius(
        self, buffer: _Octets, spans: bytes, aliases: bytes, arrival_ms: int, peer: str, vendor: str, labels: Sequence[str], /
    ) -> NativeAccounting | None:
        """Judge the verified accounting packets of a buffer; None where the profile has no plan for them."""

@final
class NativeBatch:
    """What became of a buffer: the fields of pipeline.model.Batch, but for those named here.

    index:      as pipeline.spool.index stores it.
    rejects:    (place among the messages, rule, offset, detail) of the first rejected ones.
    unsure:     (place among the messages, number of records before it) of messages that are left to the reference engine; no tally counts them.
    computers:  what computers the records' events name; None where they are more than a few.
    """

    @property
    def records(self) -> bytes: ...
    @property
    def index(self) -> bytes: ...
    @property
    def filtered(self) -> dict[str, int]: ...
    @property
    def rejected(self) -> dict[str, int]: ...
    @property
    def warnings(self) -> dict[str, int]: ...
    @property
    def control(self) -> int: ...
    @property
    def rejects(self) -> list[tuple[int, str, int, str]]: ...
    @property
    def unsure(self) -> list[tuple[int, int]]: ...
    @property
    def computers(self) -> list[str] | None: ...

@final
class KeySet:
    """A set of 16-octet keys at 20 to 24 octets each: what `set[bytes]` is, many keys a call.

    Args:
        seed: 16 octets that whoever chooses keys doesn't know.
        small: whether it is for hundreds of keys, else for millions.

    Raises:
        ValueError: a seed or keys of another length.
    """

    def __new__(cls, seed: bytes, /, *, small: bool = False) -> KeySet: ...
    def __len__(self) -> int: ...
    @property
    def octets(self) -> int:
        """Octets of memory that the keys take."""

    def known(self, keys: bytes, /) -> bytes:
        """1 for each key that is in the set, else 0; `keys` are 16 octets each."""

    def add_new(self, keys: bytes, /) -> bool:
        """Add keys of which none is in the set, nor there twice; False, and none added, where one is."""

    def add(self, keys: bytes, /) -> None: ...
    def discard(self, keys: bytes, /) -> None: ...

@final
class NativeAccounting:
    """What became of a buffer of accounting packets.

    aliases:  of each record's packet.
    changes:  what each record says of a session (pipeline.state.changes).
    unsure:   as in NativeBatch.
    """

    @property
    def records(self) -> bytes: ...
    @property
    def index(self) -> bytes: ...
    @property
    def aliases(self) -> bytes: ...
    @property
    def changes(self) -> bytes: ...
    @property
    def unsure(self) -> list[tuple[int, int]]: ...

def verify_requests(buffer: bytes, spans: bytes, secret: bytes, require_message_authenticator: bool, /) -> tuple[bytes, list[int]]:
    """(spans of the Accounting-Requests that a holder of the secret sent, without padding; places of the others). Twin of wire.radius.authenticators."""

def parse_changes(octets: bytes, events: tuple[object, ...], /) -> list[tuple[object, str, str, str, str, str, str, int, int | None] | None]:
    """The fields of each word that pipeline.state.changes has packed, its event as that of its place in `events`."""

def encode_responses(buffer: bytes, spans: bytes, secret: bytes, /) -> tuple[bytes, bytes]:
    """(Accounting-Responses to verified requests, their spans). Twin of wire.radius.authenticators."""

@final
class Retransmissions:
    """Twin of listeners.radius.retransmissions."""

    def __new__(cls) -> Retransmissions: ...
    def keys(self, buffer: bytes, spans: bytes, sources: Sequence[bytes], ways: bytes, now_ns: int, /) -> bytes:
        """16 octets for each request, whose source is that of its way."""

    def __len__(self) -> int: ...

_Session: TypeAlias = tuple[int, str, str, str, str, str, str, int, int, int | None, int]

@final
class SessionTable:
    """Twin of pipeline.state.table: how many sessions, the silence after which one has ended, for how long one that has is known. Sessions are its Session."""

    def __new__(cls, most: int, idle_ms: int, keep_ms: int, /) -> SessionTable: ...
    def __len__(self) -> int: ...
    @property
    def open(self) -> int: ...
    def sessions(self) -> list[_Session]:
        """All of them, the closed ones first, each kind in its order."""

    def of_account(self, folded: bytes, at_ms: int, /) -> list[_Session]:
        """As the twin does, for any domain."""

    def of_address(self, address: str, at_ms: int, /) -> list[_Session]: ...
    def newest(self, nas: str, session_id: str, /) -> _Session | None: ...
    def plan(self, changes: bytes, now_ms: int, /) -> SessionPlan:
        """What words, packed as pipeline.state.changes says, change."""

    def take(self, plan: SessionPlan, /) -> None: ...
    def put(self, session: _Session, /) -> None: ...

@final
class SessionPlan:
    """What a commit changes in the table: twin of pipeline.state.table.SessionPlan.

    saved: the fields of each session that is new or changed, and its checksum (pipeline.state.stored_sessions), None where that is left to Python.
    """

    @property
    def saved(self) -> list[tuple[int, str, str, str, str, str, str, int, int, int | None, int, int | None]]: ...
    @property
    def silent(self) -> list[int]: ...
    @property
    def gone(self) -> list[int]: ...
    @property
    def evicted(self) -> int: ...

@final
class Receiver:
    """The memory of one socket's drains: for datagrams of which `longest` octets are wanted, `at_once` with one system call.

    tells_destination: whether the socket was asked to (IP_PKTINFO, IPV6_RECVPKTINFO).
    """

    def __new__(cls, longest: int, at_once: int, tells_destination: bool, /) -> Receiver: ...
    def receive(self, room: Room, fd: int, datagrams: int, octets: int, /) -> Burst:
        """What is there: up to so many datagrams, and no more once they have more octets than that. Never waits; OSError where it can't be told.

        They are in the room then, one behind the other, and nothing else is.
        """

@final
class Burst:
    """What one drain took into a room. Spans and ways are octets of array("I").

    datagrams:  how many.
    peers:      (address, spans in the room, the way of each datagram's answer) by address.
    ports:      by way, where an answer goes.
    """

    @property
    def datagrams(self) -> int: ...
    @property
    def peers(self) -> list[tuple[str, bytes, bytes]]: ...
    @property
    def ports(self) -> list[int]: ...
    def send(self, fd: int, buffer: bytes, spans: bytes, ways: bytes, first: int, /) -> tuple[int, int]:
        """(how many answers were sent from number `first` on, errno of the next one or 0)."""
