"""The HTTP client beneath every profile: one request at a time, one bounded answer, every failure a DeliveryError.

    no redirect is followed            what is sent there, credentials included, was meant for somebody else
    no environment is heeded           HTTPS_PROXY, SSL_CERT_FILE, .netrc: the configuration says it all
    an answer's body ends              at a limit of octets or seconds; its status counts all the same
    nothing is decoded beneath         encoded answers aren't asked for, and are bounded where they come (`Answer.text`)
    a certificate that isn't believed  is DENIED: nothing is sent, the operator has to look

TLS and proxies are made anew by every `open`, so that a file that was replaced is heeded after the failure it explains.
"""

from __future__ import annotations

import gzip
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx2
import trio

from forwarders.http.answer import Answer, retry_after, what_it_says, words
from forwarders.http.settings import ClientTls, HttpSettings, ProxySettings
from pipeline.errors import DeliveryError, Fault, leaves
from pipeline.settings import Secret

BODY_OCTETS: Final = 64 << 10
BODY_SECONDS: Final = 10.0
IDLE_SECONDS: Final = 30.0
COOKIES: Final = 16
COMPRESSION_LEVEL: Final = 1
PORTS: Final = {"http": 80, "https": 443}
AUTHENTICATION_REQUIRED: Final = "407"

HEADERS: Final = {"user-agent": "tidegate", "accept-encoding": "identity"}


REASONS: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (httpx2.ProxyError, "proxy"),
    (ssl.SSLError, "tls"),
    (trio.socket.gaierror, "unknown-host"),
    (ConnectionRefusedError, "refused"),
    (httpx2.TimeoutException, "timeout"),
    (httpx2.ProtocolError, "protocol"),
    (ConnectionError, "reset"),
    (httpx2.ReadError, "reset"),
    (httpx2.WriteError, "reset"),
    (trio.BrokenResourceError, "reset"),
)


class Client:
    """Requests to one server, one after the other; opened before the first.

    Args:
        tls: whose certificates are believed.
        proxy: on the way; None for none.
        timeout: seconds that one step of a request may take; the attempt as a whole has its own limit.
        clock: seconds since the Unix epoch, for a Retry-After that names a time.
        secrets: what no error may repeat.
    """

    def __init__(
        self,
        tls: ClientTls,
        proxy: ProxySettings | None,
        timeout: float,
        *,
        clock: Callable[[], float],
        secrets: Iterable[Secret | None] = (),
    ) -> None:
        self._tls, self._proxy, self._timeout, self._clock = tls, proxy, timeout, clock
        known = (*secrets, proxy.password if proxy else None)
        self._secrets: Final = {secret.get_secret_value().decode("utf-8", "replace") for secret in known if secret is not None}
        self._token = ""
        self._client: httpx2.AsyncClient | None = None

    @classmethod
    def of(cls, settings: HttpSettings, clock: Callable[[], float], *secrets: Secret | None) -> Client:
        """The client of a destination."""
        return cls(settings.tls, settings.proxy, settings.retry.timeout, clock=clock, secrets=secrets)

    async def open(self, reach: str | None = None) -> None:
        """Get ready, whatever was before.

        Args:
            reach: URL whose server is connected to once, certificate included, to see that it is there; not through a proxy.

        Raises:
            DeliveryError: a file can't be used or its certificate isn't believed (DENIED), it can't be reached (RETRY).
        """
        await self.close()
        context = make_context(self._tls)
        proxy = None
        if self._proxy is not None:
            auth = (self._proxy.username, self._proxy.password.get_secret_value().decode()) if self._proxy.username and self._proxy.password else None
            secure = make_context(ClientTls(ca=self._proxy.ca)) if self._proxy.url.startswith("https:") else None
            proxy = httpx2.Proxy(self._proxy.url, auth=auth, ssl_context=secure)
        elif reach is not None:
            with self._delivery_errors(reach):
                await _connect(reach, context)
        self._client = httpx2.AsyncClient(
            verify=context,
            proxy=proxy,
            trust_env=False,
            follow_redirects=False,
            headers=HEADERS,
            timeout=httpx2.Timeout(self._timeout),
            limits=httpx2.Limits(max_connections=2, max_keepalive_connections=1, keepalive_expiry=IDLE_SECONDS),
        )

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], *, compress: bool = False, octets: int = BODY_OCTETS) -> Answer:
        """POST a body; see `request`."""
        if compress:
            body = await trio.to_thread.run_sync(compressed, body)
            headers = {**headers, "content-encoding": "gzip"}
        return await self.request("POST", url, headers, body, octets=octets)

    async def request(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None, *, octets: int = BODY_OCTETS) -> Answer:
        """Ask once.

        Args:
            method: GET, POST.
            url: absolute.
            headers: beside the usual ones.
            body: octets, sent as they are.
            octets: of the answer's body at most.

        Raises:
            DeliveryError: there was no answer. RETRY but for a certificate that isn't believed and a proxy that doesn't let us through, which are DENIED.
        """
        assert self._client is not None, "open comes first"  # noqa: S101 - our own invariant
        with self._delivery_errors(url):
            async with self._client.stream(method, url, headers=dict(headers), content=body) as response:
                found, whole = await _read(response, octets)
                fields: dict[str, str] = {}
                for name, value in response.headers.multi_items():
                    fields.setdefault(name.lower(), value)
                if len(self._client.cookies) > COOKIES:
                    self._client.cookies.clear()
                return Answer(response.status_code, fields, found, whole=whole)

    def failure(self, answer: Answer, fault: Fault, *, reason: str = "", detail: str = "") -> DeliveryError:
        """The error that an answer is.

        Args:
            answer: the whole of it.
            fault: whose it is.
            reason: `http-429` and the like unless given.
            detail: what the operator should know; what the server says unless given.
        """
        said = self._censored(detail or what_it_says(answer))
        return DeliveryError(reason or f"http-{answer.status}", fault, detail=said, retry_after=retry_after(answer.headers, self._clock()))

    async def close(self) -> None:
        """Let go."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.aclose()
        await trio.lowlevel.checkpoint()

    def conceal(self, token: str) -> None:
        """Keep one more secret out of errors, instead of the one before."""
        self._token = token

    def _censored(self, said: str) -> str:
        """Words that don't repeat our secrets: some servers send back what they were sent."""
        for secret in (*self._secrets, self._token):
            said = said.replace(secret, "***") if secret else said
        return said

    @contextmanager
    def _delivery_errors(self, url: str) -> Iterator[None]:
        """Everybody's errors as DeliveryError, in one place."""
        try:
            yield
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, trio.BrokenResourceError, OSError) as error:
            reason, fault, detail = _translated(error)
            raise DeliveryError(reason, fault, detail=self._censored(f"{urlsplit(url).netloc}: {words(detail.encode())}")) from error


def make_context(tls: ClientTls) -> ssl.SSLContext:
    """Our side of every handshake.

    Raises:
        DeliveryError: DENIED; a file can't be read or isn't PEM, or the key isn't the certificate's.
    """
    file: Path | None = None
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
        for file in tls.ca:
            context.load_verify_locations(file)
        if not tls.ca:
            context.load_default_certs()
        if tls.certificate is not None and tls.key is not None:
            file = tls.certificate
            context.load_cert_chain(tls.certificate, tls.key, password=_no_password)
    except OSError as error:  # ssl.SSLError is one
        raise DeliveryError("tls-file", Fault.DENIED, detail=f"{file}: {error.strerror or error}") from error
    return context


def _no_password() -> str:
    raise ssl.SSLError(0, "the key is encrypted")


def compressed(body: bytes) -> bytes:
    """In gzip's format (RFC 1952), the same octets for the same body."""
    return gzip.compress(body, COMPRESSION_LEVEL, mtime=0)


async def _connect(url: str, context: ssl.SSLContext) -> None:
    """Connect, shake hands, and leave."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    stream: trio.abc.Stream = await trio.open_tcp_stream(host, parts.port or PORTS[parts.scheme])
    try:
        if parts.scheme == "https":
            secured = trio.SSLStream(stream, context, server_hostname=host, https_compatible=True)
            await secured.do_handshake()
            stream = secured
    finally:
        await trio.aclose_forcefully(stream)


async def _read(response: httpx2.Response, octets: int) -> tuple[bytes, bool]:
    """An answer's body as far as it is wanted, and whether that is all."""
    body = bytearray()
    whole = False
    with trio.move_on_after(BODY_SECONDS) as patience, suppress(httpx2.HTTPError):
        async for piece in response.aiter_raw():
            if len(body) <= octets:
                body += piece
            else:
                patience.cancel()  # and go on: generators are left by what is raised inside of them
        whole = len(body) <= octets
    return bytes(body[:octets]), whole


def _translated(error: BaseException) -> tuple[str, Fault, str]:
    """Reason, fault and words of an error, by the deepest cause that says more."""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return "tls-certificate", Fault.DENIED, cause.verify_message
    for kind, reason in REASONS:
        for cause in causes:
            if isinstance(cause, kind):
                said = str(cause) or str(error)
                denied = kind is httpx2.ProxyError and said.startswith(AUTHENTICATION_REQUIRED)
                return reason, Fault.DENIED if denied else Fault.RETRY, said
    return "unreachable", Fault.RETRY, str(error) or type(error).__name__


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what led to it, groups opened."""
    while error is not None:
        yield from leaves(error)
        error = error.__cause__ or error.__context__
