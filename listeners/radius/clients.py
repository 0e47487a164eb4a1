"""Who a request is from: the client whose network holds its source address with the longest prefix, or that its certificate names.

A source address of UDP is no identity by itself, since anybody can write it: it only says with whose secret the request has to be signed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from listeners.radius.settings import ClientSettings

ANSWERS: Final = 4096
"""Addresses whose client is remembered."""

RADSEC_SECRET: Final = b"radsec"
"""RFC 6614 section 2.3: TLS has authenticated the client, the authenticators are made with this."""


@dataclass(frozen=True, slots=True)
class Client:
    """One client, as requests know it.

    name:                           its name in the configuration.
    secret:                         what it signs with.
    require_message_authenticator:  whether its requests need one.
    vendor:                         its maker, empty where not configured.
    """

    name: str
    secret: bytes = field(repr=False)
    require_message_authenticator: bool = False
    vendor: str = ""


def parse_peer(text: str) -> IPv4Address | IPv6Address:
    """A source address; an IPv4-mapped one as the IPv4 address it is (RFC 4291 section 2.5.5.2), without its zone."""
    address = ip_address(text.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


class Clients:
    """The configured clients.

    Args:
        tables: [[listeners.radius.clients]].
    """

    def __init__(self, tables: Iterable[ClientSettings]) -> None:
        self._by_certificate: dict[str, Client] = {}
        self._networks: dict[int, list[tuple[int, dict[int, Client]]]] = {}
        self.at: Final = lru_cache(ANSWERS)(self._at)
        self.renew(tables)

    def renew(self, tables: Iterable[ClientSettings]) -> None:
        """Know others from now on."""
        by_prefix = dict[tuple[int, int], dict[int, Client]]()
        by_certificate = dict[str, Client]()
        for table in tables:
            if table.secret is not None:
                client = _client(table, table.secret.get_secret_value())
                for network in table.cidr:
                    by_prefix.setdefault((network.version, network.prefixlen), {})[int(network.network_address)] = client
            for name in table.certificate:
                by_certificate[name.lower()] = _client(table, RADSEC_SECRET)
        longest_first = sorted(by_prefix.items(), key=lambda entry: -entry[0][1])
        self._networks = {version: [(length, found) for (of, length), found in longest_first if of == version] for version in (4, 6)}
        self._by_certificate = by_certificate
        self.at.cache_clear()

    def _at(self, peer: str) -> Client | None:
        """The client at a source address, None where there is none."""
        address = parse_peer(peer)
        number, bits = int(address), address.max_prefixlen
        for length, found in self._networks[address.version]:
            shift = bits - length
            client = found.get(number >> shift << shift)
            if client is not None:
                return client
        return None

    def named(self, names: Iterable[str]) -> Client | None:
        """The client that one of a certificate's names is configured for, None where none is."""
        return next((self._by_certificate[name.lower()] for name in names if name.lower() in self._by_certificate), None)


def _client(table: ClientSettings, secret: bytes) -> Client:
    return Client(table.name, secret, table.require_message_authenticator, table.vendor)
