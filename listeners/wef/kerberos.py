"""Kerberos over plain HTTP: who is there is proven once for each connection, and every message on it is sealed.

Documents: RFC 4559 (Negotiate) as WinRM uses it, [MS-WSMV] sections 2.2.9.1 and 3.1.4.1 (`Authorization: Kerberos`, multipart/encrypted), RFC 4121.

    client                                          gateway
    Authorization: Kerberos AP-REQ, no content  ─▶
                                                ◀─  200, WWW-Authenticate: Kerberos AP-REP
    multipart/encrypted                         ─▶
                                                ◀─  200, multipart/encrypted

Choices, and departures from RFC 4559:
  - the context belongs to the connection: requests after the first carry no Authorization. Another one authenticates anew; as another principal it is refused;
  - encryption, integrity and mutual authentication are required, and content that came unsealed or only signed isn't looked at;
  - AES only, unless the endpoint says otherwise, for the ticket and for the session key;
  - NTLM, the fallback of Negotiate, is recognized and refused before any library sees it;
  - whatever a token makes the library raise is a 401 that offers both schemes, never a 500: for a token used twice, pyspnego has an AttributeError.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

import gssapi
import spnego
import trio
from spnego.iov import BufferType

from listeners.http.connection import Connection
from listeners.http.messages import Response
from listeners.renewal import Apply
from listeners.wef.diagnosis import diagnose, judge_token
from listeners.wef.identity import Identity, plain_name, principal_identity
from listeners.wef.keyring import Keyring
from listeners.wef.refusals import Refusal, Refusals
from listeners.wef.session import Opened
from listeners.wef.settings import Encryption, EndpointSettings, KerberosEndpoint
from pipeline.errors import MessageError, WireError
from pipeline.model import Transport
from wire.ap_req import AES, RC4, Request, parse_initial_token, parse_later_token
from wire.http_rules import Head
from wire.multipart_encrypted import Protocol, Sealed, encode_content_type, encode_sealed, parse_sealed

T = TypeVar("T")

ENCRYPTIONS: Final = {Encryption.AES: AES, Encryption.RC4: frozenset({RC4})}
OFFER: Final = (("WWW-Authenticate", "Kerberos"), ("WWW-Authenticate", "Negotiate"))
REQUIRED: Final = spnego.ContextReq.confidentiality | spnego.ContextReq.integrity | spnego.ContextReq.mutual_auth

MAX_REFUSALS: Final = 3
"""Attempts on one connection; then it is closed."""

MAX_LEGS: Final = 4
"""Tokens of one authentication: one as a rule, two where the client offers without a token, a third where the order of mechanisms has to be proven."""

CFX: Final = b"\x05\x04"
"""What a Wrap token of every encryption but RC4 and DES begins with (RFC 4121 section 4.2.6.2)."""

INLINE: Final = 32 << 10
"""Octets up to which sealing takes less than handing it to a thread would (about 80 MB/s against 0.1 ms)."""

DOCUMENT: Final = "RFC 4121 section 4.2"


@dataclass(frozen=True, slots=True)
class Scheme:
    """One way to authenticate.

    word:      of WWW-Authenticate.
    library:   what pyspnego calls it.
    protocol:  what sealed content calls it.
    """

    word: str
    library: str
    protocol: Protocol


SCHEMES: Final = {
    "kerberos": Scheme("Kerberos", "kerberos", Protocol.KERBEROS),
    "negotiate": Scheme("Negotiate", "negotiate", Protocol.SPNEGO),
}


@dataclass(frozen=True, slots=True)
class Begun:
    """An authentication under way.

    context:  None before its first token.
    legs:     which of its tokens comes next, from 1.
    """

    scheme: Scheme
    context: spnego.ContextProxy | None = None
    legs: int = 1


class RefusedError(Exception):
    """A token wasn't accepted."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.reason)
        self.refusal = refusal


class KerberosAuthenticator:
    """An endpoint where clients show Kerberos tickets (`listeners.wef.session.Authenticator`).

    Args:
        endpoint: its settings.
        keyring: the keys of all Kerberos endpoints.
        refusals: hears who was turned away.
    """

    transport: Final = Transport.HTTP
    secure: Final = None

    def __init__(self, endpoint: KerberosEndpoint, keyring: Keyring, refusals: Refusals) -> None:
        # a failed step shall raise what failed; by default python-gssapi keeps that for later, and hands out the error token
        gssapi.SecurityContext.__DEFER_STEP_ERRORS__ = False  # type: ignore[attr-defined]  # documented, and not in its stub
        self.keyring: Final = keyring
        self.refusals: Final = refusals
        self.encryptions: Final = frozenset[int]().union(*(ENCRYPTIONS[encryption] for encryption in endpoint.encryption))
        self.padded: Final = Encryption.RC4 in endpoint.encryption
        self.threads: Final = trio.CapacityLimiter(os.cpu_count() or 1)

    def prepare(self, endpoint: EndpointSettings) -> Apply:  # noqa: ARG002 - the protocol's
        """Look whether a keytab has changed: all that changes here while it is served."""
        return self.keyring.refresh

    def session(self, connection: Connection) -> KerberosSession:
        """The session of a connection just accepted."""
        return KerberosSession(self, connection.peer)


class KerberosSession:
    """One connection's security context (`listeners.wef.session.Session`).

    identity:  whom the context proved; None before.
    """

    def __init__(self, authenticator: KerberosAuthenticator, peer: str) -> None:
        self._authenticator: Final = authenticator
        self._peer: Final = peer
        self._protocol = Protocol.KERBEROS
        self._context: spnego.ContextProxy | None = None
        self._begun: Begun | None = None
        self._refused = 0
        self._tab = False
        self.identity: Identity | None = None

    async def admit(self, head: Head) -> Response | None:
        """Authenticate where the request says Authorization; else let it through if that was done before."""
        credentials = head.field("authorization")
        if credentials is None and self.identity is not None:
            return None
        try:
            return await self._authenticate(credentials)
        except RefusedError as error:
            return self._refuse(error.refusal)

    async def _authenticate(self, credentials: str | None) -> Response:
        if credentials is None:
            raise RefusedError(Refusal("kerberos-no-credentials"))
        word, _, text = credentials.partition(" ")
        scheme = SCHEMES.get(plain_name(word))
        if scheme is None:
            raise RefusedError(Refusal("kerberos-scheme", word[:40]))
        try:
            token = base64.b64decode(text.strip(" "), validate=True)
        except (binascii.Error, ValueError) as error:
            raise RefusedError(Refusal("kerberos-token", str(error))) from error
        begun, self._begun = self._begun, None
        if begun is None or begun.scheme is not scheme:
            begun = Begun(scheme)
            self._authenticator.keyring.refresh()
        return await self._go_on(begun, token)

    async def _go_on(self, begun: Begun, token: bytes) -> Response:
        request = self._judge(token, later=begun.context is not None)
        context, answer = await trio.to_thread.run_sync(self._step, begun, token, request, limiter=self._authenticator.threads)
        challenge = ("WWW-Authenticate", f"{begun.scheme.word} {base64.b64encode(answer).decode()}".rstrip(" "))
        if context.complete:
            self._adopt(begun.scheme, context)
            return Response(200, fields=(challenge,))
        if begun.legs == MAX_LEGS:
            raise RefusedError(Refusal("kerberos-failed", f"not done after {MAX_LEGS} tokens"))
        self._begun = Begun(begun.scheme, context, begun.legs + 1)
        return Response(401, fields=(challenge,))

    def _judge(self, token: bytes, *, later: bool) -> Request | None:
        """The token's clear fields, where it has any and they are taken."""
        try:
            read = parse_later_token(token) if later else parse_initial_token(token)
        except WireError as error:
            raise RefusedError(Refusal("kerberos-token", str(error))) from error
        refusal = None if read is None else judge_token(read, self._authenticator.encryptions)
        if refusal is not None:
            raise RefusedError(refusal)
        return None if read is None else read.request

    def _step(self, begun: Begun, token: bytes, request: Request | None) -> tuple[spnego.ContextProxy, bytes]:
        """One leg, in a thread: the library reads keytab and replay cache."""
        try:
            context = begun.context or spnego.server(protocol=begun.scheme.library)
            return context, context.step(token) or b""
        except Exception as error:  # no closed set, for a hostile token: ValueError, struct.error, AttributeError ...
            base = getattr(error, "base_error", None)
            refusal = diagnose(request, self._authenticator.keyring.keys, getattr(base, "min_code", None), str(base or error))
            raise RefusedError(refusal) from error

    def _adopt(self, scheme: Scheme, context: spnego.ContextProxy) -> None:
        """Take a complete context as the connection's own.

        SPNEGO's `complete` can be the client's word alone (RFC 4178 section 4.2.2, accept-completed), so the mechanism's own facts decide.
        """
        try:
            principal, protocol, flags = context.client_principal, context.negotiated_protocol, context.context_attr
        except Exception as error:
            raise RefusedError(Refusal("kerberos-failed", str(error)[:200])) from error
        if protocol != "kerberos" or not principal:
            raise RefusedError(Refusal("kerberos-mechanism", f"completed with {protocol}"))
        if flags & REQUIRED != REQUIRED or flags & spnego.ContextReq.dce_style:
            raise RefusedError(Refusal("kerberos-flags", f"{principal} asked for {flags!r}"))
        identity = principal_identity(principal)
        if self.identity is not None and self.identity.key != identity.key:
            raise RefusedError(Refusal("kerberos-other-principal", f"{identity.name} after {self.identity.name}"))
        self._context, self._protocol, self.identity = context, scheme.protocol, identity

    def _refuse(self, refusal: Refusal) -> Response:
        self._refused += 1
        self._authenticator.refusals.tell(refusal, self._peer, Transport.HTTP)
        return Response(401, fields=OFFER, close=self._refused >= MAX_REFUSALS or refusal.reason == "kerberos-other-principal")

    async def open_body(self, head: Head, body: bytes) -> Opened:
        """Decrypt a request's content.

        Raises:
            MessageError: `multipart-*`, `kerberos-weak` (it isn't sealed with AES), `kerberos-unsealed` (it isn't encrypted), `kerberos-seal` (this context's
                peer didn't seal it, or not in this order).
        """
        context = self._context
        if context is None:
            raise MessageError("kerberos-unsealed", document=DOCUMENT)
        sealed = parse_sealed(body, head.field("content-type") or "", padded=self._authenticator.padded)
        if not self._authenticator.padded and not sealed.header.startswith(CFX):
            raise MessageError("kerberos-weak", document=DOCUMENT, detail=sealed.header[:2].hex())
        self._tab = sealed.tab
        try:
            encrypted, clear = await self._run(len(body), lambda: _unseal(context, sealed))
        except Exception as error:  # no closed set, for a forged token
            raise MessageError("kerberos-seal", document=DOCUMENT, detail=str(error)[:200]) from error
        if not encrypted:
            raise MessageError("kerberos-unsealed", document=DOCUMENT)
        return Opened(clear, sealed.original)

    async def answer(self, status: int, body: bytes = b"") -> Response:
        """The response, its body encrypted."""
        context, protocol = self._context, self._protocol
        if not body or context is None:
            return Response(status)
        tab = self._tab
        octets = await self._run(len(body), lambda: _seal(context, body, protocol, tab=tab))
        return Response(status, octets, (("Content-Type", encode_content_type(protocol)),))

    async def _run(self, octets: int, work: Callable[[], T]) -> T:
        """Do `work` here or, for much, in a thread: the library lets go of the interpreter meanwhile."""
        return work() if octets <= INLINE else await trio.to_thread.run_sync(work, limiter=self._authenticator.threads)


def _unseal(context: spnego.ContextProxy, sealed: Sealed) -> tuple[bool, bytes]:
    """Whether it was encrypted, and the clear text: what pyspnego's `unwrap_winrm` does, which doesn't tell the former."""
    result = context.unwrap_iov([(BufferType.header, sealed.header), sealed.data, BufferType.data])
    return result.encrypted, result.buffers[1].data or b""


def _seal(context: spnego.ContextProxy, body: bytes, protocol: Protocol, *, tab: bool) -> bytes:
    wrapped = context.wrap_winrm(body)
    return encode_sealed(Sealed(protocol, wrapped.header, wrapped.data, len(body), tab=tab))
