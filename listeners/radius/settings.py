"""[listeners.radius]: where to listen, and the clients that share a secret with us.

    [listeners.radius]
    addresses = ["0.0.0.0:1813", "[::]:1813"]

    [[listeners.radius.clients]]
    name = "vpn1"
    cidr = "192.0.2.10"
    secret = "file:vpn1.secret"

    [listeners.radius.tls]
    addresses = ["0.0.0.0:2083"]
    certificate = "server.pem"
    key = "server.key"
    client_ca = ["ca.pem"]

What each is for: docs/listeners/radius.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from listeners.tls_settings import TlsSettings
from pipeline.settings import Address, Duration, FilePath, Network, Secret, Settings, Size

ACCOUNTING_PORT: Final = 1813
"""RFC 2866 section 3."""

RADSEC_PORT: Final = 2083
"""RFC 6614 section 2.1."""

SHORTEST_SECRET: Final = 16
"""RFC 2865 section 3 asks for as many octets as MD5's output has; one packet heard is enough to try secrets offline."""

MAPPED: Final = IPv6Network("::ffff:0:0/96")
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,62}", re.ASCII)
PORT: Final = re.compile(r"(?:\A|:)[0-9]{1,5}\Z", re.ASCII)
"""Behind its address, or written alone, which is refused: 1813 could be read as the address 0.0.7.21."""


def with_port(port: int) -> Callable[[object], object]:
    """What completes an address written without its port."""
    return lambda value: f"{value}:{port}" if isinstance(value, str) and not PORT.search(value) else value


def one_or_several(value: object) -> object:
    """`"a"` as `["a"]`."""
    return (value,) if isinstance(value, str) else value


def plain_network(network: IPv4Network | IPv6Network) -> IPv4Network | IPv6Network:
    """An IPv4-mapped network (RFC 4291 section 2.5.5.2) as the IPv4 network it is."""
    if isinstance(network, IPv6Network) and network.subnet_of(MAPPED):
        return ip_network((int(network.network_address) & 0xFFFF_FFFF, network.prefixlen - MAPPED.prefixlen))
    return network


class ClientSettings(Settings):
    """[[listeners.radius.clients]]: one client, or several that share a secret.

    name:                           what it is called in counters, the log and `explain`.
    cidr:                           its addresses; of several clients the one with the longest prefix is meant.
    secret:                         what it signs with, over UDP.
    allow_short_secret:             take a secret under 16 octets.
    certificate:                    what its certificate calls it, over TLS: a subjectAltName, a common name, or a fingerprint as `sha-256:E1:2D:...`.
    require_message_authenticator:  drop its requests without a Message-Authenticator (RFC 2869 section 5.14).
    vendor:                         its maker, `metadata.product.vendor_name` of its records; no packet says so reliably.
    """

    name: str
    cidr: Annotated[tuple[Network, ...], BeforeValidator(one_or_several)] = ()
    secret: Secret | None = None
    allow_short_secret: bool = False
    certificate: Annotated[tuple[str, ...], BeforeValidator(one_or_several)] = ()
    require_message_authenticator: bool = False
    vendor: str = Field(default="", max_length=64)

    @field_validator("name")
    @classmethod
    def name_can_be_shown(cls, name: str) -> str:
        """It is a label of counters."""
        if not NAME.fullmatch(name):
            raise ValueError("write up to 63 letters, digits, spaces, dots, dashes or underscores")
        return name

    @field_validator("cidr")
    @classmethod
    def cidr_is_plain(cls, cidr: tuple[IPv4Network | IPv6Network, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
        """IPv4 is written one way."""
        return tuple(map(plain_network, cidr))

    @model_validator(mode="after")
    def can_be_known(self) -> Self:
        """By its address and secret, by its certificate, or by either."""
        if not (self.cidr or self.certificate):
            raise ValueError("nobody is meant; write the client's addresses as cidr, or what its certificate calls it as certificate")
        if bool(self.cidr) != (self.secret is not None):
            raise ValueError("cidr and secret go together; over TLS a certificate does without both")
        octets = SHORTEST_SECRET if self.secret is None else len(self.secret.get_secret_value())
        if not octets:
            raise ValueError(f"the secret has 0 octets; make one of {SHORTEST_SECRET} or more, as `openssl rand -hex 16` does")
        if octets < SHORTEST_SECRET and not self.allow_short_secret:
            raise ValueError(
                f"the secret has {octets} octets; make one of {SHORTEST_SECRET} or more, or allow_short_secret = true where the client takes no longer"
            )
        return self


class RadsecTls(TlsSettings):
    """[listeners.radius.tls]: RADIUS over TLS (RFC 6614).

    addresses:             where to listen; port 2083 where none is written.
    client_ca:             PEM files of the authorities that issue clients' certificates.
    connections:           open at once.
    connections_per_peer:  of those, from one address.
    idle:                  silence after which a connection is ended; its client opens another when it has something to say.
    """

    table: ClassVar[str] = "listeners.radius.tls"

    addresses: tuple[Annotated[Address, BeforeValidator(with_port(RADSEC_PORT))], ...] = Field(min_length=1)
    client_ca: tuple[FilePath, ...] = Field(min_length=1)
    connections: int = Field(default=1024, ge=1)
    connections_per_peer: int = Field(default=64, ge=1)
    idle: Duration = Field(default=3600.0, gt=0)


class RadiusSettings(Settings):
    """[listeners.radius].

    addresses:       where to listen for UDP; port 1813 where none is written.
    clients:         who is heard; everybody else meets silence.
    tls:             where and how to listen for TLS.
    receive_buffer:  octets asked of the kernel for every UDP socket.
    answer:          when an Accounting-Response leaves: `committed`, once the record is on stable storage; `relayed`, once the next hop has answered as well.
    relay:           the forwarder whose next hop is meant by `relayed`.
    """

    addresses: tuple[Annotated[Address, BeforeValidator(with_port(ACCOUNTING_PORT))], ...] = ()
    clients: tuple[ClientSettings, ...] = Field(min_length=1)
    tls: RadsecTls | None = None
    receive_buffer: Size = Field(default=8 << 20, ge=4096, lt=1 << 30)
    answer: Literal["committed", "relayed"] = "committed"
    relay: str | None = None

    @model_validator(mode="after")
    def says_where_and_when(self) -> Self:
        """A listener without an address is a mistake, not a silence; and so is an answer that waits for nobody."""
        if not (self.addresses or self.tls):
            raise ValueError("give it an address: addresses = [...] or [listeners.radius.tls]")
        twice = _twice(f"{address}" for address in self.addresses if address.port)
        if twice:
            raise ValueError(f"two addresses are {', '.join(twice)}; write each once")
        if (self.answer == "relayed") != (self.relay is not None):
            raise ValueError('answer = "relayed" and relay go together; name the forwarder that has layout = "radius", or leave both out')
        return self

    @model_validator(mode="after")
    def clients_are_told_apart(self) -> Self:
        """Names, networks and certificates mean one client each."""
        for what, values in (
            ("are named", (client.name for client in self.clients)),
            ("have the network", (str(network) for client in self.clients for network in client.cidr)),
            ("have the certificate", (name.lower() for client in self.clients for name in client.certificate)),
        ):
            twice = _twice(values)
            if twice:
                raise ValueError(f"two clients {what} {', '.join(twice)}; a request must be one client's")
        if self.tls is None and any(client.certificate for client in self.clients):
            raise ValueError("a client is known by its certificate, and nobody asks for one; add [listeners.radius.tls]")
        return self


def _twice(values: Iterable[str]) -> list[str]:
    seen = list(values)
    return sorted({value for value in seen if seen.count(value) > 1})
