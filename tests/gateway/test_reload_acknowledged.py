"""A reload while domain controllers forward and VPN servers account: every message is answered on the connection it came by, and what was acknowledged is kept.

Subscriptions, clients, certificates and normalizing change meanwhile, and each holds from the next message or handshake on.
"""

from __future__ import annotations

import socket
import ssl
from collections import Counter
from collections.abc import Callable
from itertools import count
from pathlib import Path
from random import Random

import orjson
import pytest
import trio
from support.gateway_process import GatewayProcess, running_gateway

from gateway.authority import Authority, make_authority
from gateway.cli import main
from gateway.exit_code import ExitCode
from gateway.simulate.radius import simulate_radius
from gateway.simulate.radius_client import Way as AccountingWay
from gateway.simulate.radius_flavours import BY_NAME
from gateway.simulate.radius_link import Server
from gateway.simulate.radius_sessions import Nas, Report
from gateway.simulate.stream import Course
from gateway.simulate.wef import simulate_wef
from gateway.simulate.wef_certificate import issue_certificate, make_context
from gateway.simulate.wef_connection import Way
from gateway.simulate.wef_delivery import Post
from gateway.simulate.wef_machine import Habits, Machine
from gateway.simulate.wef_manager import parse_manager
from wire.radius.attributes import Attribute
from wire.radius.authenticators import encode_accounting_request

SECRET, OTHER_SECRET = "a secret of sixteen octets or more", "another secret of many octets"
CONFIG = """
[gateway]
state_dir = "state"
[normalize]
labels = ["reload:{number}"]
[listeners.wef]
connections_per_peer = 1024
[[listeners.wef.endpoints]]
address = "127.0.0.1:{https}"
url = "https://localhost:{https}"
auth = "certificate"
certificate = "{server}.pem"
key = "{server}.key"
client_ca = ["ca.pem"]
[[listeners.wef.subscriptions]]
name = "identity"
max_time = "100 ms"
read_existing = true
heartbeat = "{heartbeat}"
[listeners.radius]
addresses = ["127.0.0.1:0"]
[[listeners.radius.clients]]
name = "vpn1"
cidr = "127.0.0.1"
secret = "file:secret"
vendor = "{vendor}"
[metrics]
address = "127.0.0.1:0"
[[forwarders]]
name = "archive"
kind = "file"
path = "events.ndjson"
start = "beginning"
"""
SUBSCRIPTION = """
[[listeners.wef.subscriptions]]
name = "more"
profile = "mdi-current"
"""
CLIENT = """
[[listeners.radius.clients]]
name = "vpn2"
cidr = "127.0.0.2"
secret = "file:other"
"""
READY = 3
RELOADS = 6
MACHINES = 3
BETWEEN = 3
"""Messages of events that are acknowledged between two reloads, so that each meets some under way."""

Restate = Callable[..., None]
"""Writes the configuration anew: its number, and `more` of it."""


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    made = make_authority("Contoso Test Root")
    (tmp_path / "ca.pem").write_bytes(made.pem)
    for name in ("first", "second"):
        issued = made.issue("localhost")
        (tmp_path / f"{name}.pem").write_bytes(issued.certificate)
        (tmp_path / f"{name}.key").write_bytes(issued.key)
    (tmp_path / "secret").write_text(SECRET)
    (tmp_path / "other").write_text(OTHER_SECRET)
    return made


@pytest.fixture
def restate(tmp_path: Path, authority: Authority) -> Restate:
    assert authority
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        https = probe.getsockname()[1]

    def write(number: int, more: str = "") -> None:
        server, vendor = ("first", "second")[number % 2], ("Contoso", "Fabrikam")[number % 2]
        text = CONFIG.format(number=number, https=https, server=server, vendor=vendor, heartbeat=f"{60 + number} s")
        (tmp_path / "gateway.toml").write_text(text + more)

    write(0)
    return write


@pytest.mark.timeout(300)
async def test_what_is_acknowledged_while_it_reloads_is_kept_and_no_connection_ends(tmp_path: Path, authority: Authority, restate: Restate) -> None:
    acknowledged, posted, answered, withdrawn, enough = Counter[tuple[str, str, str]](), 0, 0, 0, trio.Event()
    progress = trio.lowlevel.ParkingLot()

    def note_ack(machine: Machine, post: Post) -> None:
        nonlocal posted
        posted += bool(post.events)
        progress.unpark_all()
        acknowledged.update((machine.name, channel, str(logged.record_id)) for channel, logged in post.events)

    def note_answer(_nas: Nas, _report: Report) -> None:
        nonlocal answered
        answered += 1

    with running_gateway(tmp_path / "gateway.toml", ready=READY) as gateway:
        names = [f"dc{at:02}.contoso.example" for at in range(1, MACHINES + 1)]
        named: list[tuple[str, Way]] = [(name, issue_certificate(make_context(tmp_path / "ca.pem"), authority, name)) for name in names]
        manager = parse_manager(f"https://localhost:{gateway.address('listeners.wef', 'https')[1]}")
        accounting = AccountingWay(server=Server(False, *gateway.address("listeners.radius", "udp")), secret=SECRET.encode())
        habits = Habits(refresh=0.5, retry_after=0.3, patient=True)

        async def forward() -> None:
            nonlocal withdrawn
            done = await simulate_wef(manager, named, course=Course(rate=200), random=Random(4), habits=habits, stop=enough, on_ack=note_ack, drain=60)
            assert (done.tally.failures, done.tally.abandonments, done.waiting, dict(done.reasons)) == (0, 0, 0, {})
            withdrawn = done.tally.withdrawn

        async def account() -> None:
            course = Course(rate=100)
            done = await simulate_radius(accounting, servers=3, flavour=BY_NAME["rras"], course=course, random=Random(9), stop=enough, on_answer=note_answer)
            assert done.tally.unanswered == 0

        async with trio.open_nursery() as nursery:
            nursery.start_soon(forward)
            nursery.start_soon(account)
            for number in range(1, RELOADS + 1):
                restate(number, SUBSCRIPTION + (CLIENT if number % 2 else ""))
                assert await trio.to_thread.run_sync(main, ["reload", "--config", str(gateway.config)]) == ExitCode.OK
                until = posted + BETWEEN
                while posted < until:
                    await progress.park()
            enough.set()
        ended = gateway.counters("connections_ended_total")
        assert gateway.stop() == 0
    records = [orjson.loads(line) for line in (tmp_path / "events.ndjson").read_bytes().splitlines()]
    events = [record for record in records if record["class_uid"] != 4014]
    kept = Counter((record["device"]["hostname"], record["metadata"]["log_name"], record["metadata"]["original_event_uid"]) for record in events)
    assert not [name for name in ended if "reset" not in name and "truncated" not in name], "machines leave a version of a subscription within a request"
    assert set() != acknowledged.keys() <= kept.keys()
    assert len(kept.keys() - acknowledged.keys()) <= withdrawn, "whoever leaves a version may miss the answer to what it sent; the bookmark is beyond that"
    assert set(kept.values()) == {1}
    assert len(records) - len(events) == answered > 0
    labels = {label for record in records for label in record["metadata"].get("labels", ()) if label.startswith("reload:")}
    assert len(labels) > RELOADS // 2, "or nothing happened meanwhile"


def test_a_handshake_and_a_request_meet_what_is_in_force(tmp_path: Path, restate: Restate) -> None:
    config = tmp_path / "gateway.toml"
    numbers = count(1)

    def certificate(gateway: GatewayProcess) -> bytes:
        """Which one the endpoint shows now."""
        context = ssl.create_default_context(cafile=tmp_path / "ca.pem")
        with context.wrap_socket(socket.create_connection(gateway.address("listeners.wef", "https")), server_hostname="localhost") as secured:
            return ssl.DER_cert_to_PEM_cert(secured.getpeercert(binary_form=True) or b"").encode()

    def ask(sock: socket.socket, secret: str) -> None:
        number = next(numbers)
        sock.send(encode_accounting_request(number, (Attribute(40, (1).to_bytes(4)), Attribute(44, b"S%d" % number)), secret.encode()))

    with running_gateway(config, ready=READY) as gateway, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.2", 0))
        sock.connect(gateway.address("listeners.radius", "udp"))
        sock.settimeout(30)
        assert certificate(gateway) == (tmp_path / "first.pem").read_bytes()
        ask(sock, OTHER_SECRET)
        while 'reason="unknown-client"' not in str(gateway.counters("radius_dropped_total")):
            pass
        restate(1, CLIENT)
        assert main(["reload", "--config", str(config)]) == ExitCode.OK
        assert certificate(gateway) == (tmp_path / "second.pem").read_bytes()
        ask(sock, OTHER_SECRET)
        assert sock.recv(100)[0] == 5
        (tmp_path / "other").write_text(SECRET)
        assert main(["reload", "--config", str(config)]) == ExitCode.OK, "a secret's file is read again, wherever it is named"
        ask(sock, SECRET)
        assert sock.recv(100)[0] == 5
        assert gateway.stop() == 0
