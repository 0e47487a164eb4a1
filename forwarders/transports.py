"""How syslog messages reach a receiver: one datagram each (RFC 5426), or octet-counted on one TCP connection (RFC 6587 section 3.4.1).

    transport   a message is         taken means                          lost are
    udp         one datagram         handed to the network                what the network or a full receiver drops
    tcp         MSG-LEN SP message   acknowledged by the receiver's TCP   nothing that is resent: a broken connection fails the attempt

Neither has an answer of its own, so this is as much as a sender can know. UDP reports a closed port only once the receiver's host
has said so: the error of an earlier datagram is asked for after the last one, and fails the attempt.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final, Protocol

import trio

from pipeline.errors import DeliveryError, Fault
from pipeline.settings import SocketAddress

MAX_DATAGRAM_OCTETS: Final = 65_507
"""The longest UDP payload over IPv4 (RFC 768, RFC 791); a sensor listens on IPv4 alone."""

MAX_FRAME_OCTETS: Final = 9_999_999
"""The longest message whose MSG-LEN has seven digits, which is what receivers follow."""

FIRST_WAIT_S: Final = 0.000_5
LONGEST_WAIT_S: Final = 0.05


class Sender(Protocol):
    """A way to one receiver. Calls never overlap."""

    @property
    def max_message(self) -> int:
        """The longest message it can send, in octets."""

    async def connect(self) -> None:
        """Get ready, whatever was before.

        Raises:
            DeliveryError: RETRY; `unknown-host`, `refused`, `unreachable`.
        """

    async def send(self, messages: Sequence[bytes]) -> None:
        """Send all of them, in order.

        Raises:
            DeliveryError: RETRY; the reasons of `connect`, and `reset`. Any of the messages may have arrived.
        """

    async def close(self) -> None:
        """Let go."""


async def connect_datagrams(address: SocketAddress) -> trio.socket.SocketType:
    """A UDP socket that sends to one address and hears nobody else; over IPv4 where there is a choice.

    Raises:
        DeliveryError: RETRY; `unknown-host`, `unreachable`.
    """
    with delivery_errors(address):
        found = await trio.socket.getaddrinfo(address.host, address.port, type=trio.socket.SOCK_DGRAM)
        family, kind, protocol, _, resolved = min(found, key=lambda info: info[0] != trio.socket.AF_INET)
        opened = trio.socket.socket(family, kind, protocol)
        try:
            await opened.connect(resolved)
        except BaseException:
            opened.close()
            raise
    return opened


class UdpSender:
    """Datagrams to one address."""

    def __init__(self, address: SocketAddress) -> None:
        self._address: Final = address
        self._socket: trio.socket.SocketType | None = None

    @property
    def max_message(self) -> int:
        return MAX_DATAGRAM_OCTETS

    async def connect(self) -> None:
        await self._connected()

    async def _connected(self) -> trio.socket.SocketType:
        await self.close()
        self._socket = await connect_datagrams(self._address)
        return self._socket

    async def send(self, messages: Sequence[bytes]) -> None:
        connected = self._socket or await self._connected()
        with delivery_errors(self._address):
            for message in messages:
                await connected.send(message)
            pending = connected.getsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_ERROR)
            if pending:
                raise OSError(pending, os.strerror(pending))

    async def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        await trio.lowlevel.checkpoint()


class TcpSender:
    """Octet-counted frames on one connection, opened again when the receiver ended it."""

    def __init__(self, address: SocketAddress) -> None:
        self._address: Final = address
        self._stream: trio.SocketStream | None = None

    @property
    def max_message(self) -> int:
        return MAX_FRAME_OCTETS

    async def connect(self) -> None:
        await self._connected()

    async def _connected(self) -> trio.SocketStream:
        await self.close()
        with delivery_errors(self._address):
            opened = await trio.open_tcp_stream(self._address.host, self._address.port)
            opened.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_KEEPALIVE, 1)
        self._stream = opened
        return opened

    async def send(self, messages: Sequence[bytes]) -> None:
        with delivery_errors(self._address):
            stream = self._stream
            if stream is None or _has_ended(stream):
                stream = await self._connected()
            await stream.send_all(b"".join(b"%d %s" % (len(message), message) for message in messages))
            await _acknowledged(stream)
            _has_ended(stream)  # a reset says that what was sent may not have been read; an orderly end doesn't

    async def close(self) -> None:
        if self._stream is not None:
            await trio.aclose_forcefully(self._stream)
            self._stream = None
        await trio.lowlevel.checkpoint()


def _has_ended(stream: trio.SocketStream) -> bool:
    """Whether the receiver has closed its side; what it says otherwise is nobody's.

    Raises:
        OSError: the connection was reset.
    """
    with suppress(BlockingIOError):
        while octets := os.read(stream.socket.fileno(), 4096):
            del octets
        return True
    return False


async def _acknowledged(stream: trio.SocketStream) -> None:
    """Return once the receiver's TCP has acknowledged all that was sent, where the system can tell."""
    if sys.platform != "linux":
        return
    import fcntl  # noqa: PLC0415 - exists on POSIX alone
    import termios  # noqa: PLC0415 - exists on POSIX alone

    wait = FIRST_WAIT_S
    while any(fcntl.ioctl(stream.socket.fileno(), termios.TIOCOUTQ, bytes(4))):  # SIOCOUTQ of tcp(7)
        await trio.sleep(wait)
        wait = min(2 * wait, LONGEST_WAIT_S)


@contextmanager
def delivery_errors(address: SocketAddress) -> Iterator[None]:
    """The system's errors as DeliveryError, in one place; all of them may pass."""
    try:
        yield
    except trio.socket.gaierror as error:
        raise DeliveryError("unknown-host", Fault.RETRY, detail=f"{address.host}: {error.strerror}") from error
    except ConnectionRefusedError as error:
        raise DeliveryError("refused", Fault.RETRY, detail=str(address)) from error
    except (ConnectionError, trio.BrokenResourceError, trio.ClosedResourceError) as error:
        raise DeliveryError("reset", Fault.RETRY, detail=str(address)) from error
    except OSError as error:
        raise DeliveryError("unreachable", Fault.RETRY, detail=f"{address}: {error}") from error
