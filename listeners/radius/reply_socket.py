"""A UDP socket that takes bursts, and answers each request from the address it was asked at.

A client takes an answer from the server it asked and from nobody else. Where a socket is bound to every address of the machine, the kernel would choose the
answer's source by the route, which is another address where the machine has several: so it is asked for each datagram's destination, and told it again with
the answer (IP_PKTINFO of ip(7), IPV6_PKTINFO of RFC 3542 section 6).
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from ipaddress import ip_address
from typing import Final

import trio

from kernel import Burst, Receiver, Room
from wire.radius.packet import MAX_LENGTH

IP_PKTINFO: Final = 8
"""include/uapi/linux/in.h; Python has a name for it from 3.14."""

AT_ONCE: Final = 256
"""Datagrams that one system call takes."""

OCTETS: Final = 1 << 20
"""Of a burst, and those of one system call more at most."""

ROOM_OCTETS: Final = 256 << 10
"""More than bursts usually have."""


class ReplySocket:
    """A bound, non-blocking UDP socket."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock: Final = sock
        self._room: Final = trio.Lock()
        anywhere = ip_address(sock.getsockname()[0].partition("%")[0]).is_unspecified
        if anywhere and sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        elif anywhere:
            sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        self._receiver: Final = Receiver(MAX_LENGTH, AT_ONCE, anywhere)
        self._octets: Final = Room(ROOM_OCTETS, 0)

    def receive(self, datagrams: int) -> tuple[Burst, bytes]:
        """What is there, up to so many datagrams, each cut behind the longest packet there is: whose they are and how to answer them, and their octets.

        Raises:
            OSError: it can't be told.
        """
        burst = self._receiver.receive(self._octets, self.sock.fileno(), datagrams, OCTETS)
        return burst, self._octets[:]  # bursts wait for their receipts while others are read

    async def send(self, burst: Burst, responses: bytes, spans: bytes, ways: bytes, failed: Callable[[OSError], None]) -> int:
        """Send answers; how many were sent.

        Args:
            burst: whose ways they go.
            responses: their octets.
            spans: start and end of each in them, as octets of array("I").
            ways: the way of each, likewise.
            failed: told of each that can't be sent.
        """
        tried, sent, count = 0, 0, len(ways) // 4
        while tried < count:
            passed, error = burst.send(self.sock.fileno(), responses, spans, ways, tried)
            tried += passed
            sent += passed
            if error == errno.EAGAIN:
                async with self._room:  # of one socket, one task at a time
                    await trio.lowlevel.wait_writable(self.sock)
            elif error:
                failed(OSError(error, os.strerror(error)))
                tried += 1
        return sent
