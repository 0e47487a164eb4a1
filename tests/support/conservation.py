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
    syslog         the uids of whole frames
    sensor         computer, log and record number of whole frames
    relay          server, session, status and seconds of the requests it could verify

Before every one but the archive stands a proxy that makes its network as bad as a test likes.
"""

from __future__ import annotations

import http.client
import re
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import apsw
import orjson
import trio
from support import elastic_fake, hec_fake
from support.elastic_fake import ElasticFake
from support.fault_proxy import DatagramProxy, FaultProxy, datagram_proxy, fault_proxy
from support.gateway_process import ROOT, EndedError, GatewayProcess, running_gateway
from support.hec_fake import HecFake
from support.http_peer import Asked, Reply, http_peer
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
from pipeline.errors import MessageError
from pipeline.spool.database import FILE_NAME
from pipeline.spool.letters import scan_letters
from wire.event_xml import parse_event
from wire.layouts.detect import BY_NAME as LAYOUTS
from wire.radius.authenticators import encode_response, verify_request
from wire.radius.named import named_attributes
from wire.radius.packet import parse_packet
from wire.syslog_framing import Framing

PROGRAM = ("-m", "support.crashing_gateway")
ENVIRON = {"PYTHONPATH": str(ROOT / "tests")}
SECRET, HOME_SECRET = "what the VPN server shares with us", "what we share with the next hop"
READY = 4
CHUNK = 20
COUNTED_S = 0.1
POISONED = 6
"""Of 256 records, those that the HTTP server refuses."""

CONFIG = """
[gateway]
name = "gw1"
state_dir = "state"
drain = "60 s"
[log]
level = "error"
[listeners.syslog]
tcp = ["127.0.0.1:0"]
[listeners.wef]
answer_within = "2 s"
[[listeners.wef.endpoints]]
address = "127.0.0.1:0"
url = "https://localhost:{wef}"
auth = "certificate"
certificate = "server.pem"
key = "server.key"
client_ca = ["ca.pem"]
[[listeners.wef.subscriptions]]
name = "identity"
max_time = "100 ms"
read_existing = true
[listeners.radius]
addresses = ["127.0.0.1:{radius}"]
[[listeners.radius.clients]]
name = "vpn1"
cidr = "127.0.0.1"
secret = "file:secret"
[metrics]
address = "127.0.0.1:0"
[[forwarders]]
name = "archive"
kind = "file"
path = "events.ndjson"
start = "beginning"
[[forwarders]]
name = "http"
kind = "http"
profile = "ndjson"
url = "http://127.0.0.1:{http}/events"
start = "beginning"
retry = {{ first = "50 ms", longest = "300 ms", timeout = "2 s" }}
[[forwarders]]
name = "lossy"
kind = "http"
profile = "ndjson"
url = "http://127.0.0.1:{lossy}/events"
start = "beginning"
quota = "16 KiB"
on_full = "drop-oldest"
retry = {{ first = "50 ms", longest = "300 ms", timeout = "2 s" }}
[[forwarders]]
name = "hec"
kind = "http"
profile = "splunk-hec"
url = "http://127.0.0.1:{hec}"
token = "file:hec.token"
start = "beginning"
retry = {{ first = "50 ms", longest = "300 ms", timeout = "3 s" }}
[[forwarders]]
name = "elastic"
kind = "http"
profile = "elastic"
url = "http://127.0.0.1:{elastic}"
api_key = "file:elastic.key"
start = "beginning"
retry = {{ first = "50 ms", longest = "300 ms", timeout = "2 s" }}
[[forwarders]]
name = "syslog"
kind = "syslog"
address = "tcp://127.0.0.1:{syslog}"
start = "beginning"
retry = {{ first = "50 ms", longest = "300 ms", timeout = "2 s" }}
[[forwarders]]
name = "sensor"
kind = "sensor"
layout = "splunk"
address = "tcp://127.0.0.1:{sensor}"
start = "beginning"
retry = {{ first = "50 ms", longest = "300 ms", timeout = "2 s" }}
[[forwarders]]
name = "relay"
kind = "sensor"
layout = "radius"
address = "udp://127.0.0.1:{relay}"
secret = "file:home.secret"
start = "beginning"
retry = {{ first = "50 ms", longest = "300 ms", timeout = "2 s" }}
"""

Key = tuple[str, ...]
"""A numbered event: computer, log and record ID; or VPN server, session, status and the seconds that the session had lasted."""

FRAME = re.compile(rb"([1-9][0-9]*) ")
SPLUNK = re.compile(rb"\r\nLogfile=([^\r\n]*)\r\n.*?ComputerName=([^\r\n]*)\r\nRecordNumber=([0-9]+)\r\n", re.DOTALL)


def is_poison(uid: str) -> bool:
    return UUID(uid).bytes[-1] < POISONED


@dataclass
class Frames:
    """A syslog receiver: the whole frames that came, whoever sent them."""

    taken: list[bytes] = field(default_factory=list)

    async def serve(self, stream: trio.SocketStream) -> None:
        rest = b""
        try:
            while octets := await stream.receive_some(1 << 18):
                rest = self._cut(rest + octets)
        except trio.BrokenResourceError:
            return

    def _cut(self, octets: bytes) -> bytes:
        at = 0
        while (found := FRAME.match(octets, at)) and found.end() + int(found[1]) <= len(octets):
            at = found.end() + int(found[1])
            self.taken.append(octets[found.end() : at])
        return octets[at:]


@dataclass
class Home:
    """A RADIUS server that keeps what it can verify and answers it."""

    opened: trio.socket.SocketType
    taken: Counter[Key] = field(default_factory=Counter)

    async def serve(self) -> None:
        while True:
            datagram, address = await self.opened.recvfrom(4096)
            try:
                request = verify_request(datagram, HOME_SECRET.encode())
            except MessageError:
                continue
            names = dict(named_attributes(parse_packet(request)))
            self.taken[names["NAS-IP-Address"], names.get("Acct-Session-Id", ""), names["Acct-Status-Type"], names.get("Acct-Session-Time", "")] += 1
            await self.opened.sendto(encode_response(request, HOME_SECRET.encode()), address)


@dataclass
class Collected:
    """An HTTP server that takes newline-delimited JSON, all of a request or none, and none with a record in it that it refuses."""

    refuses: Callable[[str], bool] = lambda _: False
    taken: list[dict[str, Any]] = field(default_factory=list)

    def answer(self, asked: Asked) -> Reply:
        found = [orjson.loads(line) for line in asked.body.splitlines()]
        if any(self.refuses(record["metadata"]["uid"]) for record in found):
            return Reply(400, b"one of these is poison")
        self.taken += found
        return Reply(204)


@dataclass
class Site:
    """A gateway to be, what is before it and what is behind it.

    streams:   the proxies before HTTP, lossy, HEC, Elastic, syslog and sensor, by the forwarder's name.
    relay:     the one before the RADIUS server.
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
    http: Collected
    lossy: Collected
    hec: HecFake
    elastic: ElasticFake
    syslog: Frames
    sensor: Frames
    home: Home
    streams: dict[str, FaultProxy]
    relay: DatagramProxy
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

    async def arrived(self) -> None:
        """Return once nothing is on its way any more, the gateway having ended."""
        for proxy in self.streams.values():
            await proxy.idle()

    # what became of it

    def lost(self) -> int:
        """Records that the spool counts as lost to `lossy`."""
        connection = apsw.Connection(str(self.folder / "state" / FILE_NAME), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            return int(connection.execute("SELECT lost FROM consumers WHERE name = 'lossy'").get)
        finally:
            connection.close()

    def letters(self) -> Mapping[str, Counter[str]]:
        """uids of dead letters, by destination."""
        connection = apsw.Connection(str(self.folder / "state" / FILE_NAME), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            found: dict[str, Counter[str]] = {}
            for letter in scan_letters(connection):
                found.setdefault(letter.consumer, Counter())[orjson.loads(letter.record)["metadata"]["uid"]] += 1
            return found
        finally:
            connection.close()

    def archived(self) -> list[dict[str, Any]]:
        return [orjson.loads(line) for line in (self.folder / "events.ndjson").read_bytes().splitlines()]

    def judge(self, *, mended: bool = False) -> None:
        """Every acknowledged event is everywhere, or a dead letter; twice only under one uid. With `mended`, nothing is poison any more."""
        archive = self.archived()
        uids = {key_of(record): record["metadata"]["uid"] for record in archive}
        assert len(archive) == len(uids) == len(set(uids.values())), "once in the archive, and one uid each"
        assert self.acked <= uids.keys(), "what was acknowledged is kept"
        every = set(uids.values())
        poison = {uid for uid in every if is_poison(uid) and not mended}
        letters = self.letters()
        assert letters.keys() <= {"http"}
        assert letters.get("http", Counter()) == Counter(poison), "poison is parked, once, and nothing else is"
        assert {record["metadata"]["uid"] for record in self.http.taken} == every - poison
        missed = every - {record["metadata"]["uid"] for record in self.lossy.taken}
        assert len(missed) <= self.lost(), "what drop-oldest dropped is counted"
        assert {envelope["event"]["metadata"]["uid"] for envelope in self.hec.events} == every  # type: ignore[index]
        assert {name for stream in self.elastic.streams.values() for name in stream} == every
        assert {orjson.loads(frame[frame.index(b"{") :])["metadata"]["uid"] for frame in self.syslog.taken} == every
        windows = {key_of(record) for record in archive if record["class_uid"] and not is_vpn(record)}
        assert {splunk_key(frame) for frame in self.sensor.taken} == windows
        assert self.home.taken.keys() == {key_of(record) for record in archive if is_vpn(record)}

    def reconcile(self, counted: Mapping[str, float]) -> None:
        """One run's counters agree with each other, and with what is where."""
        archive = self.archived()
        for listener in ("listeners.wef", "listeners.radius", "listeners.syslog"):
            received, *became = (sum_of(counted, name, listener) for name in ("received", "normalized", "duplicate", "filtered", "rejected", "control"))
            assert received == sum(became), listener
        missed = len(archive) - len({record["metadata"]["uid"] for record in self.lossy.taken})
        assert sum_of(counted, "lost", "lossy") == sum_of(counted, "lost") == self.lost() >= missed
        assert sum_of(counted, "uncommitted") == 0
        assert sum_of(counted, "normalized") == counted["tidegate_committed_total"] == len(archive)
        vpn = sum(map(is_vpn, archive))
        windows = len({splunk_key(frame) for frame in self.sensor.taken})
        poison = sum(is_poison(record["metadata"]["uid"]) for record in archive)
        expected: dict[str, tuple[float, ...]] = {name: (len(archive), 0, 0) for name in DESTINATIONS}
        expected |= {
            "http": (len(archive) - poison, 0, poison),
            "lossy": (len(archive) - self.lost(), 0, 0),
            "relay": (vpn, len(archive) - vpn, 0),
            "sensor": (windows, len(archive) - windows, 0),
        }
        for name, fates in expected.items():
            assert tuple(sum_of(counted, fate, name) for fate in FATES) == fates, name
        assert sum_of(counted, "dead_letters", kind="") == poison


DESTINATIONS = ("archive", "http", "lossy", "hec", "elastic", "syslog", "sensor", "relay")
FATES = ("delivered", "skipped", "parked")
DONE = (*FATES, "lost")


def sum_of(counted: Mapping[str, float], name: str, label: str = "", *, kind: str = "_total") -> float:
    """A counter's samples that have such a label."""
    return sum(value for sample, value in counted.items() if sample.startswith(f"tidegate_{name}{kind}{{") and (not label or f'="{label}"' in sample))


def done_with(counted: Mapping[str, float], destination: str) -> float:
    return sum(sum_of(counted, fate, destination) for fate in DONE)


def is_vpn(record: Mapping[str, Any]) -> bool:
    return bool(record["metadata"]["product"]["name"] == "RADIUS Accounting")


def key_of(record: Mapping[str, Any]) -> Key:
    metadata = record["metadata"]
    if not is_vpn(record):
        return record["device"]["hostname"], metadata["log_name"], metadata["original_event_uid"]
    session = record.get("session", {}).get("uid") or record.get("unmapped", {}).get("Acct-Session-Id", "")
    lasted = record.get("duration")
    return record["device"]["ip"], session, metadata["event_code"], "" if lasted is None else str(lasted // 1000)


def splunk_key(message: bytes) -> Key:
    found = SPLUNK.search(message)
    assert found, message
    return found[2].decode(), found[1].decode(), found[3].decode()


def numbered_messages(random: Random) -> Iterator[Message]:
    """Windows events as XML by syslog, under record IDs of their own."""
    events = generate_events(random, time.time_ns, estate=build_estate(random))
    return encode_messages(events, LAYOUTS["event-xml"], Header.RFC5424, Framing.OCTET_COUNTING)


async def _listen(nursery: trio.Nursery, serve: Callable[[trio.SocketStream], Awaitable[object]]) -> int:
    listeners = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
    return int(listeners[0].socket.getsockname()[1])


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
        ("elastic.key", elastic_fake.API_KEY.encode()),
    ):
        (folder / name).write_bytes(octets)
        (folder / name).chmod(0o600)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        radius = int(probe.getsockname()[1])
    collected, lossy, hec, elastic, syslog, sensor = Collected(is_poison), Collected(), HecFake(slow=0), ElasticFake(), Frames(), Frames()
    with trio.socket.socket(type=trio.socket.SOCK_DGRAM) as opened:
        await opened.bind(("127.0.0.1", 0))
        home = Home(opened)
        async with (
            trio.open_nursery() as nursery,
            running_proxy() as proxy,
            http_peer(collected.answer) as http_server,
            http_peer(lossy.answer) as lossy_server,
            http_peer(hec.answer) as hec_server,
            http_peer(elastic.answer) as elastic_server,
            datagram_proxy(opened.getsockname()[1]) as relay,
            fault_proxy(http_server.port) as before_http,
            fault_proxy(lossy_server.port) as before_lossy,
            fault_proxy(hec_server.port) as before_hec,
            fault_proxy(elastic_server.port) as before_elastic,
            fault_proxy(await _listen(nursery, syslog.serve)) as before_syslog,
            fault_proxy(await _listen(nursery, sensor.serve)) as before_sensor,
        ):
            nursery.start_soon(home.serve)
            streams = {
                "http": before_http,
                "lossy": before_lossy,
                "hec": before_hec,
                "elastic": before_elastic,
                "syslog": before_syslog,
                "sensor": before_sensor,
            }
            ports = {name: before.port for name, before in streams.items()}
            (folder / "gateway.toml").write_text(CONFIG.format(wef=proxy.port, radius=radius, relay=relay.port, **ports) + more)
            yield Site(folder, proxy, authority, radius, collected, lossy, hec, elastic, syslog, sensor, home, streams, relay)
            nursery.cancel_scope.cancel()
