"""Settings of the syslog destination."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from forwarders.common_settings import CommonSettings
from forwarders.destination import Promise
from forwarders.http.settings import ClientTls
from forwarders.payload import Payload
from forwarders.transports import MAX_DATAGRAM_OCTETS, MAX_FRAME_OCTETS, RESEND_OCTETS
from pipeline.settings import Size, SocketAddress, parse_address

STREAM_OCTETS: Final = 1 << 20
MIN_OCTETS: Final = 480
"""What every receiver must take (RFC 5424 section 6.1)."""


class SyslogTransport(StrEnum):
    """How a receiver is spoken to."""

    UDP = "udp"
    TCP = "tcp"
    TLS = "tls"


class StreamFraming(StrEnum):
    """How messages stand on a connection (RFC 6587 section 3.4)."""

    OCTET_COUNTING = "octet-counting"
    LF = "lf"


class Facility(StrEnum):
    """Facilities by their usual names (RFC 5424 section 6.2.1)."""

    KERN = "kern"
    USER = "user"
    MAIL = "mail"
    DAEMON = "daemon"
    AUTH = "auth"
    SYSLOG = "syslog"
    LPR = "lpr"
    NEWS = "news"
    UUCP = "uucp"
    CRON = "cron"
    AUTHPRIV = "authpriv"
    FTP = "ftp"
    NTP = "ntp"
    AUDIT = "audit"
    ALERT = "alert"
    CLOCK = "clock"
    LOCAL0 = "local0"
    LOCAL1 = "local1"
    LOCAL2 = "local2"
    LOCAL3 = "local3"
    LOCAL4 = "local4"
    LOCAL5 = "local5"
    LOCAL6 = "local6"
    LOCAL7 = "local7"

    @property
    def code(self) -> int:
        """0 to 23."""
        return list(Facility).index(self)


def parse_receiver(value: object) -> tuple[SyslogTransport, SocketAddress]:
    """`udp://127.0.0.1:514`, `tcp://[::1]:514` or `tls://siem.contoso.example:6514` to transport and address."""
    parts = urlsplit(value) if isinstance(value, str) else None
    if parts is None or parts.scheme not in list(SyslogTransport) or parts.path or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("write transport://host:port, as in 'tls://siem.contoso.example:6514', 'tcp://[::1]:514' or 'udp://127.0.0.1:514'")
    return SyslogTransport(parts.scheme), parse_address(parts.netloc)


Receiver = Annotated[tuple[SyslogTransport, SocketAddress], BeforeValidator(lambda value: value if isinstance(value, tuple) else parse_receiver(value))]


class SyslogSettings(CommonSettings):
    """A syslog receiver.

    address:             transport, host and port.
    payload:             how records are spelled.
    framing:             how messages stand on a connection.
    facility, app_name:  what the header says.
    enterprise:          number of whoever defines the structured data (IANA's private enterprise numbers); there is none unless given.
    max_message:         octets of one message; a longer one is parked, never cut.
    resend:              octets that were acknowledged and are remembered, to be sent again when the connection breaks.
    tls:                 whose certificate is believed, and ours.
    server_name:         what the certificate has to say, where that isn't the address' host.
    """

    kind: Literal["syslog"]
    address: Receiver
    payload: Payload = Payload.OCSF
    framing: StreamFraming = StreamFraming.OCTET_COUNTING
    facility: Facility = Facility.LOCAL0
    app_name: Annotated[str, StringConstraints(pattern=r"^[!-~]{1,48}$")] = "tidegate"
    enterprise: Annotated[int, Field(ge=1, lt=1 << 32)] | None = None
    max_message: Annotated[Size, Field(ge=MIN_OCTETS, le=MAX_FRAME_OCTETS)] | None = None
    resend: Annotated[Size, Field(ge=0, le=64 << 20)] = RESEND_OCTETS
    tls: ClientTls | None = None
    server_name: Annotated[str, StringConstraints(min_length=1)] | None = None

    @model_validator(mode="after")
    def belongs_to_its_transport(self) -> Self:
        """What another transport would heed is a mistake, and so is a datagram that can't be."""
        transport = self.address[0]
        if transport is not SyslogTransport.TLS and (self.tls or self.server_name):
            raise ValueError(f"tls and server_name mean nothing to {transport}; write address = 'tls://host:6514'")
        if transport is SyslogTransport.UDP and self.model_fields_set & {"framing", "resend"}:
            raise ValueError("framing and resend mean nothing to udp; leave them out")
        if transport is SyslogTransport.UDP and (self.max_message or 0) > MAX_DATAGRAM_OCTETS:
            raise ValueError(f"a datagram has at most {MAX_DATAGRAM_OCTETS} octets")
        return self

    @property
    def longest(self) -> int:
        """Octets of one message at most."""
        return self.max_message or (MAX_DATAGRAM_OCTETS if self.address[0] is SyslogTransport.UDP else STREAM_OCTETS)

    @property
    def place(self) -> str:
        return f"{self.payload} {self.address[0]}://{self.address[1]}"

    @property
    def promise(self) -> Promise:
        return Promise.HANDED_OVER if self.address[0] is SyslogTransport.UDP else Promise.RECEIVED
