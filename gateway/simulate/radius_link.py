"""How a simulated client reaches its accounting server: a UDP socket (RFC 2866), or a TLS connection (RADSEC, RFC 6614), each taking many packets at once."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final, Protocol

import trio

from pipeline.errors import ConfigError, DeliveryError, Fault, FramingError
from wire.radius.packet import MAX_LENGTH, scan_packets

ACCOUNTING_PORT: Final = 1813  # RFC 2866 section 3
RADSEC_PORT: Final = 2083  # RFC 6614 section 2.1
RADSEC_SECRET: Final = b"radsec"  # RFC 6614 section 2.3
LAST_PORT: Final = 65535
BUFFER: Final = 4 << 20
READ: Final = 65_536
CLOSE_DEADLINE_S: Final = 5.0
BURST: Final = 256
"""Datagrams that are received before anything else gets its turn."""

_SERVER: Final = re.compile(r"(udp|radsec)://(?:\[([0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|([^:/\[\]\s]+))(?::([0-9]{1,5}))?/?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Server:
    """An accounting server: whether over TLS, host as a name or an IP literal without brackets, port 1 to 65535."""

    radsec: bool
    host: str
    port: int

    def __str__(self) -> str:
        scheme = "radsec" if self.radsec else "udp"
        return f"{scheme}://[{self.host}]:{self.port}" if ":" in self.host else f"{scheme}://{self.host}:{self.port}"


def parse_server(text: str) -> Server:
    """`udp://127.0.0.1:1813` or `radsec://gw.contoso.example` to a Server; without a port it is the transport's own.

    Raises:
        ConfigError: it isn't such an address.
    """
    found = _SERVER.fullmatch(text)
    if found is None or not 0 < int(found[4] or 1) <= LAST_PORT:
        raise ConfigError(f"target {text!r}", "not an address of a RADIUS server", "write udp://HOST:PORT or radsec://HOST:PORT")
    radsec = found[1] == "radsec"
    return Server(radsec, found[2] or found[3], int(found[4]) if found[4] else RADSEC_PORT if radsec else ACCOUNTING_PORT)


class Link(Protocol):
    """An open way to a server."""

    async def send(self, packets: Sequence[bytes]) -> None:
        """Send all of them.

        Raises:
            DeliveryError: the server is gone, of a connection.
        """

    async def receive(self) -> Sequence[bytes]:
        """What came, at least one packet; wait for it.

        Raises:
            DeliveryError: as above.
        """


class DatagramLink:
    """A connected UDP socket: nothing it does can fail for longer than the moment, since who isn't there now may be in a second."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket: Final = connected

    async def send(self, packets: Sequence[bytes]) -> None:
        """Hand them to the kernel; an error of an earlier one (ICMP port unreachable) is told by the next and is none of it, so it is sent again at once."""
        await trio.lowlevel.checkpoint()
        for packet in packets:
            while True:
                try:
                    self._socket.send(packet)
                except BlockingIOError:
                    await trio.lowlevel.wait_writable(self._socket)
                    continue
                except OSError:
                    with suppress(OSError):  # it is as lost as any datagram may be
                        self._socket.send(packet)
                break

    async def receive(self) -> Sequence[bytes]:
        """Wait, then drain."""
        packets: list[bytes] = []
        while not packets:
            await trio.lowlevel.wait_readable(self._socket)
            while len(packets) < BURST:
                try:
                    packets.append(self._socket.recv(MAX_LENGTH))
                except OSError:  # nothing more is there, or this tells of an earlier datagram that nobody took
                    break
        return packets


class StreamLink:
    """A TLS connection; packets follow one another, cut by their Length (RFC 6613 section 2.6.4)."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream: Final = stream
        self._buffer = b""

    async def send(self, packets: Sequence[bytes]) -> None:
        """In one write."""
        if not packets:
            return
        try:
            await self._stream.send_all(b"".join(packets))
        except trio.BrokenResourceError as error:
            raise DeliveryError("connection-lost", Fault.RETRY, detail=str(error.__cause__ or error)) from error

    async def receive(self) -> Sequence[bytes]:
        """The whole packets that came."""
        while True:
            try:
                read = await self._stream.receive_some(READ)
            except trio.BrokenResourceError as error:
                raise DeliveryError("connection-lost", Fault.RETRY, detail=str(error.__cause__ or error)) from error
            if not read:
                raise DeliveryError("connection-closed", Fault.RETRY, detail="the server closed the connection")
            self._buffer += read
            try:
                spans, rest = scan_packets(self._buffer)
            except FramingError as error:
                raise DeliveryError(error.rule, Fault.RETRY, detail="the server sent no RADIUS") from error
            packets = [self._buffer[start:end] for start, end in spans]
            self._buffer = self._buffer[rest:]
            if packets:
                return packets


@asynccontextmanager
async def open_link(server: Server, *, tls: ssl.SSLContext | None = None, source: str | None = None) -> AsyncIterator[Link]:
    """A link for the time of the block.

    Args:
        server: where to.
        tls: for radsec, with the client's certificate.
        source: local address to send from; the system chooses if None.

    Raises:
        DeliveryError: the name isn't known, nobody answers there, or the TLS handshake failed.
    """
    if server.radsec:
        async with _connect(server, tls or ssl.create_default_context(), source) as stream:
            yield StreamLink(stream)
    else:
        with await _open_datagrams(server, source) as connected:
            yield DatagramLink(connected)


async def _open_datagrams(server: Server, source: str | None) -> socket.socket:
    try:
        family, kind, protocol, _, address = (await trio.socket.getaddrinfo(server.host, server.port, type=socket.SOCK_DGRAM))[0]
    except OSError as error:
        raise DeliveryError("unknown-host", Fault.RETRY, detail=f"{server}: {_say(error)}") from error
    connected = socket.socket(family, kind, protocol)
    try:
        connected.setblocking(False)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        if source is not None:
            connected.bind((source, 0))
        connected.connect(address)  # of a datagram socket: says where to, and returns at once
    except OSError as error:
        connected.close()
        raise DeliveryError("connect", Fault.REFUSED, detail=f"{server}: {_say(error)}") from error
    return connected


@asynccontextmanager
async def _connect(server: Server, tls: ssl.SSLContext, source: str | None) -> AsyncIterator[trio.abc.Stream]:
    try:
        stream = await trio.open_tcp_stream(server.host, server.port, local_address=source)
    except socket.gaierror as error:
        raise DeliveryError("unknown-host", Fault.RETRY, detail=f"{server}: {_say(error)}") from error
    except OSError as error:
        raise DeliveryError("connect", Fault.RETRY, detail=f"{server}: {_say(error)}") from error
    encrypted = trio.SSLStream(stream, tls, server_hostname=server.host)
    try:
        try:
            await encrypted.do_handshake()
        except (trio.BrokenResourceError, ssl.SSLError) as error:
            raise DeliveryError("tls-handshake", Fault.RETRY, detail=f"{server}: {error.__cause__ or error}") from error
        yield encrypted
        with trio.move_on_after(CLOSE_DEADLINE_S), suppress(trio.BrokenResourceError):
            await encrypted.unwrap()
    finally:
        await trio.aclose_forcefully(stream)


def _say(error: OSError) -> str:
    return error.strerror or str(error)
