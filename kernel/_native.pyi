"""What the Rust in kernel/binding exports; `make lint` compares this file with the built module."""

from collections.abc import Sequence
from typing import final

__all__ = [
    "KeySet",
    "NativeBatch",
    "Normalizer",
    "compress",
    "decode_utf_16",
    "decompress",
    "highest_record_ids",
    "is_legal_xml",
    "scan_counted",
    "scan_trailed",
    "scan_wrapped_events",
    "sldc_decode",
    "sldc_encode",
]

def scan_counted(buffer: bytes, skip: int, max_message: int, /) -> tuple[bytes, int, int, int, str | None]:
    """(spans, consumed, skip, oversize, broken rule) of an octet-counted buffer: native twin of wire.syslog_framing.scan_counted.

    Spans are native 32-bit offsets, for `array("I").frombytes`. A buffer of 4 GiB or more is a programming error.
    """

def scan_trailed(buffer: bytes, skipping: bool, searched: int, max_message: int, /) -> tuple[bytes, int, bool, int]:
    """(spans, consumed, skipping, oversize) of a non-transparently framed buffer: twin of wire.syslog_framing.scan_trailed."""

def compress(data: bytes, level: int = 1, /) -> bytes:
    """One zstd frame (RFC 8878) of `data`, which declares its content's size and ends in its checksum.

    Raises:
        ValueError: zstd has no such level.
    """

def decompress(data: bytes, max_size: int, /) -> bytes:
    """The content of `data`, which is exactly one zstd frame that declares its size; memory is bounded by `max_size` octets.

    Raises:
        ValueError: it isn't, it is damaged (its checksum is verified), or its content is longer than `max_size`.
    """

def sldc_decode(data: bytes, max_size: int, /) -> tuple[bytes, str | None, int]:
    """(content, broken rule, octet at which) of an SLDC stream: native twin of wire.sldc.decode."""

def sldc_encode(content: bytes, /) -> bytes:
    """An SLDC stream of `content`, which is under 4 GiB: native twin of wire.sldc.encode."""

def decode_utf_16(octets: bytes, big_endian: bool, /) -> tuple[bytes, int]:
    """(UTF-8, code units that were no character) of UTF-16: native twin of wire.soap_encoding.decode_utf_16."""

def is_legal_xml(octets: bytes, /) -> bool:
    """Whether octets are UTF-8 and hold no character that XML doesn't allow (XML 1.0 section 2.2), references not looked at."""

def scan_wrapped_events(octets: bytes, /) -> tuple[bytes, int, int]:
    """(spans, end of the first event, end of the last) of the run that begins with a document's first CDATA section: start-tag, section, end-tag,
    then at once the same again, octet for octet but for the content. Spans are of the contents; none where there is no such run.
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
    def normalize(self, buffer: bytes, spans: bytes, arrival_ms: int, labels: Sequence[str], events: bool, max_rejects: int, /) -> NativeBatch:
        """Judge the messages of a buffer; `spans` are native 32-bit offsets, `events` where each is an event's XML with no header before it."""

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

    Raises:
        ValueError: a seed or keys of another length.
    """

    def __new__(cls, seed: bytes, /) -> KeySet: ...
    def __len__(self) -> int: ...
    @property
    def octets(self) -> int:
        """Octets of memory that the keys take."""

    def known(self, keys: bytes, /) -> bytes:
        """1 for each key that is in the set, else 0; `keys` are 16 octets each."""

    def add(self, keys: bytes, /) -> None: ...
    def discard(self, keys: bytes, /) -> None: ...
