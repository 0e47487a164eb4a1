"""Ways to whoever is asked by `tidegate check --connect`: a connection, through a proxy's CONNECT (RFC 9110 section 9.3.6) or not, TLS on it, datagrams.

Every failure becomes an AskError in the words of WORDS. What comes back is bounded: a proxy's answer in octets and in interim answers, a datagram in
octets; how long anything may take is the caller's business.
"""

from __future__ import annotations

import base64
import errno
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import h11
import trio

from forwarders.http.client import make_context
from forwarders.http.settings import ClientTls, ProxySettings
from pipeline.errors import DeliveryError, GatewayError, leaves
from pipeline.settings import SocketAddress

READ_OCTETS: Final = 4096
HEAD_OCTETS: Final = 16 << 10
INTERIM_ANSWERS: Final = 8
DATAGRAM_OCTETS: Final = 4096
AGAIN_S: Final = 1.0
PORTS: Final = {"http": 80, "https": 443}
OLD_TLS: Final = frozenset({"UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "NO_PROTOCOLS_AVAILABLE", "UNKNOWN_PROTOCOL"})
NO_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"})
PROXY_FIXES: Final = {
    401: "set username and password of the proxy",
    403: "allow this destination on the proxy",
    405: "this proxy has no CONNECT: name another, or allow it for this port",
    407: "set username and password of the proxy (Basic; it may want another way, Kerberos or NTLM, which sensors don't speak either)",
    502: "the proxy can't reach it: let the proxy through",
    503: "the proxy can't reach it: let the proxy through",
    504: "the proxy can't reach it: let the proxy through",
}


ASK_DNS: Final = "see whether the name is right, and let this machine ask a DNS server that knows it"
SYSTEM_ERRORS: Final = (OSError, trio.BrokenResourceError, trio.ClosedResourceError, UnicodeError)
"""UnicodeError is a name that can't be spelled in IDNA."""


class AskError(GatewayError):
    """A question got a "no".

    Args:
        why: what happened.
        fix: what to do about it, where that is known better here than by whoever asked.
    """

    def __init__(self, why: str, fix: str = "") -> None:
        super().__init__(why)
        self.why, self.fix = why, fix


class UnbelievedError(AskError):
    """A server's certificate isn't believed."""


@dataclass(frozen=True, slots=True)
class Way:
    """How somebody is reached.

    address:  of whoever is asked.
    proxy:    on the way there.
    """

    address: SocketAddress
    proxy: ProxySettings | None = None


@asynccontextmanager
async def connected(way: Way) -> AsyncIterator[trio.abc.Stream]:
    """A connection, closed afterwards.

    Raises:
        AskError: there is none to be had.
    """
    with asking():
        stream: trio.abc.Stream = await trio.open_tcp_stream(*way.address) if way.proxy is None else await _tunnel(way.proxy, way.address)
    try:
        yield stream
    finally:
        await trio.aclose_forcefully(stream)


@asynccontextmanager
async def secured(way: Way, context: ssl.SSLContext, host: str) -> AsyncIterator[trio.SSLStream[trio.abc.Stream]]:
    """A connection with TLS on it, closed afterwards.

    Raises:
        UnbelievedError: the certificate isn't believed, or is somebody else's.
        AskError: it can't be had otherwise.
    """
    async with connected(way) as stream:
        secure = trio.SSLStream(stream, context, server_hostname=host, https_compatible=True)
        with asking():
            await secure.do_handshake()
        yield secure


async def exchange(address: SocketAddress, request: Callable[[], bytes], accept: Callable[[bytes], bool] = bool) -> bytes:
    """The first datagram that `accept` takes; `request` is asked what to send each second until there is one.

    Raises:
        AskError: it can't be sent, or nobody listens there.
    """
    with asking():
        found = await trio.socket.getaddrinfo(*address, type=trio.socket.SOCK_DGRAM)
        family, kind, protocol, _, resolved = min(found, key=lambda info: info[0] != trio.socket.AF_INET)
        with trio.socket.socket(family, kind, protocol) as sock:
            await sock.connect(resolved)
            while True:
                await sock.send(request())
                with trio.move_on_after(AGAIN_S):
                    while True:
                        octets = await sock.recv(DATAGRAM_OCTETS)
                        if accept(octets):
                            return octets


async def fetch_status(stream: trio.abc.Stream, request: h11.Request) -> int:
    """The status that a request without a body is answered with; the answer's body isn't read.

    Raises:
        AskError: what answers doesn't speak HTTP.
    """
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_OCTETS)
    try:
        with asking():
            await stream.send_all((connection.send(request) or b"") + (connection.send(h11.EndOfMessage()) or b""))
            for _ in range(INTERIM_ANSWERS):
                while (event := connection.next_event()) is h11.NEED_DATA:
                    connection.receive_data(bytes(await stream.receive_some(READ_OCTETS)))
                if isinstance(event, h11.Response):
                    return int(event.status_code)
    except h11.RemoteProtocolError as error:
        raise AskError("what answers doesn't speak HTTP, or ends without an answer") from error
    raise AskError("only interim answers came")


def client_context(tls: ClientTls) -> ssl.SSLContext:
    """Our side of a handshake.

    Raises:
        AskError: a file can't be used.
    """
    try:
        return make_context(tls)
    except DeliveryError as error:
        raise AskError(error.detail, "give PEM files that this user can read") from error


async def _tunnel(proxy: ProxySettings, address: SocketAddress) -> trio.abc.Stream:
    stream = await _reach(proxy)
    try:
        headers = [("host", str(address))]
        if proxy.username is not None and proxy.password is not None:
            both = proxy.username.encode() + b":" + proxy.password.get_secret_value()
            headers.append(("proxy-authorization", f"Basic {base64.b64encode(both).decode()}"))
        status = await fetch_status(stream, h11.Request(method="CONNECT", target=str(address), headers=headers))
        if status // 100 != 2:  # noqa: PLR2004 - RFC 9110: successful
            raise AskError(f"the proxy answers {status}", PROXY_FIXES.get(status, "look at the proxy's log"))  # noqa: TRY301 - it closes as all others do
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise
    return stream


async def _reach(proxy: ProxySettings) -> trio.abc.Stream:
    """A connection to the proxy itself."""
    parts = urlsplit(proxy.url)
    host, stream = parts.hostname or "", None
    try:
        stream = await trio.open_tcp_stream(host, parts.port or PORTS[parts.scheme])
        if parts.scheme == "http":
            return stream
        secure = trio.SSLStream(stream, client_context(ClientTls(ca=proxy.ca)), server_hostname=host, https_compatible=True)
        await secure.do_handshake()
    except BaseException as error:
        if stream is not None:
            await trio.aclose_forcefully(stream)
        if isinstance(error, SYSTEM_ERRORS):
            raise AskError(f"the proxy {parts.netloc}: {words(error)}", "see whether [check] proxy, or the forwarder's, is right") from error
        raise
    return secure


@contextmanager
def asking() -> Iterator[None]:
    """Errors of the system and of TLS as AskError."""
    try:
        yield
    except SYSTEM_ERRORS as error:
        causes = list(_causes(error))
        kind = UnbelievedError if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes) else AskError
        unknown = any(isinstance(cause, socket.gaierror | UnicodeError) for cause in causes)
        raise kind(words(error), ASK_DNS if unknown else "") from error


WORDS: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (socket.gaierror, "its name can't be resolved"),
    (UnicodeError, "its name can't be resolved"),
    (ConnectionRefusedError, "refused: nothing listens there, or a firewall says no"),
    (ConnectionError, "it closes the connection"),
    (TimeoutError, "no answer"),
    (trio.BrokenResourceError, "it closes the connection"),
)
UNREACHABLE: Final = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL})


def words(error: BaseException) -> str:
    """What happened, by the cause that says most."""
    causes = list(_causes(error))
    said = [_tls_words(cause) for cause in causes if isinstance(cause, ssl.SSLError)]
    said += [text for kind, text in WORDS if any(isinstance(cause, kind) for cause in causes)]
    said += ["there is no way there from this machine" for cause in causes if isinstance(cause, OSError) and cause.errno in UNREACHABLE]
    return next(filter(None, said), str(error) or type(error).__name__)


def _tls_words(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate isn't believed: {error.verify_message}"
    if isinstance(error, ssl.SSLEOFError):
        return "it closes the connection during TLS's handshake, as some firewalls do"
    if error.reason in OLD_TLS:
        return "it doesn't speak TLS 1.2 or later"
    if error.reason in NO_TLS:
        return "what answers doesn't speak TLS"
    return f"TLS failed: {(error.reason or str(error)).lower().replace('_', ' ')}"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what led to it, groups opened."""
    while error is not None:
        yield from leaves(error)
        error = error.__cause__
