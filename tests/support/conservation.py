"""Everything at once: a gateway with every kind of listener and destination, numbered events in, networks at fault behind, and the judgement.

    numbered events in    acknowledged when
    WEF, two machines     the delivery was answered
    RADIUS, two servers   the request was answered
    syslog over TCP       the gateway has counted them: TCP has no answer of its own

    out through    judged by
    archive        a file: every uid, once
    http           the uids of its requests that were taken; it refuses what is poison to it
    lossy          the same, without poison; its quota is small, and what it misses has to be counted
    hec            the uids of the events it indexed
    elastic        its documents' _id
    sentinel       the uids of its rows; the token comes through the same network
    syslog, tls    the uids of whole frames
    udp            the uids of whole datagrams; what its receiver's system dropped is counted there
    kafka          the uids of the topic's messages
    sensor         computer, log and record number of whole frames
    relay          server, session, status and seconds of the requests it could verify

Before all but the archive and UDP stands a proxy that makes their network as bad as a test likes. UDP has none, since what such a network loses is lost.
Kafka's broker stands still at times as well.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from random import Random

import trio
from support import elastic_fake, hec_fake, sentinel_fake
from support.conservation_config import CONFIG, HOME_SECRET, SECRET
from support.conservation_judgement import DESTINATIONS, Judgement, done_with, is_poison
from support.conservation_sinks import TOPIC, Key, Sinks, running_sinks
from support.gateway_process import ROOT, EndedError, GatewayProcess, running_gateway
from support.proxy import Proxy, running_proxy

from gateway.authority import Authority, make_authority
from gateway.simulate.estate import build_estate
from gateway.simulate.events import generate_events
from gateway.simulate.messages import Header, Message, encode_messages
from gateway.simulate.radius import simulate_radius
from gateway.simulate.radius_client import Way as RadiusWay
from gateway.simulate.radius_exchange import Habits as RadiusHabits
from gateway.simulate.radius_flavours import BY_NAME as FLAVOURS
from gateway.simulate.radius_flavours import STATUS_NAMES, session_id
from gateway.simulate.radius_link import Server
from gateway.simulate.radius_sessions import Nas, Report
from gateway.simulate.stream import Course
from gateway.simulate.wef import simulate_wef
from gateway.simulate.wef_certificate import issue_certificate, make_context
from gateway.simulate.wef_delivery import Post
from gateway.simulate.wef_machine import Habits, Machine
from gateway.simulate.wef_manager import parse_manager
from wire.event_xml import parse_event
from wire.layouts.detect import BY_NAME as LAYOUTS
from wire.syslog_framing import Framing

PROGRAM = ("-m", "support.crashing_gateway")
ENVIRON = {"PYTHONPATH": str(ROOT / "tests")}
READY = 4
CHUNK = 20
COUNTED_S = 0.1


@dataclass
class Site:
    """A gateway to be, what is before it and what is behind it.

    sinks:     what is behind it.
    acked:     every numbered event that was acknowledged.
    messages:  what is sent by syslog.
    grown:     set when something was acknowledged.
    stop:      set when nothing more shall be sent.
    quiet:     set when everything that was sent has been acknowledged.
    """

    folder: Path
    proxy: Proxy
    authority: Authority
    radius: int
    sinks: Sinks
    acked: set[Key] = field(default_factory=set)
    stop: trio.Event = field(default_factory=trio.Event)
    quiet: trio.Event = field(default_factory=trio.Event)
    messages: Iterator[Message] = field(default_factory=lambda: numbered_messages(Random(3)))
    grown: trio.Event = field(default_factory=trio.Event)
    _gateway: GatewayProcess | None = None
    _started: trio.Event = field(default_factory=trio.Event)

    @asynccontextmanager
    async def life(self, point: str = "never", times: int = 1) -> AsyncIterator[GatewayProcess]:
        """One run of the gateway, which dies at a point of its work; killed at the end if it still runs."""
        run = running_gateway(self.folder / "gateway.toml", ready=READY, program=(*PROGRAM, point, str(times)), environ=ENVIRON)
        gateway = await trio.to_thread.run_sync(run.__enter__)
        self.proxy.behind = gateway.address("listeners.wef", "https")
        self._gateway = gateway
        self._started.set()
        self._started = trio.Event()
        try:
            yield gateway
        finally:
            self._gateway = None
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(run.__exit__, None, None, None)

    async def die(self, point: str, times: int) -> int:
        """One run of it until it dies at that point; how it ended."""
        try:
            async with self.life(point, times) as gateway:
                return await trio.to_thread.run_sync(gateway.process.wait, abandon_on_cancel=True)
        except EndedError as ended:
            return ended.code

    async def send(self, rate: float) -> None:
        """Send from all sides until told to stop, and then until all is acknowledged. So many events a second each, but of syslog as it is counted."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._send_wef, rate)
            nursery.start_soon(self._send_radius, rate)
            nursery.start_soon(self._send_syslog)
        await self._send_chunk()  # a destination that refused the last record alone knows by this that the record is at fault
        self.quiet.set()

    async def until_acked(self, count: int) -> None:
        """Return once so many events were acknowledged."""
        while len(self.acked) < count:
            await self.grown.wait()

    async def interrupt_broker(self, random: Random) -> None:
        """Let Kafka stand still and go on by turns, until it is mended."""
        with self.sinks.kafka.interruptions:
            while True:
                await self.until_acked(len(self.acked) + random.randint(1, 200))
                await trio.lowlevel.checkpoint()  # by then it may have been mended
                self.sinks.kafka.toggle()

    def _stir(self) -> None:
        self.grown.set()
        self.grown = trio.Event()

    async def _send_wef(self, rate: float) -> None:
        context = make_context(self.folder / "ca.pem")
        names = [f"dc{at:02}.contoso.example" for at in (11, 12)]
        machines = [(name, issue_certificate(context, self.authority, name)) for name in names]

        def note(_machine: Machine, post: Post) -> None:
            for _, logged in post.events:
                event = parse_event(logged.octets)
                self.acked.add((event.computer, event.channel, event.record_id))
            self._stir()

        manager = parse_manager(f"https://localhost:{self.proxy.port}")
        habits = Habits(refresh=0.5, retry_after=0.3, patient=True)
        done = await simulate_wef(manager, machines, course=Course(rate=rate), random=Random(1), habits=habits, on_ack=note, stop=self.stop)
        assert (done.tally.unacked, done.waiting, done.tally.overwritten) == (0, 0, 0), done

    async def _send_radius(self, rate: float) -> None:
        flavour = FLAVOURS["fortigate"]
        habits = RadiusHabits(window=64, first=0.2, longest=0.5, tries=0)
        way = RadiusWay(server=Server(False, "127.0.0.1", self.radius), secret=SECRET.encode(), habits=habits)

        def note(nas: Nas, report: Report) -> None:
            status = STATUS_NAMES[report.status]
            lasted = str(report.seconds) if status in {"Stop", "Interim-Update"} else ""
            self.acked.add((str(nas.address), session_id(flavour, nas, report), status, lasted))
            self._stir()

        await simulate_radius(way, servers=2, flavour=flavour, course=Course(rate=rate), random=Random(2), on_answer=note, stop=self.stop)

    async def _send_syslog(self) -> None:
        while not self.stop.is_set():
            await self._send_chunk()

    async def _send_chunk(self) -> None:
        chunk = list(islice(self.messages, CHUNK))
        octets = b"".join(message.encode_numbered(message.record_id) for message in chunk)
        while not await self._syslog_counted(octets):
            pass
        self.acked.update((*message.log, str(message.record_id)) for message in chunk)
        self._stir()

    async def _syslog_counted(self, octets: bytes) -> bool:
        """Send a chunk; whether this run of the gateway says that it has received all of it."""
        while (gateway := self._gateway) is None:
            await self._started.wait()
        try:
            before = await self._received(gateway)
            async with await trio.open_tcp_stream(*gateway.address("listeners.syslog", "tcp")) as stream:
                await stream.send_all(octets)
                while await self._received(gateway) < before + CHUNK:  # noqa: ASYNC110 - it is another process that counts
                    await trio.sleep(COUNTED_S)  # asking costs it a page of its metrics
        except (OSError, trio.BrokenResourceError, http.client.HTTPException):  # it died meanwhile
            return False
        return True

    @staticmethod
    async def _received(gateway: GatewayProcess) -> float:
        counted = await Site._counters(gateway, "received_total")
        return sum(value for name, value in counted.items() if "listeners.syslog" in name)

    async def full(self, gateway: GatewayProcess, *, now: bool = True) -> None:
        """Return once the gateway says that its spool takes nothing in, or that it does again."""
        while bool((await self._counters(gateway, "spool_full"))["tidegate_spool_full"]) is not now:  # noqa: ASYNC110 - another process says so
            await trio.sleep(COUNTED_S)

    async def delivered(self, gateway: GatewayProcess) -> Mapping[str, float]:
        """All counters, once every destination is done with every record."""
        while True:
            counted = await self._counters(gateway, "")
            if all(done_with(counted, name) >= counted["tidegate_committed_total"] for name in DESTINATIONS):
                return counted
            await trio.sleep(COUNTED_S)

    @staticmethod
    async def _counters(gateway: GatewayProcess, prefix: str) -> Mapping[str, float]:
        return await trio.to_thread.run_sync(gateway.counters, prefix, abandon_on_cancel=True)

    @property
    def judgement(self) -> Judgement:
        """What became of it."""
        return Judgement(self.folder, self.sinks)

    def judge(self, *, mended: bool = False) -> None:
        self.judgement.judge(self.acked, mended=mended)


def numbered_messages(random: Random) -> Iterator[Message]:
    """Windows events as XML by syslog, under record IDs of their own."""
    events = generate_events(random, time.time_ns, estate=build_estate(random))
    return encode_messages(events, LAYOUTS["event-xml"], Header.RFC5424, Framing.OCTET_COUNTING)


@asynccontextmanager
async def site(folder: Path, more: str = "") -> AsyncIterator[Site]:
    """Everything but the gateway, on free ports; `more` is added to the configuration."""
    authority = make_authority("Contoso Test Root")
    server = authority.issue("localhost")
    for name, octets in (
        ("ca.pem", authority.pem),
        ("server.pem", server.certificate),
        ("server.key", server.key),
        ("secret", SECRET.encode()),
        ("home.secret", HOME_SECRET.encode()),
        ("hec.token", hec_fake.TOKEN.encode()),
        ("sentinel.secret", sentinel_fake.SECRET.encode()),
        ("elastic.key", elastic_fake.API_KEY.encode()),
    ):
        (folder / name).write_bytes(octets)
        (folder / name).chmod(0o600)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        radius = int(probe.getsockname()[1])
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    context.num_tickets = 0  # unread ones would make a RST of a killed gateway's FIN, and the proxy forget what is on its way
    azure = {"rule": sentinel_fake.RULE, "tenant": sentinel_fake.TENANT, "client": sentinel_fake.CLIENT}
    async with running_proxy() as proxy, running_sinks(is_poison, context) as sinks:
        config = CONFIG.format(wef=proxy.port, radius=radius, topic=TOPIC, **azure, **sinks.ports)
        (folder / "gateway.toml").write_text(config + more)
        yield Site(folder, proxy, authority, radius, sinks)
