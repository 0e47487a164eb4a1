"""What a connection is read through: a TCP socket, bare or under TLS, that says when there is something and gives it without waiting.

Waiting and taking are apart so that a connection holds no buffer while it waits, and takes a large one only in its turn. trio.SSLStream
would copy every octet through a memory BIO, in pieces of one TLS record each; OpenSSL reads the socket itself here.
Under TLS it is written through as well.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from typing import Final, Protocol

import trio


class Channel(Protocol):
    """One connection's octets."""

    async def readable(self) -> None:
        """Return when `take` may have something."""

    def take(self, most: int) -> bytes | None:
        """Up to `most` octets (a little more under TLS), b"" at the end of the stream, None when there is nothing just now.

        Raises:
            OSError: the connection broke; ssl.SSLError among them.
        """

    def waiting(self) -> int:
        """No less than the octets the kernel may hold for us."""

    def close(self) -> None:
        """End the connection."""


class TcpChannel:
    """A bare socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock: Final = sock

    async def readable(self) -> None:
        await trio.lowlevel.wait_readable(self._sock)

    def take(self, most: int) -> bytes | None:
        try:
            return self._sock.recv(most)
        except BlockingIOError:
            return None

    def waiting(self) -> int:
        return self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)

    def close(self) -> None:
        self._sock.close()


class TlsChannel:
    """A socket under TLS, its handshake done."""

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self._sock: Final = sock
        self._wants_write = False
        self._failure: OSError | None = None
        self._ended = False
        self._room: Final = trio.Lock()
        self._turn: Final = trio.Lock()

    async def readable(self) -> None:
        if self._ended or self._failure is not None or self._sock.pending():
            await trio.lowlevel.checkpoint()
        elif self._wants_write:  # a peer may change keys at any time, and OpenSSL answers before it reads on (RFC 8446 section 4.6.3)
            await self._writable()
        else:
            await trio.lowlevel.wait_readable(self._sock)

    def take(self, most: int) -> bytes | None:
        records, octets = list[bytes](), 0
        while octets < most and not self._ended:
            try:
                record = self._record()
            except OSError as error:
                self._failure = error
                break
            if record is None:
                break
            self._ended = not record
            records.append(record)
            octets += len(record)
        if octets:  # what was read before the end, or before the failure, comes first
            return b"".join(records)
        if self._failure is not None:
            raise self._failure
        return b"" if self._ended else None

    def _record(self) -> bytes | None:
        """The text of one TLS record, b"" at the end of the stream (with or without close_notify), None when there is none just now."""
        if self._failure is not None:
            raise self._failure
        self._wants_write = False
        try:
            return self._sock.recv(16 << 10)  # a record's most (RFC 8446 section 5.1)
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
        async with self._room:  # of one socket, one task at a time
            await trio.lowlevel.wait_writable(self._sock)

    def waiting(self) -> int:
        return self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)

    def close(self) -> None:
        with contextlib.suppress(OSError):  # close_notify for whom it still reaches (RFC 5425 section 4.4); nobody is waited for
            self._sock.unwrap()
        self._sock.close()
