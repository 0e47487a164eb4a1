"""[listeners.syslog]: where to listen, whom to hear, how much to take.

    [listeners.syslog]
    udp = ["0.0.0.0:514", "[::]:514"]
    tcp = ["0.0.0.0:514", "[::]:514"]
    allow = ["10.0.0.0/8"]

    [listeners.syslog.tls]
    addresses = ["0.0.0.0:6514"]
    certificate = "server.pem"
    key = "server.key"

What each limit is for, and when to change it: docs/listeners/syslog.md.
"""

from __future__ import annotations

import re
import ssl
from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from listeners.admission import EVERYBODY
from listeners.tls_settings import TlsSettings
from pipeline.settings import Address, Duration, Network, Settings, Size
from wire.layouts.layout import Mode

SMALLEST_MESSAGE: Final = 480
"""RFC 5424 section 6.1: what every receiver must take."""

LARGEST_MESSAGE: Final = 9_999_999
"""What the seven digits of an octet count can say."""


def parse_zone(value: object) -> object:
    """`"+01:00"`, `"-05:30"` or `"UTC"` to minutes east of UTC; an int only comes from code."""
    if type(value) is int:
        return value
    if value == "UTC":
        return 0
    found = re.fullmatch(r"([+-])([0-9]{2}):([0-5][0-9])", value) if isinstance(value, str) else None
    if found is None or int(found[2]) > 14:  # noqa: PLR2004 - the farthest zone is UTC+14
        raise ValueError("write an offset from UTC, as in '+01:00', '-05:30' or 'UTC'")
    minutes = int(found[2]) * 60 + int(found[3])
    return -minutes if found[1] == "-" else minutes


Zone = Annotated[int, BeforeValidator(parse_zone)]


class SyslogTls(TlsSettings):
    """[listeners.syslog.tls]: syslog over TLS (RFC 5425).

    client_certificate:  whether a client without a certificate is refused, where `client_ca` is given.
    """

    table: ClassVar[str] = "listeners.syslog.tls"

    client_certificate: Literal["required", "optional"] = "required"

    @property
    def verify_mode(self) -> ssl.VerifyMode:
        """What becomes of a client without a certificate."""
        return ssl.CERT_OPTIONAL if self.client_ca and self.client_certificate == "optional" else super().verify_mode


class SyslogSettings(Settings):
    """[listeners.syslog].

    udp, tcp:              where to listen.
    tls:                   where and how to listen for TLS.
    mode:                  how far a sender may bend a layout.
    zone:                  offset of times that state none.
    allow:                 networks that are heard; everybody by default. A source address of UDP is no identity: anybody can write it.
    max_message:           longest message, in octets.
    receive_buffer:        octets asked of the kernel for every UDP socket.
    connections:           open at once, TCP and TLS together.
    connections_per_peer:  of those, from one address.
    incomplete:            octets of unfinished messages held for all connections together.
    idle:                  silence after which a connection is ended; never by default, since a syslog sender that finds its connection
                           closed has already lost a message. Dead peers are found by TCP keepalive.
    multiline:             how long the last line of a connection waits for the next one, which may continue it.
    """

    udp: tuple[Address, ...] = ()
    tcp: tuple[Address, ...] = ()
    tls: SyslogTls | None = None
    mode: Mode = Mode.LENIENT
    zone: Zone = 0
    allow: tuple[Network, ...] = Field(default=EVERYBODY, min_length=1)
    max_message: Size = Field(default=256 << 10, ge=SMALLEST_MESSAGE, le=LARGEST_MESSAGE)
    receive_buffer: Size = Field(default=16 << 20, ge=4096, lt=1 << 30)
    connections: int = Field(default=4096, ge=1)
    connections_per_peer: int = Field(default=64, ge=1)
    incomplete: Size = Field(default=64 << 20, ge=1 << 20)
    idle: Annotated[Duration, Field(gt=0)] | None = None
    multiline: Duration = Field(default=0.5, gt=0)

    @model_validator(mode="after")
    def listens_somewhere(self) -> Self:
        """A listener without an address is a mistake, not a silence."""
        if not (self.udp or self.tcp or self.tls):
            raise ValueError("give it an address: udp = [...], tcp = [...] or [listeners.syslog.tls]")
        return self
