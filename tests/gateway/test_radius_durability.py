"""What the gateway answers to a VPN server it keeps: to radclient and to simulated servers, killed at any moment, each request one record."""

from __future__ import annotations

import socket
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random, SystemRandom
from typing import Any

import orjson
import pytest
import trio
from support.gateway_process import GatewayProcess, running_gateway
from support.radclient import Attributes, Heard, radclient

from gateway.authority import make_authority
from gateway.simulate.radius import Accounted, simulate_radius
from gateway.simulate.radius_client import Way
from gateway.simulate.radius_exchange import Habits
from gateway.simulate.radius_flavours import BY_NAME, STATUS_NAMES, Flavour, session_id
from gateway.simulate.radius_link import RADSEC_SECRET, Server
from gateway.simulate.radius_sessions import Nas, Report
from gateway.simulate.stream import Course
from listeners.radius.retransmissions import STEP_NS

SECRET = "a secret of sixteen octets or more"
CONFIG = """
[gateway]
name = "gw1"
state_dir = "state"
[log]
level = "error"
[listeners.radius]
addresses = ["127.0.0.1:{port}", "[::1]:{port}"]
[[listeners.radius.clients]]
name = "vpn1"
cidr = ["127.0.0.1", "::1"]
secret = "file:secret"
vendor = "Contoso"
[metrics]
address = "127.0.0.1:0"
[[forwarders]]
name = "archive"
kind = "file"
path = "events.ndjson"
start = "beginning"
"""
RADSEC = """
[listeners.radius.tls]
addresses = ["127.0.0.1:{port}"]
certificate = "server.pem"
key = "server.key"
client_ca = ["ca.pem"]
[[listeners.radius.clients]]
name = "vpn2"
certificate = "vpn01.contoso.example"
"""
READY = 3
HURRIED = Habits(window=128, first=0.1, longest=0.4, tries=0)

Key = tuple[str, str, str, int | None]
"""NAS, session, status, milliseconds that the session had lasted; None for On, Off and Start."""


@dataclass(slots=True)
class Site:
    """A gateway to be, always at one port, and what was answered by it."""

    folder: Path
    port: int
    answered: Counter[Key] = field(default_factory=Counter)
    grown: trio.Event = field(default_factory=trio.Event)
    over: bool = False

    @property
    def way(self) -> Way:
        return Way(server=Server(False, "127.0.0.1", self.port), secret=SECRET.encode(), habits=HURRIED)

    @asynccontextmanager
    async def gateway(self, ready: int = READY) -> AsyncIterator[GatewayProcess]:
        """One run of it; killed at the end if it still runs."""
        run = running_gateway(self.folder / "gateway.toml", ready=ready)
        gateway = await trio.to_thread.run_sync(run.__enter__)
        try:
            yield gateway
        finally:
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(run.__exit__, None, None, None)

    async def simulate(self, flavour: Flavour, count: int, way: Way | None = None) -> Accounted:
        def note(nas: Nas, report: Report) -> None:
            lasted = report.seconds * 1000 if STATUS_NAMES[report.status] in {"Stop", "Interim-Update"} else None
            self.answered[str(nas.address), session_id(flavour, nas, report), STATUS_NAMES[report.status], lasted] += 1
            self.stir()

        done = await simulate_radius(way or self.way, servers=3, flavour=flavour, course=Course(rate=700, count=count), random=Random(9), on_answer=note)
        self.over = True
        self.stir()
        return done

    def stir(self) -> None:
        self.grown.set()
        self.grown = trio.Event()

    async def until_answered(self, count: int) -> None:
        while len(self.answered) < count and not self.over:
            await self.grown.wait()

    def records(self) -> list[Any]:
        path = self.folder / "events.ndjson"
        return [orjson.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []

    def kept(self) -> Counter[Key]:
        """The requests in the archive, as often as each is there."""
        found: Counter[Key] = Counter()
        for record in self.records():
            session = record.get("session", {}).get("uid") or record["unmapped"]["Acct-Session-Id"]
            found[record["device"]["ip"], session, record["metadata"]["event_code"], record.get("duration")] += 1
        return found


PORTS = range(20_000, 32_000)
"""Below those that the system gives to outgoing connections: the gateway comes back to its port, over UDP and TCP."""


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


@pytest.fixture
def site(tmp_path: Path) -> Site:
    port = next(port for port in SystemRandom().sample(PORTS, len(PORTS)) if _is_free(port))
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    (tmp_path / "gateway.toml").write_text(CONFIG.format(port=port))
    return Site(tmp_path, port)


def start(number: int, *more: tuple[str, str]) -> Attributes:
    return [("Acct-Status-Type", "Start"), ("Acct-Session-Id", f"S{number}"), ("User-Name", "CONTOSO\\ana"), ("NAS-IP-Address", "198.51.100.1"), *more]


def ask(site: Site, packets: list[Attributes], *, secret: str = SECRET, host: str = "127.0.0.1", command: str = "acct", timeout: float = 10) -> Heard:
    return radclient((host, site.port), secret, packets, command=command, timeout=timeout)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_radclient_is_answered_and_its_session_is_a_record(site: Site, host: str) -> None:
    packet = start(
        1,
        ("Calling-Station-Id", "203.0.113.7"),
        ("Framed-IP-Address", "10.64.0.9"),
        ("NAS-Port-Type", "Virtual"),
        ("Event-Timestamp", "1714983600"),
        ("Cisco-AVPair", "mdm-tlv=device-platform=win"),
        ("Proxy-State", "0x0102"),
        ("Proxy-State", "0x03"),
        ("Message-Authenticator", "0x00"),
    )
    with running_gateway(site.folder / "gateway.toml", ready=READY) as gateway:
        heard = ask(site, [packet], host=host)
        assert (heard.answered, heard.lost) == (1, 0), heard.text
        assert [line.strip() for line in heard.text.splitlines() if "Proxy-State" in line][2:] == ["Proxy-State = 0x0102", "Proxy-State = 0x03"]
        gateway.await_delivered(1)
        assert gateway.stop() == 0
    (record,) = site.records()
    assert record["class_uid"] == 4014
    assert record["user"] == {"domain": "CONTOSO", "name": "ana", "type": "User", "type_id": 1}
    assert record["src_endpoint"]["ip"] == "203.0.113.7"
    assert record["tunnel_interface"]["ip"] == "10.64.0.9"
    assert record["metadata"]["product"] == {"name": "RADIUS Accounting", "vendor_name": "Contoso"}
    assert record["time"] == 1714983600000
    assert record["session"]["uid"] == "S1"


def test_radclient_with_a_wrong_secret_meets_silence_and_is_counted(site: Site) -> None:
    with running_gateway(site.folder / "gateway.toml", ready=READY) as gateway:
        for number in (1, 2):  # radclient ends at the first packet that is lost
            heard = ask(site, [start(number)], secret="another secret of many octets", timeout=0.5)
            assert (heard.answered, heard.lost) == (0, 1)
        assert ask(site, [start(3)]).answered == 1
        gateway.await_delivered(1)
        dropped = {name: count for name, count in gateway.counters("radius_dropped_total").items() if count}
        assert gateway.stop() == 0
        assert SECRET not in gateway.log()
    assert dropped == {'tidegate_radius_dropped_total{client="vpn1",listener="listeners.radius",reason="radius-authenticator"}': 2}
    assert list(site.kept()) == [("198.51.100.1", "S3", "Start", None)]


def test_radclient_asks_whether_the_server_is_alive(site: Site) -> None:
    with running_gateway(site.folder / "gateway.toml", ready=READY) as gateway:
        heard = ask(site, [[("Message-Authenticator", "0x00")]], command="status")
        assert heard.answered == 1, heard.text
        assert gateway.stop() == 0
    assert site.records() == []


def test_many_requests_of_radclient_are_each_one_record(site: Site) -> None:
    with running_gateway(site.folder / "gateway.toml", ready=READY) as gateway:
        heard = radclient(("127.0.0.1", site.port), SECRET, [start(number) for number in range(2000)], parallel=100, tries=5)
        assert (heard.answered, heard.lost) == (2000, 0)
        gateway.await_delivered(2000)
        assert gateway.stop() == 0
    assert {session for _, session, _, _ in site.kept()} == set(heard.sessions)
    assert set(site.kept().values()) == {1}


@pytest.mark.parametrize(
    ("name", "habits"),
    [("fortigate", HURRIED), ("cisco-asa", HURRIED), ("rras", replace(HURRIED, first=0.4, longest=0.8, renews_delay=True))],
    ids=["with Event-Timestamp", "without, known by the packet", "with a new Acct-Delay-Time each time, known by the uid"],
)
async def test_three_servers_and_a_gateway_that_is_killed(site: Site, name: str, habits: Habits) -> None:
    random, count, begun = Random(name), 1200, time.time_ns() // STEP_NS
    way = replace(site.way, habits=habits)
    results: list[Accounted] = []

    async def simulate() -> None:
        results.append(await site.simulate(BY_NAME[name], count, way))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(simulate)
        for moment in sorted(random.sample(range(1, count - 300), 4)):
            async with site.gateway() as gateway:
                await site.until_answered(moment)
                gateway.process.kill()
        async with site.gateway() as gateway:
            while not results:
                await site.grown.wait()
            assert await trio.to_thread.run_sync(gateway.stop) == 0
    tally = results[0].tally
    assert (tally.sent, tally.answered, tally.unanswered) == (count, count, 0)
    assert tally.resent > 0
    assert site.kept().keys() == site.answered.keys()
    if name != "cisco-asa" or time.time_ns() // STEP_NS == begun:  # across steps and a crash, what has no time of its own may be kept twice
        assert site.kept() == site.answered
        assert len({record["metadata"]["uid"] for record in site.records()}) == count


async def test_over_tls_what_is_answered_is_kept_too(site: Site) -> None:
    authority = make_authority("Contoso Test Root")
    server, client = authority.issue("localhost"), authority.issue("vpn01.contoso.example")
    for name, octets in (
        ("ca.pem", authority.pem),
        ("server.pem", server.certificate),
        ("server.key", server.key),
        ("vpn.pem", client.certificate + client.key),
    ):
        (site.folder / name).write_bytes(octets)
    config = site.folder / "gateway.toml"
    config.write_text(config.read_text() + RADSEC.format(port=site.port))
    context = ssl.create_default_context(cafile=site.folder / "ca.pem")
    context.load_cert_chain(site.folder / "vpn.pem")
    way = Way(server=Server(True, "localhost", site.port), secret=RADSEC_SECRET, tls=context, patient=True)
    results: list[Accounted] = []

    async def simulate() -> None:
        results.append(await site.simulate(BY_NAME["f5"], 1000, way))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(simulate)
        for moment in (100, 400, 700):
            async with site.gateway(READY + 1) as gateway:
                await site.until_answered(moment)
                gateway.process.kill()
        async with site.gateway(READY + 1) as gateway:
            while not results:
                await site.grown.wait()
            assert await trio.to_thread.run_sync(gateway.stop) == 0
    assert (results[0].tally.answered, results[0].tally.unanswered) == (1000, 0)
    assert site.answered.keys() == site.kept().keys()


async def test_radclient_and_a_gateway_that_is_killed(site: Site) -> None:
    packets = [start(number, ("Event-Timestamp", "1714983600")) for number in range(900)]
    heard: list[Heard] = []

    finished = trio.Event()

    async def send() -> None:
        heard.append(await trio.to_thread.run_sync(lambda: radclient(("127.0.0.1", site.port), SECRET, packets, parallel=40, tries=200, timeout=0.2)))
        finished.set()

    async with trio.open_nursery() as nursery:
        for first in (True, False):
            async with site.gateway() as gateway:
                if first:
                    nursery.start_soon(send)
                await trio.to_thread.run_sync(await_answered, gateway, 150, finished)
                gateway.process.kill()
        async with site.gateway() as gateway:
            await finished.wait()
            assert await trio.to_thread.run_sync(gateway.stop) == 0
    assert set(heard[0].sessions) <= {session for _, session, _, _ in site.kept()}
    assert set(site.kept().values()) == {1}
    assert heard[0].answered == 900, heard[0].text[-400:]


def await_answered(gateway: GatewayProcess, count: int, finished: trio.Event) -> None:
    """Return once this run of it has answered so many, or there is nothing left to answer."""
    while sum(gateway.counters("radius_answered_total").values()) < count and not finished.is_set():
        pass
