"""The sending ends of simulated syslog: one per transport, each taking many messages at once.

UDP (RFC 5426): one message per datagram, handed to the kernel as fast as its buffer takes them; what doesn't fit a datagram is
counted, not sent. TCP (RFC 6587) and TLS (RFC 5425): framed messages joined into large writes. An orderly end waits for the
receiver to close too: closing first, with something of the peer's unread, would reset the connection and lose its tail.
"""

from __future__ import annotations

import errno
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final, Protocol

import trio

from gateway.simulate.target import Target
from pipeline.errors import DeliveryError, Fault
from pipeline.model import Transport

MAX_DATAGRAM: Final = 65_507  # RFC 768 over RFC 791: 65,535 less both headers
SEND_BUFFER: Final = 4 << 20
CLOSE_DEADLINE_S: Final = 5.0
UNREACHABLE: Final = frozenset({errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH})


class Sender(Protocol):
    """An open way to a receiver.

    max_message:  octets of the longest message it takes.
    """

    max_message: int

    async def send(self, messages: Sequence[bytes]) -> None:
        """Send all of them.

        Raises:
            DeliveryError: the receiver is gone.
        """


class DatagramSender:
    """A connected UDP socket, not blocking: the task waits only where the kernel's buffer is full."""

    max_message = MAX_DATAGRAM

    def __init__(self, connected: socket.socket) -> None:
        self._socket: Final = connected

    async def send(self, messages: Sequence[bytes]) -> None:
        """Send each as a datagram. That nobody listens (ICMP port unreachable) is known a datagram or two late."""
        await trio.lowlevel.checkpoint()
        for message in messages:
            await self._send_one(message)

    async def _send_one(self, message: bytes) -> None:
        while True:
            try:
                self._socket.send(message)
            except BlockingIOError:
                await trio.lowlevel.wait_writable(self._socket)
            except OSError as error:
                raise _lost(error) from error
            else:
                return


class StreamSender:
    """A TCP connection, or TLS over one."""

    max_message = sys.maxsize

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream: Final = stream

    async def send(self, messages: Sequence[bytes]) -> None:
        """Send all of them in one write."""
        try:
            await self._stream.send_all(b"".join(messages))
        except trio.BrokenResourceError as error:
            raise _lost(error.__cause__ or error) from error


@asynccontextmanager
async def open_sender(target: Target, tls: ssl.SSLContext | None = None) -> AsyncIterator[Sender]:
    """A sender for the time of the block; leaving it without an error ends the conversation in order.

    Args:
        target: where to.
        tls: for a tls:// target; the system's authorities if None.

    Raises:
        DeliveryError: the name isn't known, nobody answers there, or the TLS handshake failed.
    """
    match target.transport:
        case Transport.UDP:
            with await _connect_datagram(target) as connected:
                yield DatagramSender(connected)
        case Transport.TLS:
            async with _connect_stream(target) as stream:
                encrypted = await _handshake(stream, target, tls)
                yield StreamSender(encrypted)
                with trio.move_on_after(CLOSE_DEADLINE_S), suppress(trio.BrokenResourceError):
                    await encrypted.unwrap()
        case _:
            async with _connect_stream(target) as stream:
                yield StreamSender(stream)


async def _connect_datagram(target: Target) -> socket.socket:
    try:
        family, kind, protocol, _, address = (await trio.socket.getaddrinfo(target.host, target.port, type=socket.SOCK_DGRAM))[0]
    except OSError as error:
        raise _unknown(target, error) from error
    connected = socket.socket(family, kind, protocol)
    try:
        connected.setblocking(False)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        connected.connect(address)  # of a datagram socket: says where to, and returns at once
    except OSError as error:
        connected.close()
        raise _lost(error) from error
    return connected


@asynccontextmanager
async def _connect_stream(target: Target) -> AsyncIterator[trio.SocketStream]:
    try:
        stream = await trio.open_tcp_stream(target.host, target.port)
    except socket.gaierror as error:
        raise _unknown(target, error) from error
    except OSError as error:
        raise DeliveryError("connect", Fault.RETRY, detail=f"{target}: {_say(error)}") from error
    try:
        yield stream
        with trio.move_on_after(CLOSE_DEADLINE_S), suppress(trio.BrokenResourceError):
            await stream.send_eof()
            while await stream.receive_some(65_536):
                pass
    finally:
        await trio.aclose_forcefully(stream)


async def _handshake(stream: trio.SocketStream, target: Target, tls: ssl.SSLContext | None) -> trio.SSLStream[trio.SocketStream]:
    encrypted = trio.SSLStream(stream, tls or ssl.create_default_context(), server_hostname=target.host)
    try:
        await encrypted.do_handshake()
    except (trio.BrokenResourceError, ssl.SSLError) as error:
        raise DeliveryError("tls-handshake", Fault.REFUSED, detail=f"{target}: {error.__cause__ or error}") from error
    return encrypted


def _unknown(target: Target, error: OSError) -> DeliveryError:
    return DeliveryError("unknown-host", Fault.RETRY, detail=f"{target}: {_say(error)}")


def _lost(error: BaseException) -> DeliveryError:
    return DeliveryError("refused" if isinstance(error, OSError) and error.errno in UNREACHABLE else "connection-lost", Fault.RETRY, detail=_say(error))


def _say(error: BaseException) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
