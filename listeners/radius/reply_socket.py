"""A UDP socket that answers from the address it was asked at.

A client takes an answer from the server it asked and from nobody else. Where a socket is bound to every address of the machine, the kernel would choose the
answer's source by the route, which is another address where the machine has several: so it is asked for each datagram's destination, and told it again with
the answer (IP_PKTINFO of ip(7), IPV6_PKTINFO of RFC 3542 section 6).
"""

from __future__ import annotations

import socket
import struct
from ipaddress import ip_address
from typing import Final

import trio

from wire.radius.packet import MAX_LENGTH

IP_PKTINFO: Final = 8
"""include/uapi/linux/in.h; Python has a name for it from 3.14."""

IN_PKTINFO: Final = struct.Struct("=I4s4s")
IN6_PKTINFO: Final = struct.Struct("=16sI")

Address = tuple[str, int] | tuple[str, int, int, int]
Ancillary = tuple[tuple[int, int, bytes], ...]
Way = tuple[Address, Ancillary]
"""Where an answer goes, and from which address of ours."""


class ReplySocket:
    """A bound, non-blocking UDP socket."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock: Final = sock
        self._space = 0
        self._room: Final = trio.Lock()
        if ip_address(sock.getsockname()[0].partition("%")[0]).is_unspecified:
            if sock.family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            else:
                sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
            self._space = socket.CMSG_SPACE(IN6_PKTINFO.size)

    def receive(self) -> tuple[bytes, Way]:
        """The next datagram, cut behind the longest packet there is, and how to answer it.

        Raises:
            BlockingIOError: there is none.
        """
        if not self._space:
            datagram, address = self.sock.recvfrom(MAX_LENGTH)
            return datagram, (address, ())
        datagram, ancillary, _, address = self.sock.recvmsg(MAX_LENGTH, self._space)
        return datagram, (address, tuple(map(_destination_as_source, ancillary)))

    async def send(self, response: bytes, way: Way) -> None:
        """Send an answer.

        Raises:
            OSError: it can't be sent.
        """
        address, ancillary = way
        while True:
            try:
                self.sock.sendmsg((response,), ancillary, 0, address)
            except BlockingIOError:
                async with self._room:  # of one socket, one task at a time
                    await trio.lowlevel.wait_writable(self.sock)
            else:
                return


def _destination_as_source(found: tuple[int, int, bytes]) -> tuple[int, int, bytes]:
    """What a datagram came with, as its answer has to go; the route is the kernel's to choose."""
    level, kind, data = found
    if (level, kind) == (socket.IPPROTO_IP, IP_PKTINFO):
        _, local, destination = IN_PKTINFO.unpack(data)  # local is unset in what came before the kernel was asked
        return level, kind, IN_PKTINFO.pack(0, local if any(local) else destination, bytes(4))
    if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO):
        local, _ = IN6_PKTINFO.unpack(data)
        return level, kind, IN6_PKTINFO.pack(local, 0)
    return found
