"""A WEF listener under test without sockets: its whole way from an HTTP request to the spool, over memory streams, with sources it believes at their word."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from io import StringIO
from itertools import count
from pathlib import Path
from uuid import UUID

import h11
import trio
import trio.testing
from support.batches import spool_in
from support.playbook import Answer, Heard

from listeners.drain import Drain
from listeners.http.messages import Response
from listeners.http.serve import Endpoint, Server, make_server, serve_stream
from listeners.wef.conversation import Conversation, Offered
from listeners.wef.deeds import Intake as AnyIntake
from listeners.wef.deeds import Reach
from listeners.wef.identity import Identity, NameList
from listeners.wef.reception import Reception
from listeners.wef.session import Opened
from listeners.wef.settings import WefSettings
from listeners.wef.sources import Sources
from normalizers.normalizer import Normalizer
from pipeline.intake import Intake
from pipeline.log import LogSettings, PeerLog
from pipeline.log_lines import open_log
from pipeline.metrics import Metrics
from pipeline.model import Origin, Reject, Transport
from pipeline.rejects import Rejects
from pipeline.spool.settings import Consumer, SpoolSettings, Start
from pipeline.spool.sqlite import SqliteSpool
from wire import sldc
from wire.http_rules import Head
from wire.soap_encoding import decode_body, encode_body
from wire.wef.encoding import encode_request
from wire.wef.messages import Events, Request, pack_events
from wire.wef.namespaces import SecurityProfile
from wire.wef.query import build_queries, split_by_channel
from wire.wef.responses import parse_response
from wire.wef.subscribe import make_offer
from wire.wef.subscription import Offer, Route, Subscription

NAME = "listeners.wef"
NOW_NS = 1_710_504_001_000_000_000
PEER = "192.0.2.10"
URL = "https://gateway.contoso.example:5986"
DC1 = Identity("dc1.contoso.example", "aa:cn=dc1", frozenset({"dc1", "dc1.contoso.example"}), "a9" * 20)
CONSUMER = Consumer("archive", Start.BEGINNING)

SETTINGS: Mapping[str, object] = {
    "endpoints": [
        {
            "address": "127.0.0.1:0",
            "url": URL,
            "auth": "certificate",
            "certificate": "server.pem",
            "key": "server.key",
            "client_ca": ["ca.pem"],
        }
    ],
    "subscriptions": [{"name": "identity"}],
}


def settings(**changes: object) -> WefSettings:
    """As if read from a configuration file."""
    return WefSettings.model_validate({**SETTINGS, **changes}, context={"folder": Path("/nowhere")})


@dataclass
class Believing:
    """A session that believes whoever it was told of."""

    identity: Identity | None
    heads: list[Head] = field(default_factory=list)

    async def admit(self, head: Head) -> Response | None:
        self.heads.append(head)
        return None if self.identity else Response(401)

    async def open_body(self, head: Head, body: bytes) -> Opened:
        return Opened(body, head.field("content-type") or "")

    async def answer(self, status: int, body: bytes = b"") -> Response:
        return Response(status, body, (("Content-Type", "application/soap+xml;charset=UTF-16"),) if body else ())


class Source:
    """A source of events on one connection, at its octets' level."""

    def __init__(self, stream: trio.abc.HalfCloseableStream) -> None:
        self._stream = stream
        self._http = h11.Connection(h11.CLIENT)

    async def post(
        self, body: bytes, fields: Iterable[tuple[str, str]] = (), *, method: str = "POST", target: str = "/wsman/SubscriptionManager/WEC"
    ) -> tuple[int, bytes]:
        """One request and its answer."""
        base = [("Host", "gateway"), ("Content-Type", "application/soap+xml;charset=UTF-16"), ("Content-Length", str(len(body)))]
        octets = self._http.send(h11.Request(method=method, target=target, headers=[*base, *fields])) or b""
        octets += (self._http.send(h11.Data(data=body)) or b"") if body else b""
        await self._stream.send_all(octets + (self._http.send(h11.EndOfMessage()) or b""))
        status, answer = 0, b""
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                self._http.receive_data(bytes(await self._stream.receive_some(65536)))
            elif isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                answer += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                break
            else:
                raise ConnectionError(repr(event))
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
        return status, answer

    async def say(self, request: Request) -> Heard:
        """A message as Windows sends it, and what is answered."""
        return await self.say_octets(encode_body(encode_request(request).decode("utf-8", "surrogateescape")))

    async def say_compressed(self, request: Request) -> Heard:
        """The same, compressed."""
        octets = sldc.encode(encode_body(encode_request(request).decode()))
        return await self.say_octets(octets, [("Content-Encoding", "SLDC")])

    async def say_octets(self, octets: bytes, fields: Iterable[tuple[str, str]] = ()) -> Heard:
        """Octets as they are, and what is answered."""
        status, answer = await self.post(octets, fields)
        message: Answer = parse_response(decode_body(answer).text) if answer else None
        assert not answer or answer.startswith(b"\xff\xfe"), "an answer without byte order mark"
        return Heard(status, message)

    async def ended(self) -> bool:
        """Whether the listener closed, once something comes."""
        return not await self._stream.receive_some(1)

    async def close(self) -> None:
        await self._stream.aclose()


@dataclass
class Listening:
    """A listener, and what it can be asked."""

    offered: tuple[Offered, ...]
    spool: SqliteSpool
    intake: Intake
    metrics: Metrics
    rejects: list[tuple[Origin, Reject]]
    sources: Sources
    log: StringIO
    nursery: trio.Nursery
    conversation: Conversation
    reach: Reach
    server: Server
    drain: Drain = field(default_factory=Drain)

    def connect(self, identity: Identity | None = DC1) -> Source:
        """A connection of a source."""
        ours, theirs = trio.testing.memory_stream_pair()
        application = Reception(self.reach, self.conversation, lambda _connection: Believing(identity)).converse
        endpoint = Endpoint(application, Transport.HTTPS, 180.0)
        self.nursery.start_soon(serve_stream, theirs, PEER, self.drain.join(), endpoint, self.server)
        return Source(ours)

    def value(self, name: str, **labels: str) -> float:
        return self.metrics.value(f"tidegate_{name}", listener=NAME, **labels)

    def offer(self, channel: str = "Security", identity: Identity = DC1, name: str = "identity") -> Offer:
        """What a source is told of a channel."""
        (one,) = [one.subscription for one in self.offered if one.subscription.name == f"{name}/{channel}"]
        return make_offer(one, Route(url=URL, profile=SecurityProfile.CERTIFICATE, thumbprint=identity.issuer))

    async def records(self) -> list[bytes]:
        """Every record in the spool."""
        found, at = list[bytes](), 0
        while (row := await self.spool.read(CONSUMER.name)) is not None:
            found += row.texts()
            self.spool.advance(CONSUMER.name, row.end, b"")
            assert row.end > at
            at = row.end
        return found

    async def bookmark(self, channel: str = "Security", identity: Identity = DC1) -> bytes | None:
        name = f"identity/{channel}"
        return (await self.spool.bookmarks(identity.key, [name])).get(name)


def offered_by_profile(*, clients: Sequence[str] = ("*",), read_existing: bool = False) -> tuple[Offered, ...]:
    """The subscriptions of the profile that is the default."""
    channels = split_by_channel(build_queries(Normalizer().profile.keys))
    return tuple(
        Offered("identity", Subscription(name=f"identity/{one.channel}", query=one.text, read_existing=read_existing), NameList(clients)) for one in channels
    )


@asynccontextmanager
async def listening(
    folder: Path,
    *,
    wef: WefSettings | None = None,
    offered: tuple[Offered, ...] | None = None,
    spool_settings: SpoolSettings | None = None,
    intake: AnyIntake | None = None,
    normalizer: Normalizer | None = None,
) -> AsyncIterator[Listening]:
    """A listener whose clock stands still."""
    wef, metrics, ids, stream, kept = wef or settings(), Metrics(), count(1), StringIO(), list[tuple[Origin, Reject]]()
    spool = spool_in(folder, [CONSUMER], metrics=metrics, settings=spool_settings)
    door = Intake(spool, metrics, Rejects())
    offered, log, drain = offered_by_profile() if offered is None else offered, open_log(stream, LogSettings()), Drain()
    reach = Reach(
        name=NAME,
        decompressed=wef.decompressed,
        answer_within=wef.answer_within,
        normalize=(normalizer or Normalizer()).normalize_events,
        intake=intake or door,
        memory=spool,
        remember=lambda origin, reject: kept.append((origin, reject)),
        sources=Sources(),
        metrics=metrics,
        peer_log=PeerLog(log, trio.current_time),
        clock=lambda: NOW_NS,
        new_uuid=lambda: UUID(int=next(ids)),
    )
    conversation = Conversation(wef.endpoints[0], SecurityProfile.CERTIFICATE, offered, wef.mismatch, NameList(wef.forwarders))
    server = make_server(NAME, wef, metrics=metrics, clock=lambda: NOW_NS, log=log, drain=drain)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(door.run)
            yield Listening(offered, spool, door, metrics, kept, reach.sources, stream, nursery, conversation, reach, server, drain)
            nursery.cancel_scope.cancel()
    finally:
        with trio.CancelScope(shield=True):
            await spool.close()


def events_of(offer: Offer, *events: bytes, message_id: str = "uuid:E1", bookmark: bytes = b"", machine_id: str = "dc1.contoso.example") -> Events:
    """A delivery of events to an offered subscription."""
    buffer, spans = pack_events(events)
    return Events(message_id=message_id, to=offer.address, machine_id=machine_id, references=offer.references, bookmark=bookmark, buffer=buffer, spans=spans)
