"""Settings of the forwarders: `[[forwarders]]`, one table per destination, told apart by `kind`."""

from __future__ import annotations

import difflib
import re
from enum import StrEnum
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from pipeline.index import Entry
from pipeline.settings import Duration, FilePath, Secret, Settings, Size, SocketAddress, parse_address
from pipeline.spool.settings import Consumer, OnFull, Start
from wire.radius.packet import AUTHENTICATOR_OCTETS

GIB: Final = 1 << 30
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


ASCII_LOWER: Final = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def _lower(text: str) -> str:
    return text.translate(ASCII_LOWER)


def check_name(value: str) -> str:
    """A forwarder's name is a counter's label and a word on the command line."""
    if NAME.fullmatch(value) is None:
        raise ValueError("write a name of up to 64 letters, digits, '.', '_' and '-', as in 'sensor-1'")
    return value


Name = Annotated[str, AfterValidator(check_name)]


class FilterSettings(Settings):
    """Which records a destination gets: those that every given list admits.

    event_codes:  Windows event IDs or RADIUS status types, as in `["4624", "4776"]`.
    class_uids:   OCSF classes, as in `[3002]`.
    computers:    names of the computers the events are about, in any case; `*.contoso.example` for all below a domain.
    """

    event_codes: Annotated[frozenset[str], BeforeValidator(lambda value: [str(code) for code in value] if isinstance(value, list) else value)] = frozenset()
    class_uids: frozenset[int] = frozenset()
    computers: frozenset[str] = frozenset()

    def wants(self, entry: Entry) -> bool:
        """Decide by the index alone."""
        return (
            (not self.event_codes or entry.event_code in self.event_codes)
            and (not self.class_uids or entry.class_uid in self.class_uids)
            and (not self.computers or self._wants_computer(entry.computer))
        )

    def _wants_computer(self, computer: str) -> bool:
        name = _lower(computer)
        return any(name == pattern or (pattern.startswith("*.") and name.endswith(pattern[1:])) for pattern in map(_lower, self.computers))


class RetrySettings(Settings):
    """How a destination that fails is tried again: after `first`, then twice as long each time up to `longest`, each shortened by chance.

    timeout:  how long one attempt may take.
    """

    first: Annotated[Duration, Field(gt=0)] = 0.5
    longest: Annotated[Duration, Field(gt=0)] = 60.0
    timeout: Annotated[Duration, Field(gt=0)] = 60.0


class CommonSettings(Settings):
    """What every forwarder has.

    name:     its counters' label, and its cursor's name in the spool.
    quota:    compressed octets of the spool it may lag behind; as many as the spool holds unless given.
    on_full:  what happens beyond: `block` stops the intake, `drop-oldest` moves this cursor and counts the loss.
    start:    where it begins when it is new to the spool.
    """

    name: Name
    quota: Annotated[Size, Field(gt=0)] | None = None
    on_full: OnFull = OnFull.BLOCK
    start: Start = Start.END
    filter: FilterSettings | None = None
    retry: RetrySettings = RetrySettings()

    def consumer(self) -> Consumer:
        """This forwarder as the spool has to know it."""
        return Consumer(self.name, self.start, self.quota, self.on_full, self.filter.wants if self.filter else None)


class FileSettings(CommonSettings):
    """A file of newline-delimited JSON, rotated by size.

    path:          the live file; its folder is made.
    rotate_bytes:  size from which the live file is moved aside.
    keep:          rotated files to keep; all of them unless given.
    """

    kind: Literal["file"]
    path: FilePath
    rotate_bytes: Annotated[Size, Field(ge=1)] = GIB
    keep: Annotated[int, Field(ge=1)] | None = None


class StdoutSettings(CommonSettings):
    """Standard output, one record a line."""

    kind: Literal["stdout"]


class SensorTransport(StrEnum):
    """How a sensor takes what is sent to it."""

    UDP = "udp"
    TCP = "tcp"


class SensorLayout(StrEnum):
    """The layouts of events that a sensor reads."""

    SPLUNK = "splunk"
    QRADAR = "qradar"
    CEF = "cef"
    RSA = "rsa"


def parse_url(value: object) -> tuple[SensorTransport, SocketAddress]:
    """`udp://127.0.0.1:514` or `tcp://[::1]:514` to transport and address."""
    parts = urlsplit(value) if isinstance(value, str) else None
    if parts is None or parts.scheme not in list(SensorTransport) or parts.path or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("write transport://host:port, as in 'udp://127.0.0.1:514' or 'tcp://sensor.contoso.example:514'")
    return SensorTransport(parts.scheme), parse_address(parts.netloc)


SensorAddress = Annotated[tuple[SensorTransport, SocketAddress], BeforeValidator(lambda value: value if isinstance(value, tuple) else parse_url(value))]


class SensorSettings(CommonSettings):
    """A standalone sensor that takes events as SIEM syslog.

    address:  transport, host and port.
    """

    kind: Literal["sensor"]
    layout: SensorLayout
    address: SensorAddress


class RelaySettings(CommonSettings):
    """A sensor, or any other server, that takes RADIUS accounting: the packets themselves are passed on.

    address:             UDP, host and port.
    secret:              shared with it.
    allow_short_secret:  take one under 16 octets.
    outstanding:         packets that may wait for its answer at once; a packet has one octet for its Identifier.
    """

    kind: Literal["sensor"]
    layout: Literal["radius"]
    address: SensorAddress
    secret: Secret
    allow_short_secret: bool = False
    outstanding: Annotated[int, Field(ge=1, le=256)] = 64

    @model_validator(mode="after")
    def can_be_sent(self) -> Self:
        """By UDP, signed with a secret worth its name (RFC 2865 section 3)."""
        if self.address[0] is not SensorTransport.UDP:
            raise ValueError("RADIUS is passed on over UDP; write address = 'udp://host:1813'")
        octets = len(self.secret.get_secret_value())
        if not octets or (octets < AUTHENTICATOR_OCTETS and not self.allow_short_secret):
            raise ValueError(
                f"the secret has {octets} octets; make one of {AUTHENTICATOR_OCTETS} or more, or allow_short_secret = true where the server takes no longer"
            )
        return self


KINDS: Final = ("file", "stdout", "sensor")
RADIUS: Final = "radius"
LAYOUTS: Final = (*map(str, SensorLayout), RADIUS)


def check_kind(value: object) -> object:
    """Refuse a table whose `kind`, or a sensor's whose `layout`, doesn't exist, with the nearest one that does."""
    if isinstance(value, dict):
        _check_word(value, "kind", KINDS, "kind of forwarder")
        if value["kind"] == "sensor":
            _check_word(value, "layout", LAYOUTS, "layout of a sensor")
    return value


def _check_word(table: dict[str, object], key: str, words: tuple[str, ...], what: str) -> None:
    word = table.get(key)
    if word in words:
        return
    near = difflib.get_close_matches(str(word), words, n=1)
    said = f"{word!r} is no {what}" if word is not None else f"{key} is missing"
    raise ValueError(f"{said}; did you mean {near[0]!r}?" if near else f"{said}; write one of {', '.join(words)}")


def _tag(value: object) -> str:
    """Which table it is: its layout where that makes it another one, else its kind."""
    kind, layout = (value.get("kind"), value.get("layout")) if isinstance(value, dict) else (getattr(value, "kind", None), getattr(value, "layout", None))
    return RADIUS if (kind, layout) == ("sensor", RADIUS) else str(kind)


ForwarderSettings = Annotated[
    Annotated[
        Annotated[FileSettings, Tag("file")]
        | Annotated[StdoutSettings, Tag("stdout")]
        | Annotated[SensorSettings, Tag("sensor")]
        | Annotated[RelaySettings, Tag(RADIUS)],
        Discriminator(_tag),
    ],
    BeforeValidator(check_kind),
]
"""One `[[forwarders]]` table."""
