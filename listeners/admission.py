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

PER_PEER: Final = "connections-per-peer"

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
    waiting:      how many more wait for a place.
    left:         where they wait.
    turn:         held while one of them is read, normalized and handed over, so that an address has one share however many it opens.
    """

    __slots__ = ("connections", "left", "turn", "waiting")

    def __init__(self) -> None:
        self.connections = self.waiting = 0
        self.left: Final = trio.lowlevel.ParkingLot()
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
        self.open = self.waiting = 0

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
        return PER_PEER if guest is not None and guest.connections >= self._per_peer else None

    def queue(self, peer: str) -> Guest | None:
        """Count a connection in that waits for another one of its peer to end, then `place` it; None where as many wait already as are served."""
        guest = self._guests.get(peer)
        if guest is None or guest.waiting >= self._per_peer or self.open + self.waiting >= self._connections:
            return None
        guest.waiting += 1
        self.waiting += 1
        return guest

    async def place(self, peer: str, guest: Guest, seconds: float) -> str | None:
        """Wait so long until a connection that was queued may be served; why it may not, None where it may."""
        try:
            with trio.move_on_after(seconds):
                while self.refusal(peer) == PER_PEER:
                    await guest.left.park()
        finally:
            guest.waiting -= 1
            self.waiting -= 1
            self._forget(peer)
        return self.refusal(peer)

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
        guest.left.unpark()
        self._forget(peer)

    def _forget(self, peer: str) -> None:
        guest = self._guests[peer]
        if not guest.connections and not guest.waiting:
            del self._guests[peer]
