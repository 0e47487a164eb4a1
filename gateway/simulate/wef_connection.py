"""A simulated machine's connection to a collector: WS-Management messages over HTTP/1.1 (DSP0226 section 11), as Windows' client speaks it.

    POST /wsman/SubscriptionManager/WEC HTTP/1.1
    Connection: Keep-Alive
    Content-Type: application/soap+xml;charset=UTF-16
    User-Agent: Microsoft WinRM Client
    Content-Length: 3240
    Host: gateway.contoso.example:5986

One request at a time, always with a length, never chunked. Whatever keeps an answer away is a DeliveryError.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, Protocol

import h11
import trio

import kernel
from listeners.wef.settings import Url
from pipeline.errors import DeliveryError, Fault, MessageError
from wire.multipart_encrypted import SOAP_UTF_16
from wire.soap_encoding import decode_body, encode_body
from wire.wef.encoding import encode_request
from wire.wef.messages import Request
from wire.wef.responses import Ack, EnumerateResponse, parse_response
from wire.wef.responses import Fault as SoapFault

SLDC: Final = ("Content-Encoding", "SLDC")
USER_AGENT: Final = "Microsoft WinRM Client"
CONNECT_S: Final = 20.0
ANSWER_S: Final = 60.0
MAX_ANSWER: Final = 8 << 20
READ: Final = 65_536
OK, NO_CONTENT, UNAUTHORIZED = 200, 204, 401


class Proof(Protocol):
    """What a way of authentication does on one connection: tokens first, then a seal on every message."""

    async def step(self, answer: str | None) -> str | None:
        """The next value of Authorization, None once there is nothing left to prove.

        Args:
            answer: the WWW-Authenticate of the last answer, None before the first.

        Raises:
            DeliveryError: it can't be done, or the collector's own proof is bad.
        """

    def seal(self, octets: bytes, content_type: str) -> tuple[bytes, str]:
        """Content and its type as they travel."""

    def unseal(self, body: bytes, content_type: str) -> bytes:
        """The content of an answer.

        Raises:
            MessageError: it isn't what the collector sealed.
        """


class Way(Protocol):
    """How a machine authenticates; one for all of its connections.

    issuer:  SHA-1 in lower-case hexadecimal of the authority that issued its certificate; empty where that isn't known, or there is none.
    """

    issuer: str

    async def secure(self, stream: trio.SocketStream, host: str, /) -> trio.abc.Stream:
        """Put TLS on a connection, where that is the way.

        Raises:
            DeliveryError: the handshake failed.
        """

    async def proof(self, host: str, /) -> Proof:
        """For a new connection to the collector of that name.

        Raises:
            DeliveryError: there are no credentials.
        """


class Connection:
    """A connection on which the machine has authenticated; `connect` makes one."""

    def __init__(self, stream: trio.abc.Stream, url: Url, proof: Proof) -> None:
        self._stream, self._url, self._proof = stream, url, proof
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=READ)
        self._ended = False

    async def prove(self) -> None:
        """Exchange tokens, where the way has any, each with an empty request."""
        answer: str | None = None
        status = OK
        while (token := await self._proof.step(answer)) is not None:
            status, fields, _ = await self._exchange(b"", SOAP_UTF_16, (("Authorization", token),))
            answer = fields.get("www-authenticate", "")
        if status != OK:
            raise DeliveryError(f"status-{status}", Fault.RETRY, detail=f"not authenticated: {answer}")

    async def ask(self, request: Request, *, compress: bool = False) -> EnumerateResponse | Ack | None:
        """Send a message and read its answer: None for an empty one.

        Raises:
            DeliveryError: there was none, or it is a fault, or another status than 200 or 204.
        """
        octets = encode_body(encode_request(request).decode())
        body, content_type = self._proof.seal(kernel.sldc_encode(octets) if compress else octets, SOAP_UTF_16)
        status, fields, content = await self._exchange(body, content_type, (SLDC,) if compress else ())
        if status not in (OK, NO_CONTENT):
            raise DeliveryError(f"status-{status}", Fault.RETRY, detail=fields.get("www-authenticate", ""))
        if not content:
            return None
        try:
            clear = self._proof.unseal(content, fields.get("content-type", ""))
            answer = parse_response(decode_body(clear).text)
        except MessageError as error:
            raise DeliveryError("not-an-answer", Fault.RETRY, detail=str(error)) from error
        if isinstance(answer, SoapFault):
            raise DeliveryError(f"fault-{answer.subcode}", Fault.RETRY, detail=answer.reason[:200])
        if answer.relates_to != request.message_id:
            raise DeliveryError("not-an-answer", Fault.RETRY, detail=f"it relates to {answer.relates_to[:80]}")
        return answer

    async def _exchange(self, body: bytes, content_type: str, fields: tuple[tuple[str, str], ...]) -> tuple[int, dict[str, str], bytes]:
        """POST, and read status, fields by lower-case name, and content of the answer."""
        head = [
            ("Connection", "Keep-Alive"),
            ("Content-Type", content_type),
            *fields,
            ("User-Agent", USER_AGENT),
            ("Content-Length", str(len(body))),
            ("Host", f"{self._url.host}:{self._url.port}"),
        ]
        try:
            octets = self._http.send(h11.Request(method="POST", target=self._url.path, headers=head)) or b""
            octets += (self._http.send(h11.Data(data=body)) or b"") if body else b""
            octets += self._http.send(h11.EndOfMessage()) or b""
            with trio.fail_after(ANSWER_S):
                await self._stream.send_all(octets)
                status, answered, content = await self._answer()
            if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
                self._http.start_next_cycle()
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise DeliveryError("connection-lost", Fault.RETRY, detail=str(error.__cause__ or error)) from error
        except trio.TooSlowError as error:
            raise DeliveryError("no-answer", Fault.RETRY, detail=f"none within {ANSWER_S:.0f} s") from error
        except h11.LocalProtocolError as error:
            raise DeliveryError("connection-closed", Fault.RETRY, detail="by the last answer") from error
        except h11.RemoteProtocolError as error:
            raise DeliveryError("connection-lost" if self._ended else "not-http", Fault.RETRY, detail=str(error)) from error
        return status, answered, content

    async def _answer(self) -> tuple[int, dict[str, str], bytes]:
        status, fields, content = 0, dict[str, str](), bytearray()
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                data = await self._stream.receive_some(READ)
                self._ended = not data
                if self._ended and self._http.their_state is h11.SEND_RESPONSE:
                    raise DeliveryError("connection-lost", Fault.RETRY, detail="closed without an answer")
                self._http.receive_data(bytes(data))
            elif isinstance(event, h11.Response):
                status = event.status_code
                fields = {name.decode(): value.decode("latin-1") for name, value in event.headers}
            elif isinstance(event, h11.Data):
                content += event.data
                if len(content) > MAX_ANSWER:
                    raise DeliveryError("answer-too-large", Fault.REFUSED, detail=f"more than {MAX_ANSWER} octets")
            elif isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
                return status, fields, bytes(content)


@asynccontextmanager
async def connect(url: Url, way: Way, address: tuple[str, int] | None = None) -> AsyncIterator[Connection]:
    """A connection for the time of the block, authenticated.

    Args:
        url: where to; its path is every message's target.
        way: who we are.
        address: host and port to connect to, whatever the URL names.

    Raises:
        DeliveryError: nobody answers there, or one side doesn't accept the other.
    """
    host, port = address or (url.host.strip("[]"), url.port)
    try:
        with trio.fail_after(CONNECT_S):
            stream = await trio.open_tcp_stream(host, port)
    except (OSError, trio.TooSlowError) as error:
        raise DeliveryError("connect", Fault.RETRY, detail=f"{url.base}: {error}") from error
    secured: trio.abc.Stream = stream
    try:
        with trio.fail_after(CONNECT_S):
            secured = await way.secure(stream, url.host.strip("[]"))
        connection = Connection(secured, url, await way.proof(url.host.strip("[]")))
        await connection.prove()
        yield connection
        with trio.move_on_after(1):
            await secured.aclose()
    except trio.TooSlowError as error:
        raise DeliveryError("no-answer", Fault.RETRY, detail="none to the TLS handshake") from error
    finally:
        await trio.aclose_forcefully(stream)
