"""One TCP connection to a receiver that has nothing to say, with TLS inside where it is asked for: send, and learn what became of it.

    what                   how it is known (Linux; elsewhere what was handed to the kernel counts)
    acknowledged           the send queue is empty (SIOCOUTQ, tcp(7)): the receiver's system has it all
    ended in good order    FIN, or TLS's close_notify: a system that closes a socket with something unread in it sends RST instead
    broken                 RST, in whatever state it came (TCP_INFO says closed)

What the receiver says is read and forgotten, so that its end is seen. TLS is done in memory (`ssl.MemoryBIO`), because an end has to be looked for
without waiting for it. In TLS 1.3 a server judges our certificate after our side of the handshake is done (RFC 8446 section 2): its first words, the
tickets that servers send, are waited for a moment.
"""

from __future__ import annotations

import os
import ssl
import struct
import sys
from contextlib import suppress
from typing import Final, Self

import trio

from pipeline.settings import SocketAddress

FIRST_WAIT_S: Final = 0.000_5
LONGEST_WAIT_S: Final = 0.05
FIRST_WORDS_S: Final = 0.5
GOODBYE_S: Final = 1.0

READ_OCTETS: Final = 1 << 16
MOST_READS: Final = 64
"""A receiver that never stops talking must not keep us from sending."""

TCP_CLOSE: Final = 7
LAST_ACK_RECV: Final = struct.Struct("=56xI")
"""tcpi_last_ack_recv of struct tcp_info (linux/tcp.h): ms since the last segment came."""


class Connection:
    """An open connection. Calls never overlap."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream: Final = stream
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls: ssl.SSLObject | None = None
        self._ended = False

    @classmethod
    async def open(cls, address: SocketAddress, tls: ssl.SSLContext | None = None, server_name: str = "") -> Self:
        """Connect, and shake hands.

        Args:
            address: the receiver's.
            tls: what to shake hands with; None for plain TCP.
            server_name: what its certificate has to say; the address' host unless given.

        Raises:
            OSError: it can't be reached, or it broke off; ssl.SSLError, which is one, if they don't agree.
        """
        opened = cls(await trio.open_tcp_stream(address.host, address.port))
        try:
            opened._stream.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_KEEPALIVE, 1)
            if tls is not None:
                await opened._shake_hands(tls, server_name or address.host)
        except BaseException:
            await trio.aclose_forcefully(opened._stream)
            raise
        return opened

    async def _shake_hands(self, context: ssl.SSLContext, server_name: str) -> None:
        tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                await self._flush()
                octets = await self._stream.receive_some(READ_OCTETS)
                if not octets:
                    raise ConnectionResetError("the receiver ended the connection during TLS's handshake") from None
                self._incoming.write(octets)
            except ssl.SSLError:
                with suppress(trio.BrokenResourceError):
                    await self._flush()  # the alert that says why
                raise
        self._tls = tls
        await self._flush()
        if tls.version() == "TLSv1.3":
            with trio.move_on_after(FIRST_WORDS_S):
                await trio.lowlevel.wait_readable(self._stream.socket)
            if self.hear():
                raise ConnectionResetError("the receiver ended the connection behind TLS's handshake")

    async def send(self, octets: bytes) -> None:
        """Hand over to the kernel.

        Raises:
            OSError, trio.BrokenResourceError: the connection is broken; any of it may have arrived.
        """
        if self._tls is None:
            await self._stream.send_all(octets)
            return
        view = memoryview(octets)
        for at in range(0, len(view), READ_OCTETS):
            self._tls.write(view[at : at + READ_OCTETS])
            await self._flush()

    async def _flush(self) -> None:
        if self._outgoing.pending:
            await self._stream.send_all(self._outgoing.read())

    async def acknowledged(self) -> None:
        """Return once the receiver's system has everything, where ours can tell.

        Raises:
            OSError: the connection broke before.
        """
        wait = FIRST_WAIT_S
        while self._unacknowledged():
            self.hear()
            self._see_broken()
            await trio.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT_S)

    def hear(self) -> bool:
        """Read and forget what the receiver said, without waiting. True once it has ended the connection in good order.

        Raises:
            OSError: the connection is broken; ssl.SSLError with the receiver's alert.
        """
        broken: OSError | None = None
        try:
            self._read()
        except BlockingIOError:
            pass
        except OSError as error:
            broken = error
        if self._tls is not None:
            self._decrypt(self._tls)  # an alert says more than the RST behind it
        if broken is not None:
            raise broken
        if self._ended:
            self._see_broken()
        return self._ended

    def _read(self) -> None:
        for _ in range(MOST_READS):
            octets = os.read(self._stream.socket.fileno(), READ_OCTETS)
            if not octets:
                self._ended = True
                return
            if self._tls is not None:
                self._incoming.write(octets)

    def _decrypt(self, tls: ssl.SSLObject) -> None:
        try:
            while tls.read(READ_OCTETS):
                pass
        except ssl.SSLWantReadError:
            return
        except ssl.SSLZeroReturnError:
            self._ended = True

    def quiet_for(self) -> float:
        """Seconds since anything came from the receiver's system, its end included; 0.0 where nobody can tell."""
        if sys.platform != "linux":
            return 0.0
        info = self._stream.socket.getsockopt(trio.socket.IPPROTO_TCP, trio.socket.TCP_INFO, LAST_ACK_RECV.size)
        return float(LAST_ACK_RECV.unpack(info)[0]) / 1000

    def _unacknowledged(self) -> bool:
        if sys.platform != "linux":
            return False
        import fcntl  # noqa: PLC0415 - exists on POSIX alone
        import termios  # noqa: PLC0415 - exists on POSIX alone

        return any(fcntl.ioctl(self._stream.socket.fileno(), termios.TIOCOUTQ, bytes(4)))  # SIOCOUTQ of tcp(7)

    def _see_broken(self) -> None:
        """An RST behind a FIN shows in the connection's state alone."""
        if sys.platform == "linux" and self._stream.socket.getsockopt(trio.socket.IPPROTO_TCP, trio.socket.TCP_INFO, 1)[0] == TCP_CLOSE:
            raise ConnectionResetError("the receiver broke the connection")

    async def close(self) -> None:
        """Let go; with a close_notify if there is room for it."""
        if self._tls is not None:
            with trio.move_on_after(GOODBYE_S), suppress(OSError, trio.BrokenResourceError, trio.ClosedResourceError):
                with suppress(ssl.SSLError):
                    self._tls.unwrap()
                await self._flush()
        await trio.aclose_forcefully(self._stream)
