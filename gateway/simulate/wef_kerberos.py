"""A machine that shows a Kerberos ticket and seals what it says (RFC 4559, RFC 4121, [MS-WSMV] section 2.2.9.1); needs the extra `kerberos`.

    POST, empty, Authorization: Kerberos <AP-REQ>     200, WWW-Authenticate: Kerberos <AP-REP>     then every body sealed, both ways

The token goes out with the first request, unasked, as Windows does it; the context then belongs to the connection.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import TYPE_CHECKING, Final

import trio

from gateway.simulate.wef_connection import Proof
from pipeline.errors import ConfigError, DeliveryError, Fault, MessageError
from wire.multipart_encrypted import Protocol, Sealed, encode_content_type, encode_sealed, parse_sealed

if TYPE_CHECKING:  # the extra may be missing
    from spnego import ContextProxy

SCHEME: Final = "Kerberos"
SERVICE: Final = "HTTP"
FIX: Final = "install tidegate[kerberos]"


class KerberosWay:
    """Tickets of one principal.

    Args:
        principal: `DC01$@CONTOSO.EXAMPLE`; empty for whoever the present ticket cache is of.
        keytab: its keys; None for the present ticket cache.
        service: first part of the name a ticket is asked for: HTTP, or HOST as Windows Server 2025 does.

    Raises:
        ConfigError: the extra is missing.
    """

    issuer = ""

    def __init__(self, principal: str = "", keytab: Path | None = None, service: str = SERVICE) -> None:
        try:
            import spnego  # noqa: PLC0415 - the extra may be missing
        except ImportError as error:
            raise ConfigError("simulate wef over http", "needs Kerberos, which isn't installed", FIX) from error
        asked = spnego.ContextReq
        self._flags: Final = asked.mutual_auth | asked.confidentiality | asked.integrity | asked.sequence_detect | asked.replay_detect  # what Windows asks for
        self._client: Final = spnego.client
        self._credential = spnego.KerberosKeytab(str(keytab), principal) if keytab else principal or None
        self._service: Final = service

    async def secure(self, stream: trio.SocketStream, host: str, /) -> trio.abc.Stream:  # noqa: ARG002 - messages are sealed instead
        """Plain HTTP."""
        await trio.lowlevel.checkpoint()
        return stream

    async def proof(self, host: str, /) -> Proof:
        """A context for a new connection; the ticket is fetched with its first step."""
        return await trio.to_thread.run_sync(self._proof, host)

    def _proof(self, host: str, /) -> Proof:
        from spnego.exceptions import SpnegoError  # noqa: PLC0415 - the extra may be missing

        try:
            return _Context(self._client(self._credential, hostname=host, service=self._service, protocol="kerberos", context_req=self._flags), SpnegoError)
        except SpnegoError as error:
            raise DeliveryError("no-credentials", Fault.RETRY, detail=str(error)[:200]) from error


class _Context:
    """The security context of one connection."""

    def __init__(self, context: ContextProxy, failure: type[Exception]) -> None:
        self._context, self._failure = context, failure

    async def step(self, answer: str | None) -> str | None:
        if self._context.complete:
            return None
        scheme, _, text = (answer or "").partition(" ")
        try:
            token = base64.b64decode(text, validate=True) if answer is not None else None
            if answer is not None and (not token or scheme.lower() != SCHEME.lower()):
                raise DeliveryError("not-authenticated", Fault.RETRY, detail=f"the collector answered {answer[:80]!r}")
            out = await trio.to_thread.run_sync(self._context.step, token)
        except (self._failure, binascii.Error) as error:
            raise DeliveryError("not-authenticated", Fault.RETRY, detail=str(error)[:200]) from error
        return f"{SCHEME} {base64.b64encode(out).decode()}" if out else None

    def seal(self, octets: bytes, content_type: str) -> tuple[bytes, str]:
        sealed = self._context.wrap_winrm(octets)
        return encode_sealed(Sealed(Protocol.KERBEROS, sealed.header, sealed.data, len(octets), content_type)), encode_content_type(Protocol.KERBEROS)

    def unseal(self, body: bytes, content_type: str) -> bytes:
        sealed = parse_sealed(body, content_type)
        try:
            return self._context.unwrap_winrm(sealed.header, sealed.data)
        except self._failure as error:
            raise MessageError("not-sealed", document="RFC 4121 section 4.2", detail=str(error)[:200]) from error
