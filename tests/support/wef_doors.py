"""Endpoints of the WEF listener behind real authentication, with an application that says back what it was told, and by whom."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

import trio
from support.http_serving import NAME, NOW_NS, Serving, serving

from listeners.http.connection import Connection
from listeners.http.messages import Response
from listeners.wef.authenticators import open_authenticators
from listeners.wef.identity import Identity
from listeners.wef.refusals import Refusals
from listeners.wef.session import Authenticator
from listeners.wef.settings import WefSettings
from pipeline.errors import MessageError
from pipeline.log import LogSettings, PeerLog
from pipeline.log_lines import open_log
from pipeline.metrics import Metrics
from pipeline.rejects import Rejects

HEARD = b"heard: "
"""What the application puts before the content that it says back."""


@dataclass
class Door:
    """An endpoint and what came through it.

    heard:  (who, content) of every request with one.
    """

    authenticator: Authenticator
    refusals_metrics: Metrics
    rejects: Rejects
    log: StringIO
    heard: list[tuple[Identity | None, bytes]] = field(default_factory=list)
    serving: Serving = field(init=False)

    async def converse(self, connection: Connection) -> None:
        session = self.authenticator.session(connection)
        while (head := await connection.next_head()) is not None:
            answer = await session.admit(head)
            if answer is None:
                answer = await self._answer(session.identity, await connection.read_body(), session, head)
            await connection.respond(answer)

    async def _answer(self, identity: Identity | None, body: bytes, session: object, head: object) -> Response:
        opened, say = session.open_body, session.answer  # type: ignore[attr-defined]
        try:
            content = (await opened(head, body)).octets if body else b""
        except MessageError as error:
            self.heard.append((identity, error.rule.encode()))
            return Response(400, close=True)
        self.heard.append((identity, content))
        response: Response = await say(200, HEARD + content if content else b"")
        return response

    def refused(self, reason: str) -> float:
        """How often, whoever counts it."""
        names = {"listener": NAME, "reason": reason}
        return sum(metrics.value("tidegate_connections_refused_total", **names) for metrics in (self.refusals_metrics, self.serving.metrics))

    def last_refusal(self) -> tuple[str, str]:
        """(reason, detail) as `explain --last` will show it."""
        [found] = self.rejects.last(1)
        return found.reject.rule, found.reject.detail


def open_door(settings: WefSettings, state_dir: Path, open_all: Callable[..., tuple[Authenticator, ...]] = open_authenticators) -> Door:
    """The first endpoint of the settings."""
    metrics, rejects, text = Metrics(), Rejects(), StringIO()
    log = open_log(text, LogSettings())
    refusals = Refusals(NAME, metrics, PeerLog(log, lambda: 0.0), rejects.keep, lambda: NOW_NS)
    return Door(open_all(settings, state_dir, refusals, log)[0], metrics, rejects, text)


@asynccontextmanager
async def opened(settings: WefSettings, state_dir: Path) -> AsyncIterator[Door]:
    """Serve the first endpoint until the block ends."""
    door = open_door(settings, state_dir)
    async with serving(door.converse, secure=door.authenticator.secure) as server:
        door.serving = server
        yield door


async def dial(door: Door) -> trio.SocketStream:
    """A connection over TCP, nothing said yet."""
    return await trio.open_tcp_stream(*await door.serving.listen())
