"""How syslog messages reach a receiver: one datagram each (RFC 5426), or framed on one connection (RFC 6587), with TLS inside or not (RFC 5425).

    transport   a message is                taken means                             lost are
    udp         one datagram                handed to the network                   what the network or a full receiver drops
    tcp, tls    MSG-LEN SP message,         acknowledged by the receiver's system   nothing that is resent: a broken connection fails the attempt, and
                or message LF                                                       what was acknowledged last goes out again first (forwarders.resend_window)

None has an answer of its own, so this is as much as a sender can know. UDP reports a closed port only once the receiver's host
has said so: the error of an earlier datagram is asked for after the last one, and fails the attempt.
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Protocol

import trio

from forwarders.connection import Connection
from forwarders.resend_window import ResendWindow
from pipeline.errors import DeliveryError, Fault
from pipeline.settings import SocketAddress
from wire.syslog_encoding import encode_frame
from wire.syslog_framing import Framing

MAX_DATAGRAM_OCTETS: Final = 65_507
"""The longest UDP payload over IPv4 (RFC 768, RFC 791); a sensor listens on IPv4 alone."""

MAX_FRAME_OCTETS: Final = 9_999_999
"""The longest message whose MSG-LEN has seven digits, which is what receivers follow."""

RESEND_OCTETS: Final = 4 << 20
"""What a receiver's buffer may hold: Linux lets it grow to 6 MiB (tcp_rmem), half of which is overhead."""

REFUSES_US: Final = re.compile("ALERT_.*(?:CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED)")
"""OpenSSL's names of the alerts that are about who we are (RFC 8446 section 6.2)."""


class Sender(Protocol):
    """A way to one receiver. Calls never overlap."""

    @property
    def max_message(self) -> int:
        """The longest message it can send, in octets."""

    async def connect(self) -> None:
        """Get ready, whatever was before.

        Raises:
            DeliveryError: RETRY; `unknown-host`, `refused`, `unreachable`, `tls`. DENIED; `tls-certificate` (theirs), `tls-refused` (ours).
        """

    async def send(self, messages: Sequence[bytes]) -> None:
        """Send all of them, in order.

        Raises:
            DeliveryError: the reasons of `connect`, and `reset`, which is RETRY. Any of the messages may have arrived.
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
    """Frames on one connection, opened again when the receiver ended it; what may not have been read is sent once more first.

    Args:
        address: the receiver's.
        framing: octet counting, or non-transparent for messages without LF.
        tls: makes what to shake hands with, anew for each connection, so that replaced files are heeded; None for plain TCP.
        server_name: what the receiver's certificate has to say; the address' host unless given.
        window: octets to remember that were acknowledged and may not have been read.
        resent: told how many messages were sent again.
    """

    def __init__(
        self,
        address: SocketAddress,
        *,
        framing: Framing = Framing.OCTET_COUNTING,
        tls: Callable[[], ssl.SSLContext] | None = None,
        server_name: str = "",
        window: int = RESEND_OCTETS,
        resent: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._address, self._framing, self._tls, self._server_name = address, framing, tls, server_name
        self._window: Final = ResendWindow(window)
        self._resent: Final = resent
        self._connection: Connection | None = None

    @property
    def max_message(self) -> int:
        return MAX_FRAME_OCTETS

    async def connect(self) -> None:
        with delivery_errors(self._address):
            await self._connected()

    async def _connected(self) -> Connection:
        """The connection as it is, or a new one on which nothing is missing."""
        connection = self._connection
        if connection is not None and not self._has_ended(connection):
            return connection
        await self.close()
        tls = self._tls() if self._tls is not None else None
        connection = self._connection = await Connection.open(self._address, tls, self._server_name)
        while (batch := self._window.next) is not None:
            with self._unsure():
                await connection.send(batch.octets)
                await connection.acknowledged()
                self._window.repeated(trio.current_time())
            self._resent(batch.messages)
        return connection

    def _has_ended(self, connection: Connection) -> bool:
        with self._unsure():
            ended = connection.hear()
            if ended:
                self._window.ended(trio.current_time() - connection.quiet_for())
        return ended

    async def send(self, messages: Sequence[bytes]) -> None:
        with delivery_errors(self._address):
            connection = await self._connected()
            octets = b"".join(encode_frame(message, self._framing) for message in messages)
            with self._unsure():
                await connection.send(octets)
                await connection.acknowledged()
                connection.hear()  # a reset says that what was sent may not have been read
            self._window.acknowledged(octets, len(messages), trio.current_time())

    @contextmanager
    def _unsure(self) -> Iterator[None]:
        """Whatever ends a use of the connection early, the attempt's time limit included: what was acknowledged may not have been read."""
        try:
            yield
        except BaseException:
            self._window.lost()
            raise

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()
        await trio.lowlevel.checkpoint()


@contextmanager
def delivery_errors(address: SocketAddress) -> Iterator[None]:
    """The system's errors as DeliveryError, in one place; all of them may pass but those of certificates, theirs or ours."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise DeliveryError("tls-certificate", Fault.DENIED, detail=f"{address}: {error.verify_message}") from error
    except ssl.SSLError as error:
        refused = REFUSES_US.search(error.reason or "") is not None
        raise DeliveryError("tls-refused" if refused else "tls", Fault.DENIED if refused else Fault.RETRY, detail=f"{address}: {error}") from error
    except trio.socket.gaierror as error:
        raise DeliveryError("unknown-host", Fault.RETRY, detail=f"{address.host}: {error.strerror}") from error
    except ConnectionRefusedError as error:
        raise DeliveryError("refused", Fault.RETRY, detail=str(address)) from error
    except (ConnectionError, trio.BrokenResourceError, trio.ClosedResourceError) as error:
        raise DeliveryError("reset", Fault.RETRY, detail=str(address)) from error
    except OSError as error:
        raise DeliveryError("unreachable", Fault.RETRY, detail=f"{address}: {error}") from error
