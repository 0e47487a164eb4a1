"""Settings of the destinations that are sensors: SIEM syslog, and RADIUS accounting passed on."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, model_validator

from forwarders.common_settings import CommonSettings
from forwarders.destination import Promise
from pipeline.settings import Secret, SocketAddress, parse_address
from wire.radius.packet import AUTHENTICATOR_OCTETS


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

    layout:   how events are written, of those that a sensor listens for (docs/protocol/siem.md).
    address:  transport, host and port.
    """

    carries_enrichments: ClassVar[bool] = False

    kind: Literal["sensor"]
    layout: SensorLayout
    address: SensorAddress

    @property
    def place(self) -> str:
        return f"{self.layout} {self.address[0]}://{self.address[1]}"

    @property
    def promise(self) -> Promise:
        return Promise.RECEIVED if self.address[0] is SensorTransport.TCP else Promise.HANDED_OVER


class RelaySettings(CommonSettings):
    """A sensor, or any other server, that takes RADIUS accounting: the packets themselves are passed on.

    address:             UDP, host and port.
    secret:              shared with it.
    allow_short_secret:  take one under 16 octets.
    outstanding:         packets that may wait for its answer at once; a packet has one octet for its Identifier.
    """

    carries_enrichments: ClassVar[bool] = False

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

    @property
    def place(self) -> str:
        return f"{self.layout} {self.address[0]}://{self.address[1]}"
