"""RADIUS accounting passed on to a real FreeRADIUS: what radclient sent arrives as it was, once the next hop can be had and knows the secret."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from threading import Thread

import orjson
import pytest
import trio
from support.freeradius import Arrived, FreeRadius, free_port, running_freeradius
from support.gateway_process import GatewayProcess, running_gateway
from support.radclient import Attributes, Heard, radclient

from gateway.simulate.radius import Accounted, simulate_radius
from gateway.simulate.radius_client import Way
from gateway.simulate.radius_exchange import Habits
from gateway.simulate.radius_flavours import BY_NAME, session_id
from gateway.simulate.radius_link import Server
from gateway.simulate.stream import Course

SECRET = "what the VPN server shares with us"
HOME_SECRET = "what we share with the next hop"
CONFIG = """
[gateway]
name = "gw1"
state_dir = "state"
[log]
level = "error"
[listeners.radius]
addresses = ["127.0.0.1:0"]
{answer}
[[listeners.radius.clients]]
name = "vpn1"
cidr = "127.0.0.1"
secret = "file:secret"
[metrics]
address = "127.0.0.1:0"
[[forwarders]]
name = "next"
kind = "sensor"
layout = "radius"
address = "udp://127.0.0.1:{home}"
secret = "file:home.secret"
start = "beginning"
retry.first = "100 ms"
retry.longest = "300 ms"
retry.timeout = "{timeout}"
[[forwarders]]
name = "archive"
kind = "file"
path = "events.ndjson"
start = "beginning"
"""
RELAYED = 'answer = "relayed"\nrelay = "next"'
READY = 2

PACKETS: Sequence[Attributes] = (
    [
        ("Acct-Status-Type", "Start"),
        ("Acct-Session-Id", "S1"),
        ("User-Name", 'CONTOSO\\zoë "z"'),
        ("NAS-IP-Address", "198.51.100.1"),
        ("Class", "0x00ff10"),
        ("Class", "0x0102"),
        ("Framed-IP-Address", "10.64.0.9"),
        ("Framed-IPv6-Prefix", "2001:db8:1::/64"),
        ("Tunnel-Type:1", "L2TP"),
        ("Tunnel-Client-Endpoint:1", "203.0.113.7"),
        ("MS-RAS-Client-Name", "LT-0001"),
        ("Cisco-AVPair", "mdm-tlv=device-platform=win"),
        ("Cisco-AVPair", "mdm-tlv=device-mac=02-00-00-00-00-01"),
        ("ASA-TunnelGroupName", "EMPLOYEES"),
        ("Attr-200", "0x010203"),
        ("Event-Timestamp", "1714983600"),
        ("Acct-Delay-Time", "7"),
    ],
    [("Acct-Status-Type", "Accounting-On"), ("NAS-Identifier", "vpn01.contoso.example"), ("Proxy-State", "0x0102"), ("Proxy-State", "0x03")],
    [("Message-Authenticator", "0x00"), ("Acct-Status-Type", "Stop"), ("Acct-Session-Id", "S1"), ("User-Name", "ana"), ("Acct-Input-Gigawords", "1")],
)


@dataclass(frozen=True, slots=True)
class Site:
    """Where a gateway runs, and which port its next hop has or will have."""

    folder: Path
    home: int

    def configure(self, answer: str = "", secret: str = HOME_SECRET, timeout: str = "3 s") -> None:
        (self.folder / "secret").write_text(SECRET)
        (self.folder / "home.secret").write_text(secret)
        (self.folder / "gateway.toml").write_text(CONFIG.format(home=self.home, answer=answer, timeout=timeout))

    @contextmanager
    def gateway(self) -> Iterator[GatewayProcess]:
        with running_gateway(self.folder / "gateway.toml", ready=READY) as gateway:
            yield gateway

    @contextmanager
    def next_hop(self) -> Iterator[FreeRadius]:
        with running_freeradius(self.folder / "home", secret=HOME_SECRET, port=self.home) as home:
            yield home

    def archived(self) -> int:
        return len((self.folder / "events.ndjson").read_bytes().splitlines())


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "home").mkdir()
    return Site(tmp_path, free_port())


def send(gateway: GatewayProcess, packets: Sequence[Attributes], *, tries: int = 1, timeout: float = 10) -> Heard:
    return radclient(gateway.address("listeners.radius", "udp"), SECRET, packets, tries=tries, timeout=timeout)


def start(number: int) -> Attributes:
    return [("Acct-Status-Type", "Start"), ("Acct-Session-Id", f"S{number}"), ("NAS-IP-Address", "198.51.100.1")]


def delivered(gateway: GatewayProcess) -> float:
    return sum(value for name, value in gateway.counters("delivered_total").items() if 'destination="next"' in name)


def sessions(arrived: Sequence[Arrived]) -> set[str]:
    return {request.values("Acct-Session-Id")[0] for request in arrived}


def test_attributes_arrive_as_they_were_sent_with_one_proxy_state_behind_them(site: Site, tmp_path: Path) -> None:
    (tmp_path / "direct").mkdir()
    with running_freeradius(tmp_path / "direct", secret=SECRET) as direct:
        assert radclient(direct.address, SECRET, PACKETS).answered == len(PACKETS)
        sent = direct.arrived()
    site.configure()
    with site.next_hop() as home, site.gateway() as gateway:
        heard = send(gateway, PACKETS)
        assert heard.answered == len(PACKETS), heard.text
        assert heard.text.count("Proxy-State = ") == 4  # radclient's own two, sent and received: nobody else's comes back
        while delivered(gateway) < len(PACKETS):
            pass
        arrived = home.arrived()
        assert gateway.stop() == 0
    assert len(arrived) == len(sent)
    for before, after in zip(sent, arrived, strict=True):
        *attributes, (last, state) = after.attributes
        assert (last, state.startswith("0x")) == ("Proxy-State", True)
        signed = ("Message-Authenticator", dict(attributes).get("Message-Authenticator", ""))
        assert [signed if name == "Message-Authenticator" else (name, value) for name, value in before.attributes] == attributes


def test_with_another_secret_nothing_arrives_and_the_records_wait(site: Site) -> None:
    site.configure(secret="not what the next hop expects", timeout="300 ms")
    with site.next_hop() as home:
        with site.gateway() as gateway:
            assert send(gateway, [start(number) for number in range(20)]).answered == 20
            while not any(value for name, value in gateway.counters("delivery_failures_total").items()):
                pass
            assert delivered(gateway) == 0
            gateway.process.kill()  # its end would wait for the next hop
        assert home.arrived() == []
        assert site.archived() == 20
        site.configure()
        with site.gateway() as gateway:
            while delivered(gateway) < 20:
                pass
            assert gateway.stop() == 0
        assert sessions(home.arrived()) == {f"S{number}" for number in range(20)}


def test_answers_that_wait_for_the_next_hop_come_after_it_has_answered(site: Site) -> None:
    site.configure(RELAYED)
    with site.gateway() as gateway:
        assert send(gateway, [start(1)], timeout=0.7).lost == 1
        heard: list[Heard] = []
        waiting = Thread(target=lambda: heard.append(send(gateway, [start(2)], tries=40, timeout=0.5)))
        waiting.start()
        gateway.await_received(2)
        assert heard == []
        with site.next_hop() as home:
            waiting.join()
            assert heard[0].answered == 1
            assert "S2" in sessions(home.arrived())
            assert send(gateway, [start(1)]).answered == 1
            assert sessions(home.arrived()) == {"S1", "S2"}
            assert gateway.stop() == 0


async def test_everything_arrives_through_a_next_hop_that_goes_and_comes(site: Site) -> None:
    site.configure()
    flavour = BY_NAME["rras"]
    answered: set[str] = set()
    results: list[Accounted] = []
    arrived: set[str] = set()
    with site.gateway() as gateway:
        way = Way(server=Server(False, *gateway.address("listeners.radius", "udp")), secret=SECRET.encode(), habits=Habits(first=0.5))

        async def simulate() -> None:
            results.append(
                await simulate_radius(
                    way,
                    flavour=flavour,
                    course=Course(rate=300, count=600),
                    random=Random(3),
                    on_answer=lambda nas, report: answered.add(session_id(flavour, nas, report)),
                )
            )

        async with trio.open_nursery() as nursery:
            nursery.start_soon(simulate)
            for count in (100, 300, 600):
                home = running_freeradius(site.folder / "home", secret=HOME_SECRET, port=site.home)
                server = await trio.to_thread.run_sync(home.__enter__)
                await trio.to_thread.run_sync(await_relayed, gateway, count)
                await trio.to_thread.run_sync(home.__exit__, None, None, None)
                arrived = sessions(server.arrived())  # its file goes on over its restarts
        assert results[0].tally.answered == 600
        assert gateway.stop() == 0
    assert arrived == answered
    records = [orjson.loads(line) for line in (site.folder / "events.ndjson").read_bytes().splitlines()]
    assert len(records) == 600


def await_relayed(gateway: GatewayProcess, count: int) -> None:
    """Return once the next hop has answered so many."""
    while delivered(gateway) < count:
        pass
