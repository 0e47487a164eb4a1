"""What a connection is read through: a TCP socket, bare or under TLS, that says when there is something and gives it without waiting.

Waiting and taking are apart so that a connection holds no buffer while it waits. What is taken goes into a room that the caller has, memory
that stays: memory that is new for each read costs more than what is read. trio.SSLStream would copy every octet through a memory BIO;
OpenSSL reads the socket itself here. Under TLS it is written through as well.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from typing import Final, Protocol

import trio

from kernel import Room

RECORD: Final = 16 << 10
"""Octets of text in a TLS record, at most (RFC 8446 section 5.1)."""


class Channel(Protocol):
    """One connection's octets."""

    async def readable(self) -> None:
        """Return when `take` may have something."""

    def expect(self, octets: int) -> None:
        """From now on be readable once so many octets have come, or the stream has ended; one in the beginning."""

    def take(self, room: Room, most: int) -> int | None:
        """Add up to `most` octets to `room`: how many, 0 at the end of the stream, None when there is nothing just now.

        Raises:
            OSError: the connection broke; ssl.SSLError among them.
        """

    def waiting(self) -> int:
        """No less than the octets the kernel may hold for us."""

    def finish(self) -> None:
        """Tell the peer that we are about to go: it sees the end of our stream, and what it sends meanwhile is still taken."""

    def close(self) -> None:
        """End the connection, if it hasn't ended."""


class TcpChannel:
    """A bare socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock: Final = sock

    async def readable(self) -> None:
        await trio.lowlevel.wait_readable(self._sock)

    def expect(self, octets: int) -> None:
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, octets)

    def take(self, room: Room, most: int) -> int | None:
        return room.receive(self._sock.fileno(), most)

    def waiting(self) -> int:
        return self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)

    def finish(self) -> None:
        _shut_down(self._sock)

    def close(self) -> None:
        self._sock.close()


class TlsChannel:
    """A socket under TLS, its handshake done."""

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self._sock: Final = sock
        self._wants_write = False
        self._failure: OSError | None = None
        self._ended = False
        self._writers: Final = trio.Lock()
        self._turn: Final = trio.Lock()

    async def readable(self) -> None:
        if self._ended or self._failure is not None or self._sock.pending():
            await trio.lowlevel.checkpoint()
        elif self._wants_write:  # a peer may change keys at any time, and OpenSSL answers before it reads on (RFC 8446 section 4.6.3)
            await self._writable()
        else:
            await trio.lowlevel.wait_readable(self._sock)

    def expect(self, octets: int) -> None:
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, octets)

    def take(self, room: Room, most: int) -> int | None:
        octets = 0
        while octets < most and not self._ended:
            try:
                record = self._record(min(most - octets, RECORD))
            except OSError as error:
                self._failure = error
                break
            if record is None:
                break
            self._ended = not record
            room.extend(record)
            octets += len(record)
        if octets:  # what was read before the end, or before the failure, comes first
            return octets
        if self._failure is not None:
            raise self._failure
        return 0 if self._ended else None

    def _record(self, most: int) -> bytes | None:
        """Up to `most` octets of a TLS record's text, none at the end of the stream (with or without close_notify), None when there is none just now."""
        if self._failure is not None:
            raise self._failure
        self._wants_write = False
        try:
            return self._sock.recv(most)
        except ssl.SSLWantReadError:
            return None
        except ssl.SSLWantWriteError:
            self._wants_write = True
            return None

    async def send(self, octets: bytes) -> None:
        """Write all of it; whoever else writes waits. To be cancelled only where the connection ends.

        Raises:
            OSError: the connection broke; ssl.SSLError among them.
        """
        async with self._turn:
            rest = memoryview(octets)
            while rest:
                try:
                    rest = rest[self._sock.send(rest) :]
                except ssl.SSLWantWriteError:  # SSLWantReadError can't be: nobody renegotiates
                    await self._writable()

    async def _writable(self) -> None:
        async with self._writers:  # of one socket, one task at a time
            await trio.lowlevel.wait_writable(self._sock)

    def waiting(self) -> int:
        return self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)

    def finish(self) -> None:
        """By TCP alone: whoever looks at the socket, to see whether it ended, would take a close_notify for something that was said."""
        _shut_down(self._sock)

    def close(self) -> None:
        if self._sock.fileno() < 0:
            return
        with contextlib.suppress(OSError):  # close_notify for whom it still reaches (RFC 5425 section 4.4); nobody is waited for
            self._sock.unwrap()
        self._sock.close()


def _shut_down(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):  # the peer has gone already
        socket.socket.shutdown(sock, socket.SHUT_WR)  # SSLSocket's own would forget what TLS knows
