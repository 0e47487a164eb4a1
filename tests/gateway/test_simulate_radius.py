"""Simulated VPN servers against accounting servers: FreeRADIUS, and over TLS one that answers what is signed and loses connections when told to."""

from __future__ import annotations

import socket
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import orjson
import pytest
import trio
import trustme
from support.freeradius import FreeRadius, running_freeradius

from gateway.cli import main
from gateway.simulate.radius import Accounted, simulate_radius
from gateway.simulate.radius_client import Way
from gateway.simulate.radius_exchange import Habits
from gateway.simulate.radius_flavours import FLAVOURS, Flavour
from gateway.simulate.radius_link import RADSEC_SECRET, Server, parse_server
from gateway.simulate.radius_sessions import Status
from gateway.simulate.stream import Course
from pipeline.errors import ConfigError, DeliveryError
from wire.radius.authenticators import encode_response, verify_request
from wire.radius.packet import scan_packets

HURRIED = Habits(first=0.05, longest=0.2)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FreeRadius]:
    with running_freeradius(tmp_path_factory.mktemp("freeradius")) as server:
        yield server


def way_to(home: FreeRadius, **more: bool) -> Way:
    return Way(server=Server(False, *home.address), secret=home.secret.encode(), habits=Habits(**more))


@pytest.mark.parametrize("flavour", FLAVOURS, ids=[flavour.name for flavour in FLAVOURS])
async def test_freeradius_understands_every_flavour(home: FreeRadius, flavour: Flavour) -> None:
    before = len(home.arrived())
    done = await simulate_radius(way_to(home), servers=3, sessions=4, flavour=flavour, course=Course(rate=None, count=100), random=Random(5))
    assert (done.tally.sent, done.tally.answered, done.tally.unanswered) == (100, 100, 0)
    arrived = home.arrived()[before:]
    statuses = Counter(request.values("Acct-Status-Type")[0] for request in arrived)
    assert statuses["Accounting-On"] == statuses["Accounting-Off"] == 3
    assert sum(statuses.values()) == 100
    assert {request.values("NAS-IP-Address")[0] for request in arrived} == {"198.51.100.1", "198.51.100.2", "198.51.100.3"}
    assert not [name for request in arrived for name, _ in request.attributes if name.startswith(("Attr-", "Vendor-"))]


async def test_freeradius_believes_its_message_authenticator(home: FreeRadius) -> None:
    before = len(home.arrived())
    done = await simulate_radius(way_to(home, message_authenticator=True), course=Course(rate=None, count=10))
    assert done.tally.answered == 10
    assert all(request.values("Message-Authenticator") for request in home.arrived()[before:])


async def test_with_a_wrong_secret_nothing_is_answered(home: FreeRadius) -> None:
    way = Way(server=Server(False, *home.address), secret=b"another secret", habits=Habits(first=0.01, tries=3))
    done = await simulate_radius(way, course=Course(rate=None, count=4))
    assert (done.tally.sent, done.tally.answered, done.tally.unanswered, done.tally.resent) == (4, 0, 4, 8)


async def test_a_server_that_comes_late_gets_everything(tmp_path: Path) -> None:
    with running_freeradius(tmp_path) as before:
        way = Way(server=Server(False, *before.address), secret=before.secret.encode(), habits=HURRIED)
    (tmp_path / "detail").unlink(missing_ok=True)
    hindered = trio.Event()

    def look(done: Accounted) -> None:
        if done.tally.resent:
            hindered.set()

    async with trio.open_nursery() as nursery:
        results: list[Accounted] = []
        finished = trio.Event()

        async def simulate() -> None:
            results.append(await simulate_radius(way, course=Course(rate=None, count=30), report=look))
            finished.set()

        nursery.start_soon(simulate)
        await hindered.wait()
        with running_freeradius(tmp_path, port=way.server.port) as home:
            await finished.wait()
            arrived = home.arrived()
    assert (results[0].tally.answered, results[0].tally.unanswered) == (30, 0)
    assert len({request.values("Acct-Session-Id")[0] + request.values("Acct-Status-Type")[0] for request in arrived}) == 30


async def test_it_keeps_to_its_rate_and_duration_whether_anybody_answers_or_not(autojump_clock: trio.testing.MockClock) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        way = Way(server=Server(False, *silent.getsockname()), secret=b"nobody needs to know")
        done = await simulate_radius(way, servers=2, course=Course(rate=4.0, duration=4.9), restarts=False, drain=1.0)
    assert done.tally.sent == done.tally.unanswered == 20
    assert done.seconds == pytest.approx(5.9, abs=0.1)


@pytest.mark.parametrize("count", [0, 1, 2, 3])
async def test_however_few_requests_there_may_be_they_are_in_order(home: FreeRadius, count: int) -> None:
    said: list[Status] = []
    await simulate_radius(way_to(home), course=Course(rate=None, count=count), on_answer=lambda _, report: said.append(report.status))
    assert said == {0: [], 1: [Status.ON], 2: [Status.ON, Status.OFF], 3: [Status.ON, Status.START, Status.OFF]}[count]


async def test_what_is_stopped_before_it_begins_says_nothing(home: FreeRadius) -> None:
    stop = trio.Event()
    stop.set()
    assert (await simulate_radius(way_to(home), stop=stop)).tally.sent == 0


@dataclass(slots=True)
class Home:
    """A RadSec server, port known once it listens.

    taken:     Request Authenticators it answered, or would have.
    hangs_up:  asked before each answer: whether to lose the connection instead.
    """

    server: Server
    trust: ssl.SSLContext
    taken: Counter[bytes] = field(default_factory=Counter)
    hangs_up: Callable[[], bool] = lambda: False


@asynccontextmanager
async def radsec_server() -> AsyncIterator[Home]:
    authority = trustme.CA()
    serving, trust = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(serving)
    authority.issue_cert("vpn01.contoso.example").configure_cert(trust)
    authority.configure_trust(serving)
    authority.configure_trust(trust)
    serving.verify_mode = ssl.CERT_REQUIRED
    listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
    home = Home(Server(True, "localhost", listener.socket.getsockname()[1]), trust)

    async def serve(stream: trio.SSLStream[trio.SocketStream]) -> None:
        buffer = b""
        try:
            async with stream:
                while read := await stream.receive_some(4096):
                    buffer += read
                    spans, rest = scan_packets(buffer)
                    for start, end in spans:
                        request = verify_request(buffer[start:end], RADSEC_SECRET)
                        home.taken[request] += 1
                        if home.hangs_up():
                            await trio.aclose_forcefully(stream)
                            return
                        await stream.send_all(encode_response(request, RADSEC_SECRET))
                    buffer = buffer[rest:]
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, serve, [trio.SSLListener(listener, serving)])
        yield home
        nursery.cancel_scope.cancel()


async def test_over_tls_everything_is_sent_once(tmp_path: Path) -> None:
    async with radsec_server() as home:
        way = Way(server=home.server, secret=RADSEC_SECRET, tls=home.trust, habits=HURRIED)
        done = await simulate_radius(way, servers=2, course=Course(rate=None, count=200))
    assert (done.tally.answered, done.tally.resent, len(home.taken)) == (200, 0, 200)


async def test_over_tls_what_was_under_way_is_sent_again_on_the_next_connection() -> None:
    random = Random(2)
    async with radsec_server() as home:
        home.hangs_up = lambda: random.random() < 0.02
        way = Way(server=home.server, secret=RADSEC_SECRET, tls=home.trust, habits=Habits(window=8))
        with trio.fail_after(60):
            done = await simulate_radius(way, course=Course(rate=None, count=150))
    assert (done.tally.answered, done.tally.unanswered, len(home.taken)) == (150, 0, 150)
    assert done.tally.resent > 0
    assert sum(done.tally.reasons.values()) > 0


@pytest.mark.parametrize("server", [Server(True, "127.0.0.1", 1), Server(False, "nowhere.invalid", 1813)], ids=["nobody listens", "no such name"])
async def test_a_server_that_cant_be_reached_ends_it(server: Server) -> None:
    with pytest.raises(DeliveryError):
        await simulate_radius(Way(server=server, secret=RADSEC_SECRET, tls=ssl.create_default_context()), servers=2, course=Course(count=3))


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("udp://127.0.0.1:11813", Server(False, "127.0.0.1", 11813)),
        ("udp://gw.contoso.example", Server(False, "gw.contoso.example", 1813)),
        ("radsec://[2001:db8::1]", Server(True, "2001:db8::1", 2083)),
    ],
)
def test_targets(text: str, server: Server) -> None:
    assert parse_server(text) == server
    assert parse_server(str(server)) == server


@pytest.mark.parametrize("text", ["127.0.0.1:1813", "tcp://127.0.0.1:1813", "udp://:1813", "udp://127.0.0.1:0", "udp://127.0.0.1:65536", "udp://::1:1813"])
def test_what_is_no_target(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_server(text)


def test_the_command(home: FreeRadius, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("SIMULATED_SECRET", home.secret)
    record, target = tmp_path / "answered.ndjson", f"udp://{home.address[0]}:{home.address[1]}"
    options = ["--secret", "env:SIMULATED_SECRET", "--flavour", "fortigate", "--nas", "2", "--rate", "max", "--count", "50", "--seed", "1"]
    assert main(["simulate", "radius", "--target", target, *options, "--record", str(record), "--json"]) == 0
    facts = orjson.loads(capsys.readouterr().out)
    assert (facts["target"], facts["sent"], facts["answered"], facts["unanswered"]) == (target, 50, 50, 0)
    assert facts["by_status"]["Accounting-On"] == facts["by_status"]["Accounting-Off"] == 2
    lines = [orjson.loads(line) for line in record.read_bytes().splitlines()]
    assert len({(line["nas"], line["session"], line["status"], line["seconds"]) for line in lines}) == 50
    assert main(["simulate", "radius", "--target", target, *options]) == 0
    assert capsys.readouterr().out.startswith(f"50 requests answered by {target} in ")


@pytest.mark.parametrize(
    ("options", "code", "complaint"),
    [
        (["--flavour", "pptp"], 2, "'pptp' is none of generic, rras"),
        (["--target", "tcp://127.0.0.1"], 2, "write udp://HOST:PORT or radsec://HOST:PORT"),
        (["--nas", "2", "--name", "vpn.contoso.example"], 2, "has no {} for the server's number"),
        (["--secret", "hunter2 hunter2 hunter2"], 78, "--secret: write where the secret is"),
        (["--secret", "env:SIMULATED_NOTHING"], 78, "environment variable SIMULATED_NOTHING is not set"),
        (["--retransmit", "2"], 2, "write a number and a unit"),
    ],
)
def test_what_the_command_refuses(options: list[str], code: int, complaint: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("RADIUS_SECRET", "long enough to be one")
    assert main(["simulate", "radius", "--count", "0", *options]) == code
    said = capsys.readouterr().err
    assert complaint in said
    assert "hunter2" not in said
