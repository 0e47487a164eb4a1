"""Listening sockets that whoever started us holds: the protocol of sd_listen_fds(3), for systemd's socket units.

    LISTEN_PID      the process they are for; ours, or they are nobody's
    LISTEN_FDS      how many, from descriptor 3 on
    LISTEN_FDNAMES  what each is called (FileDescriptorName=), colons between

Such a socket outlives the gateway. While none runs, the kernel keeps datagrams in its buffer and connections, with what they have sent, in its queue:
a restart takes them up. It serves the configured address that it is bound to (`listeners.bind`). One that is called `listeners.` and something
serves that listener alone; what else systemd calls them, a unit's name, says nothing.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Final

from pipeline.errors import ConfigError

FIRST: Final = 3
"""SD_LISTEN_FDS_START."""

MAX_SOCKETS: Final = 256
VARIABLES: Final = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")
LISTENERS: Final = "listeners."

KINDS: Final = {socket.SOCK_DGRAM: "datagram", socket.SOCK_STREAM: "stream"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a socket is or shall be bound, as two of them can be compared.

    kind:   SOCK_DGRAM or SOCK_STREAM.
    host:   the address in network order; its length tells the family.
    scope:  of a link-local IPv6 address, else 0.
    """

    kind: int
    host: bytes
    port: int
    scope: int

    @classmethod
    def of(cls, family: int, kind: int, sockaddr: Sequence[object]) -> Place:
        """From an address of the socket module, `("::1", 514, 0, 0)`."""
        host, port, *rest = sockaddr
        scope = rest[1] if len(rest) > 1 else 0
        return cls(kind, socket.inet_pton(family, str(host).partition("%")[0]), int(str(port)), int(str(scope)))


@dataclass(frozen=True, slots=True)
class PassedSocket:
    """One of them.

    sock:  non-blocking; a stream socket listens.
    name:  what it is called, "" where nothing is said.
    """

    sock: socket.socket
    name: str = ""

    @property
    def place(self) -> Place:
        """Where it is bound."""
        return Place.of(self.sock.family, self.sock.type, self.sock.getsockname())

    def serves(self, listener: str, place: Place) -> bool:
        """Whether it is bound there, and its name leaves it to that listener."""
        return self.place == place and (not self.name.startswith(LISTENERS) or self.name == listener)

    def __str__(self) -> str:
        host, port = self.sock.getsockname()[:2]
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        return f"{KINDS.get(self.sock.type, 'other')} {where}" + (f" ({self.name})" if self.name else "")


class Passed:
    """The sockets that nobody has taken yet."""

    def __init__(self, sockets: Iterable[PassedSocket] = ()) -> None:
        self._sockets: Final = list(sockets)
        self._taken: Final = list[socket.socket]()

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._sockets)

    def take(self, listener: str, place: Place) -> socket.socket | None:
        """The socket for a place, which is the caller's from now on; None where there is none."""
        found = next((passed for passed in self._sockets if passed.serves(listener, place)), None)
        if found is None:
            return None
        self._sockets.remove(found)
        self._taken.append(found.sock)
        return found.sock

    def lent(self, sock: socket.socket) -> bool:
        """Whether a socket was taken from here: whoever passed it holds it still, and what waits in its queue is the next one's."""
        return sock in self._taken

    def others(self, wanted: Iterable[tuple[str, Place]]) -> tuple[PassedSocket, ...]:
        """What would be left if every listener of `wanted` took what is for its place."""
        trial = Passed(self._sockets)
        for listener, place in wanted:
            trial.take(listener, place)
        return tuple(trial._sockets)

    def close(self) -> None:
        """Close what nobody took."""
        while self._sockets:
            self._sockets.pop().sock.close()


NOTHING_PASSED: Final = Passed()


def take_passed(environ: MutableMapping[str, str], process: int) -> Passed:
    """What was passed to a process, itself; to be called once, since it takes the variables away from whatever is started later.

    Args:
        environ: the environment.
        process: our process ID.

    Raises:
        ConfigError: a descriptor is no bound IPv4 or IPv6 socket, is a connection instead of a listening socket, or takes IPv4 along with IPv6.
    """
    said = {name: environ.pop(name) for name in VARIABLES if name in environ}
    if said.get("LISTEN_PID") != str(process):
        return Passed()
    names = said.get("LISTEN_FDNAMES", "").split(":")
    return Passed([_open(FIRST + at, names[at] if at < len(names) else "") for at in range(_count(said))])


def _count(said: Mapping[str, str]) -> int:
    text = said.get("LISTEN_FDS", "0")
    if not (text.isascii() and text.isdigit() and int(text) <= MAX_SOCKETS):
        raise ConfigError("$LISTEN_FDS", f"is no number up to {MAX_SOCKETS}", "start Tidegate by systemd, or as sd_listen_fds(3) says")
    return int(text)


def _open(descriptor: int, name: str) -> PassedSocket:
    what = f"passed descriptor {descriptor}" + (f" ({name})" if name else "")
    try:
        sock = socket.socket(fileno=descriptor)
    except OSError as error:
        raise ConfigError(what, f"is no socket: {error.strerror}", "pass sockets alone: ListenStream= and ListenDatagram=") from error
    try:
        _judge(sock, what)
    except ConfigError:
        sock.close()
        raise
    os.set_inheritable(descriptor, False)
    sock.setblocking(False)
    return PassedSocket(sock, name)


def _judge(sock: socket.socket, what: str) -> None:
    """Raise ConfigError unless a listener can serve it."""
    if sock.family not in (socket.AF_INET, socket.AF_INET6) or sock.type not in KINDS:
        raise ConfigError(what, "is no IPv4 or IPv6 socket of a listener's kind", "take it out of the .socket unit")
    if sock.type == socket.SOCK_STREAM and not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        raise ConfigError(what, "is a connection and not a listening socket", "set Accept=no in the .socket unit")
    if sock.family == socket.AF_INET6 and sock.getsockname()[0] == "::" and not sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY):
        fix = "set BindIPv6Only=ipv6-only in the .socket unit, and name 0.0.0.0 beside [::]"
        raise ConfigError(f"{what} [::]:{sock.getsockname()[1]}", "takes IPv4 as well, whose peers no address list would recognize", fix)
