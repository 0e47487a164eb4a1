"""A connection's requests, one after the other: admitted, unsealed, decompressed, decoded, parsed; then what the conversation says is done.

    head ─ admit ─ body ─ open ─ SLDC ─ UTF-8 ─ parse ─ decide ─▶ commit ─▶ Ack

    status  because
    200     done: an EnumerateResponse or an Ack; or Kerberos is complete
    204     done, nothing to say
    400     the content can't be read; whatever rule it breaks is counted
    401     nobody is authenticated
    403     this source may not
    404     there is no such subscription or path, or it isn't a POST
    500     its answer would be larger than it takes
    503     the spool took nothing in in time: nothing is acknowledged, and the source sends it again

What was refused is counted by reason (`tidegate_requests_refused_total`), logged at a bounded rate, and kept for `tidegate explain --last`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from listeners.http.connection import Connection
from listeners.http.messages import Response
from listeners.wef.conversation import Conversation
from listeners.wef.deeds import Deeds, Reach, RefusalError, Visit
from listeners.wef.session import Session
from pipeline.errors import MessageError
from pipeline.model import Origin, Reject
from wire import sldc
from wire.http_rules import Head
from wire.soap_encoding import decode_body, encode_body
from wire.wef.messages import Events, Request, parse_request

DOCUMENT: Final = "[MS-WSMV] section 2.2.9.1"
MAX_DETAIL: Final = 200
LAST: Final = frozenset({400, 401})
"""Statuses that end a connection: its seal, or its framing, may be lost."""

MAX_KEPT: Final = 64 << 10
"""Octets of an unreadable message that are kept for `explain`."""


class Reception:
    """One endpoint's side of its connections.

    Args:
        reach: what is shared.
        conversation: what is to be done about messages.
        new_session: makes the session of a connection.
    """

    def __init__(self, reach: Reach, conversation: Conversation, new_session: Callable[[Connection], Session]) -> None:
        self._reach: Final = reach
        self._new_session: Final = new_session
        self.renew(conversation)

    def renew(self, conversation: Conversation) -> None:
        """Judge by another conversation from the next message on, those of connections there are too."""
        self._conversation = conversation
        self._deeds = Deeds(self._reach, conversation)

    async def converse(self, connection: Connection) -> None:
        """Serve a connection to its end.

        Raises:
            Ended: by the connection itself; let it pass.
        """
        session = self._new_session(connection)
        while (head := await connection.next_head()) is not None:
            response = await session.admit(head)
            await connection.respond(await self._answer(head, connection, session) if response is None else response)

    async def _answer(self, head: Head, connection: Connection, session: Session) -> Response:
        identity = session.identity
        origin = Origin(self._reach.name, connection.transport, connection.peer, self._reach.clock(), identity.name if identity else None)
        try:
            return await self._serve(head, connection, session, origin)
        except RefusalError as refused:
            self._tell(refused, origin)
            response = await session.answer(refused.status, encode_body(refused.body.decode()) if refused.body else b"")
            return replace(response, close=response.close or refused.status in LAST)

    async def _serve(self, head: Head, connection: Connection, session: Session, origin: Origin) -> Response:
        if head.method != "POST" or not self._conversation.hears(head.target):
            raise RefusalError("not-found", 404, f"{head.method} {head.target}"[:MAX_DETAIL])
        if session.identity is None:
            raise RefusalError("not-authenticated", 401)
        request, repaired = await self._read(head, await connection.read_body(), session)
        visit = Visit(request, self._conversation.decide(request, session.identity), session.identity, origin, repaired)
        self._reach.metrics.wef_messages.labels(self._reach.name, visit.decision.message).inc()
        answer = await self._deeds.do(visit)
        return await session.answer(visit.decision.status, encode_body(answer.decode()) if answer else b"")

    async def _read(self, head: Head, body: bytes, session: Session) -> tuple[Request, int]:
        """The message of a request, and how many of its characters were none."""
        clear = b""
        try:
            compressed = is_compressed(head)
            opened = await session.open_body(head, body)
            clear = opened.octets
            if compressed:
                clear = sldc.decode_body(clear, self._reach.decompressed)
            decoded = decode_body(clear, charset_of(opened.content_type))
            clear = decoded.text
            request = parse_request(clear)
        except MessageError as error:
            raise RefusalError(error.rule, 400, error.detail, offset=error.offset, raw=clear[:MAX_KEPT]) from error
        return request, decoded.replaced + (request.repaired if isinstance(request, Events) else 0)

    def _tell(self, refused: RefusalError, origin: Origin) -> None:
        """Count, log and keep a refusal."""
        reach = self._reach
        reach.metrics.requests_refused.labels(reach.name, refused.reason.partition(":")[0]).inc()
        facts = {"listener": reach.name, "identity": origin.identity, "reason": refused.reason, "detail": refused.detail, "status": refused.status}
        reach.peer_log.warning("request refused", peer=origin.peer, **facts)
        reach.remember(origin, Reject(refused.raw, refused.reason, refused.offset, refused.detail))


def is_compressed(head: Head) -> bool:
    """Whether a request with content says that it is SLDC ([MS-WSMV] section 2.2.9.1).

    Raises:
        MessageError: empty-body, or content-encoding where it is another one.
    """
    coding = (head.field("content-encoding") or "").lower()
    if not head.length:
        raise MessageError("empty-body", document=DOCUMENT)
    if coding not in ("", "identity", "sldc"):
        raise MessageError("content-encoding", document=DOCUMENT, detail=coding[:40])
    return coding == "sldc"


def charset_of(content_type: str) -> str | None:
    """The charset parameter of a Content-Type (RFC 9110 section 8.3.1); None where it states none."""
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip(" \t").lower() == "charset":
            return value.strip(' \t"')
    return None
