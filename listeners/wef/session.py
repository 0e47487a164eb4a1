"""What the ways of authentication owe the WEF listener: a Session for each connection, an Authenticator for each endpoint.

    accept ─▶ Authenticator.secure (TLS) ─▶ Authenticator.session ─▶ for each request: admit ─▶ open_body ─▶ ... ─▶ answer

`listeners.wef.tls` and `listeners.wef.kerberos` implement both; the conversation knows neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from listeners.http.connection import Connection
from listeners.http.messages import Response
from listeners.http.serve import Secure
from listeners.renewal import Apply
from listeners.wef.identity import Identity
from listeners.wef.settings import EndpointSettings
from pipeline.model import Transport
from wire.http_rules import Head


@dataclass(frozen=True, slots=True)
class Opened:
    """A request's content after whatever sealed it: compressed still, if it was.

    octets:        what the client encrypted, or sent.
    content_type:  of them: "application/soap+xml;charset=UTF-16"; "" where none was told.
    """

    octets: bytes
    content_type: str


class Session(Protocol):
    """One connection's proof of who is there, and the seal on what is said. Called by one task, in the order of the requests."""

    @property
    def identity(self) -> Identity | None:
        """Who was authenticated; None before."""

    async def admit(self, head: Head) -> Response | None:
        """Look at a request's head before its content is read.

        Returns:
            None where the request may go on; `identity` is known then. Else what answers it: 401, or the 200 that completes Kerberos. Whatever goes
            wrong is counted and explained in there, and never raised.
        """

    async def open_body(self, head: Head, body: bytes) -> Opened:
        """Unseal a request's content, not empty.

        Raises:
            MessageError: it isn't what this session's peer sealed: answered 400, and the connection ends.
        """

    async def answer(self, status: int, body: bytes = b"") -> Response:
        """The response with `body` (UTF-16LE with byte order mark, or empty), sealed where it has to be, with its Content-Type."""


class Authenticator(Protocol):
    """One endpoint's way of authentication."""

    @property
    def transport(self) -> Transport:
        """HTTP or HTTPS."""

    @property
    def secure(self) -> Secure | None:
        """What puts TLS on a connection; None for plain HTTP."""

    def prepare(self, endpoint: EndpointSettings) -> Apply:
        """Get ready for other settings of the same endpoint, whose address, way and keytabs are as they were; connections there are stay as they are.

        Raises:
            ConfigError: a file can't be used.
        """

    def session(self, connection: Connection) -> Session:
        """The session of a connection just accepted; under TLS its stream has done the handshake."""
