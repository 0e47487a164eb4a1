"""What the gateway acknowledges to a domain controller it keeps: killed at any moment, its answers lost on the way, or its disk quota full."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import orjson
import pytest
import trio
from support.gateway_process import GatewayProcess, running_gateway
from support.proxy import Proxy, running_proxy

from gateway.authority import Authority, make_authority
from gateway.simulate.stream import Course
from gateway.simulate.wef import Delivered, simulate_wef
from gateway.simulate.wef_certificate import issue_certificate, make_context
from gateway.simulate.wef_connection import Way
from gateway.simulate.wef_delivery import Post
from gateway.simulate.wef_machine import Habits, Machine
from gateway.simulate.wef_manager import parse_manager

CONFIG = """
[gateway]
name = "gw1"
state_dir = "state"
[log]
level = "error"
[spool]
max_bytes = "{spool}"
[listeners.wef]
connections_per_peer = 1024
answer_within = "1 s"
[[listeners.wef.endpoints]]
address = "127.0.0.1:0"
url = "https://localhost:{port}"
auth = "certificate"
certificate = "server.pem"
key = "server.key"
client_ca = ["ca.pem"]
[[listeners.wef.subscriptions]]
name = "identity"
max_time = "100 ms"
read_existing = true
[metrics]
address = "127.0.0.1:0"
[[forwarders]]
name = "archive"
kind = "file"
path = "events.ndjson"
start = "beginning"
"""

BLOCKED = """
[[forwarders]]
name = "sensor"
kind = "sensor"
layout = "splunk"
address = "tcp://127.0.0.1:{port}"
start = "beginning"
retry.longest = "100 ms"
retry.first = "50 ms"
"""

Key = tuple[str, str, str]
"""Computer, channel, record ID."""

READY = 2
HURRIED = Habits(refresh=2.0, retry_after=0.3, patient=True)


@dataclass(slots=True)
class Site:
    """A gateway to be, machines that will forward to it, and the proxy between them.

    acked:  every event that was acknowledged, as often as it was.
    """

    folder: Path
    proxy: Proxy
    authority: Authority
    acked: Counter[Key] = field(default_factory=Counter)
    grown: trio.Event = field(default_factory=trio.Event)
    over: bool = False

    @asynccontextmanager
    async def gateway(self) -> AsyncIterator[GatewayProcess]:
        """One run of the gateway, behind the proxy; killed at the end if it still runs."""
        run = running_gateway(self.folder / "gateway.toml", ready=READY)
        gateway = await trio.to_thread.run_sync(run.__enter__)
        self.proxy.behind = gateway.address("listeners.wef", "https")
        try:
            yield gateway
        finally:
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(run.__exit__, None, None, None)

    async def simulate(self, machines: int, course: Course) -> Delivered:
        named: list[tuple[str, Way]] = []
        for at in range(1, machines + 1):
            name = f"dc{at:02}.contoso.example"
            named.append((name, issue_certificate(make_context(self.folder / "ca.pem"), self.authority, name)))
        manager = parse_manager(f"https://localhost:{self.proxy.port}")
        return await simulate_wef(manager, named, course=course, random=Random(4), habits=HURRIED, on_ack=self._note, drain=600)

    @asynccontextmanager
    async def forwarding(self, machines: int, course: Course) -> AsyncIterator[Callable[[], Awaitable[Delivered]]]:
        """A simulation beside the block, which may await its outcome."""
        send, receive = trio.open_memory_channel[Delivered](1)

        async def forward() -> None:
            await send.send(await self.simulate(machines, course))
            self.over = True
            self._stir()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(forward)
            yield receive.receive
            nursery.cancel_scope.cancel()

    def _note(self, machine: Machine, post: Post) -> None:
        self.acked.update((machine.name, channel, str(logged.record_id)) for channel, logged in post.events)
        self._stir()

    def _stir(self) -> None:
        self.grown.set()
        self.grown = trio.Event()

    async def until_acked(self, count: int) -> None:
        """Return once so many events were acknowledged; or never will be, since they were kept and it was the answer that got lost."""
        while len(self.acked) < count and not self.over:
            await self.grown.wait()

    async def until_refused(self, gateway: GatewayProcess) -> None:
        """Return once a delivery was answered 503."""
        while not any('status="503"' in label and value for label, value in (await trio.to_thread.run_sync(gateway.counters, "http_responses")).items()):
            pass

    def kept(self) -> Mapping[Key, set[str]]:
        """The uids that each event has in the archive."""
        found: dict[Key, set[str]] = {}
        for line in (self.folder / "events.ndjson").read_bytes().splitlines():
            record = orjson.loads(line)
            metadata = record["metadata"]
            found.setdefault((record["device"]["hostname"], metadata["log_name"], metadata["original_event_uid"]), set()).add(metadata["uid"])
        return found

    def judge(self) -> None:
        """Every acknowledged event is in the archive, none under two uids, no two under one."""
        kept = self.kept()
        assert self.acked.keys() <= kept.keys()
        assert {len(uids) for uids in kept.values()} == {1}
        assert len({uid for uids in kept.values() for uid in uids}) == len(kept)


@asynccontextmanager
async def site(folder: Path, spool: str = "1 GiB", more: str = "") -> AsyncIterator[Site]:
    authority = make_authority("Contoso Test Root")
    server = authority.issue("localhost")
    (folder / "server.pem").write_bytes(server.certificate)
    (folder / "server.key").write_bytes(server.key)
    (folder / "ca.pem").write_bytes(authority.pem)
    async with running_proxy() as proxy:
        (folder / "gateway.toml").write_text(CONFIG.format(port=proxy.port, spool=spool) + more)
        yield Site(folder, proxy, authority)


def total(gateway: GatewayProcess, name: str) -> int:
    return int(sum(value for label, value in gateway.counters(f"{name}_total").items() if "listeners.wef" in label))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [1])
async def test_fifty_machines_and_a_gateway_that_is_killed(tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    count, machines = 5000, 50
    async with site(tmp_path) as here, here.forwarding(machines, Course(rate=1500, count=count)) as outcome:
        for moment in sorted(random.sample(range(1, count - 500), 8)):
            async with here.gateway() as gateway:
                await here.until_acked(moment)
                gateway.process.kill()
        async with here.gateway() as gateway:
            done = await outcome()
            assert await trio.to_thread.run_sync(gateway.stop) == 0
    assert (done.tally.unacked, done.waiting, done.tally.overwritten) == (0, 0, 0), done
    assert done.tally.failures > 0
    here.judge()
    assert len(here.kept()) == done.logged == count  # what was kept and never acknowledged isn't lost either: the bookmark is beyond it


async def test_an_answer_lost_on_the_way_makes_duplicates_and_no_more(tmp_path: Path) -> None:
    random = Random(3)
    async with site(tmp_path) as here, here.forwarding(5, Course(rate=400, count=1200)) as outcome, here.gateway() as gateway:
        here.proxy.loses = lambda: random.random() < 0.1
        await here.until_acked(800)
        here.proxy.loses = lambda: False
        done = await outcome()
        await trio.to_thread.run_sync(gateway.await_delivered, 1200)
        counted = {name: total(gateway, name) for name in ("received", "normalized", "duplicate")}
        assert await trio.to_thread.run_sync(gateway.stop) == 0
    here.judge()
    assert len(here.kept()) == counted["normalized"] == done.logged == 1200
    assert counted["duplicate"] == counted["received"] - 1200 > 0
    assert done.tally.resent + done.tally.withdrawn >= counted["duplicate"]


async def test_a_full_spool_withholds_the_ack_and_what_is_sent_again_is_kept_once(tmp_path: Path) -> None:
    with socket.socket() as sensor:
        sensor.bind(("127.0.0.1", 0))  # and doesn't listen: the sensor is away
        blocked = BLOCKED.format(port=sensor.getsockname()[1])
        async with site(tmp_path, "64 KiB", blocked) as here, here.forwarding(2, Course(rate=None, count=4000)) as outcome, here.gateway() as gateway:
            await here.until_refused(gateway)
            assert len(here.acked) < 4000
            sensor.listen()
            with trio.socket.from_stdlib_socket(sensor.dup()) as listener:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(swallow, listener)
                    done = await outcome()
                    nursery.cancel_scope.cancel()
            duplicates, kept = total(gateway, "duplicate"), total(gateway, "normalized")
            assert await trio.to_thread.run_sync(gateway.stop) == 0
    here.judge()
    assert (len(here.kept()), kept) == (4000, 4000)
    assert done.tally.unacked == 0
    assert done.reasons.get("status-503", 0) > 0
    assert duplicates <= done.tally.resent + done.tally.withdrawn


async def swallow(listener: trio.socket.SocketType) -> None:
    """A sensor that takes everything."""

    async def take(peer: trio.socket.SocketType) -> None:
        with peer:
            while await peer.recv(65_536):
                pass

    async with trio.open_nursery() as nursery:
        while True:
            peer, _ = await listener.accept()
            nursery.start_soon(take, peer)
