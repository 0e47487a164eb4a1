"""What a connection is read through: a TCP socket, bare or under TLS, that says when there is something and gives it without waiting.

Waiting and taking are apart so that a connection holds no buffer while it waits. What is taken goes into a room that the caller has, memory
that stays: memory that is new for each read costs more than what is read. Under TLS it is written through as well.
"""

from __future__ import annotations

import contextlib
import fcntl
import socket
import ssl
import sys
import termios
from typing import Final, Protocol

import trio

from kernel import Room
from listeners.tls_records import FEED, RECORD, Records

UNSENT: Final = 64 << 10
"""Octets that may wait to be sent."""


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
        """No less than the octets that have come and weren't taken, as far as they can be known now."""

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
        return _unread(self._sock)

    def finish(self) -> None:
        _shut_down(self._sock)

    def close(self) -> None:
        self._sock.close()


class TlsChannel:
    """A socket under TLS, read ahead by no more than FEED."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext) -> None:
        self._sock: Final = sock
        self._records: Final = Records(context)
        self._unsent = b""
        self._room_to_send = 1
        self._more = False  # than what was taken may be there
        self._failure: OSError | None = None
        self._writers: Final = trio.Lock()

    @property
    def tls(self) -> ssl.SSLObject:
        """What the handshake came to."""
        return self._records.tls

    def shake_hands(self) -> bool:
        """Whether the handshake is done; else call again when it is readable.

        Raises:
            OSError: it failed, or the connection broke.
        """
        while True:
            try:
                done = self._records.shake_hands()
            except ssl.SSLError:
                with contextlib.suppress(OSError):  # what tells the peer why
                    self._flush()
                raise
            self._flush()
            if done:
                self._more, self._room_to_send = True, UNSENT
            if done or not self._feed(RECORD):
                return done

    async def readable(self) -> None:
        if self._stuffed and self._failure is None:
            await self._writable()
        elif self._more:
            await trio.lowlevel.checkpoint()
        else:
            await trio.lowlevel.wait_readable(self._sock)

    def expect(self, octets: int) -> None:
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, octets)

    def take(self, room: Room, most: int) -> int | None:
        before = len(room)
        if not self._records.ended and self._failure is None:
            try:
                self._flush()
                if not self._stuffed:
                    self._more = self._decrypt(room, most)
                    self._flush()
            except OSError as error:
                self._failure, self._more = error, True
        octets = len(room) - before
        if octets:  # what was read before the end, or before the failure, comes first
            return octets
        if self._failure is not None:
            raise self._failure
        return 0 if self._records.ended else None

    def _decrypt(self, room: Room, most: int) -> bool:
        """Add up to `most` octets to `room`; whether there may be more. Records with little text are no weapon: what is read of the socket is bounded too."""
        records, unread = self._records, 2 * most
        left = most - records.read(room.extend, most)
        while left > 0 and unread > 0 and not records.ended:
            fed = self._feed(min(max(left, RECORD), FEED))
            if not fed:
                return False
            unread -= fed
            left -= records.read(room.extend, left)
        return True

    def _feed(self, most: int) -> int:
        """Read the socket once: how much, 0 where there is nothing; its end counts as one."""
        try:
            data = self._sock.recv(most)
        except BlockingIOError:
            return 0
        self._records.feed(data)
        return len(data) or 1

    async def send(self, octets: bytes) -> None:
        """Write all of it. To be cancelled only where the connection ends.

        Raises:
            OSError: the connection broke; ssl.SSLError among them.
        """
        self._records.write(octets)
        self._flush()
        while self._unsent:
            await self._writable()
            self._flush()

    def _flush(self) -> None:
        self._unsent += self._records.fetch()
        if self._unsent:
            with contextlib.suppress(BlockingIOError):
                self._unsent = self._unsent[self._sock.send(self._unsent) :]

    @property
    def _stuffed(self) -> bool:
        """Whether so much waits to be sent that the peer isn't read: it may make us answer at any time (RFC 8446 section 4.6.3)."""
        return len(self._unsent) >= self._room_to_send

    async def _writable(self) -> None:
        async with self._writers:  # of one socket, one task at a time
            await trio.lowlevel.wait_writable(self._sock)

    def waiting(self) -> int:
        return _unread(self._sock) + FEED + RECORD

    def finish(self) -> None:
        """By TCP alone: whoever looks at the socket, to see whether it ended, would take a close_notify for something that was said."""
        _shut_down(self._sock)

    def close(self) -> None:
        if self._sock.fileno() < 0:
            return
        self._records.close()
        with contextlib.suppress(OSError):  # close_notify for whom it still reaches (RFC 5425 section 4.4); nobody is waited for
            self._flush()
        self._sock.close()


def _unread(sock: socket.socket) -> int:
    """Octets that the kernel has of the peer."""
    return int.from_bytes(fcntl.ioctl(sock, termios.FIONREAD, bytes(4)), sys.byteorder)


def _shut_down(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):  # the peer has gone already
        sock.shutdown(socket.SHUT_WR)
