"""Who may speak: the allow-list, and how many connections there may be, in all and from one address.

A refusal is a reason's name, which is also its counter's label. Nothing is remembered of an address that holds no connection, but a
bounded number of the allow-list's answers: forged source addresses can't grow a table here.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final

import trio

EVERYBODY: Final = (ip_network("0.0.0.0/0"), ip_network("::/0"))

ANSWERS: Final = 4096
"""Answers of the allow-list that are remembered."""


class AllowList:
    """The networks that are heard."""

    def __init__(self, networks: Sequence[IPv4Network | IPv6Network]) -> None:
        self._networks = tuple(networks)
        self.allows: Final = lru_cache(ANSWERS)(self._allows)

    def renew(self, networks: Sequence[IPv4Network | IPv6Network]) -> None:
        """Hear others from now on."""
        self._networks = tuple(networks)
        self.allows.cache_clear()

    def _allows(self, peer: str) -> bool:
        address = ip_address(peer)
        return any(address.version == network.version and address in network for network in self._networks)


class Promptly:
    """A lock that is taken without a visit to the event loop where it is free: for whoever visits it between two turns anyway."""

    __slots__ = ("_lock",)

    def __init__(self, lock: trio.Lock | trio.CapacityLimiter) -> None:
        self._lock: Final = lock

    async def __aenter__(self) -> None:
        try:
            self._lock.acquire_nowait()
        except trio.WouldBlock:
            await self._lock.acquire()

    async def __aexit__(self, *_: object) -> None:
        self._lock.release()


class Guest:
    """One address that holds connections.

    connections:  how many.
    turn:         held while one of them is read, normalized and handed over, so that an address has one share however many it opens.
    """

    __slots__ = ("connections", "turn")

    def __init__(self) -> None:
        self.connections = 0
        self.turn: Final = trio.Lock()


class Admission:
    """Connections, counted.

    Args:
        allow_list: the networks that are heard.
        connections: open at once.
        per_peer: of those, from one address.
    """

    def __init__(self, allow_list: AllowList, connections: int, per_peer: int) -> None:
        self._allow_list: Final = allow_list
        self._connections = connections
        self._per_peer = per_peer
        self._guests: Final[dict[str, Guest]] = {}
        self.open = 0

    def renew(self, networks: Sequence[IPv4Network | IPv6Network], connections: int, per_peer: int) -> None:
        """Let in others, or so many, from now on; whoever is in stays."""
        self._allow_list.renew(networks)
        self._connections, self._per_peer = connections, per_peer

    def refusal(self, peer: str) -> str | None:
        """Why a connection of `peer` isn't served; None where it is."""
        if not self._allow_list.allows(peer):
            return "not-allowed"
        if self.open >= self._connections:
            return "connections"
        guest = self._guests.get(peer)
        return "connections-per-peer" if guest is not None and guest.connections >= self._per_peer else None

    def enter(self, peer: str) -> Guest:
        """Count a connection of `peer` in; `leave` counts it out."""
        guest = self._guests.setdefault(peer, Guest())
        guest.connections += 1
        self.open += 1
        return guest

    def leave(self, peer: str) -> None:
        """Count a connection of `peer` out."""
        guest = self._guests[peer]
        guest.connections -= 1
        self.open -= 1
        if not guest.connections:
            del self._guests[peer]
