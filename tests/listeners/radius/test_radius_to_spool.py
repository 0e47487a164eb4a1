"""From the socket to the disk with everything real in between: what is answered is kept, once, through retransmissions, restarts and a full spool."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from support.radius_listening import NOW_NS, PATIENCE, SECRET, START, heard, nas, radius_settings, request, silent

from listeners.radius.retransmissions import STEP_NS
from listeners.radius.serve import serve_radius
from listeners.ready import Ready
from normalizers.normalizer import Normalizer
from pipeline.intake import Intake
from pipeline.log import LogSettings
from pipeline.log_lines import open_log
from pipeline.metrics import Metrics
from pipeline.rejects import Rejects
from pipeline.spool.settings import Consumer, OnFull, SpoolSettings, Start
from pipeline.spool.sqlite import SqliteSpool, open_spool
from wire.radius.attributes import Attribute
from wire.radius.authenticators import encode_accounting_request, encode_status_server

NORMALIZER = Normalizer()
ARCHIVE = Consumer("archive", Start.BEGINNING)
BLOCKING = Consumer("archive", Start.BEGINNING, quota=1, on_full=OnFull.BLOCK)
ON = encode_accounting_request(0, [Attribute(40, (7).to_bytes(4)), Attribute(4, bytes((192, 0, 2, 1)))], SECRET)


@dataclass
class House:
    """A listener with its spool, and a clock that tests turn."""

    spool: SqliteSpool
    metrics: Metrics
    rejects: Rejects
    ready: list[Ready] = field(default_factory=list)
    now_ns: int = NOW_NS

    @property
    def address(self) -> tuple[str, int]:
        return self.ready[0].address

    def total(self, counter: str) -> int:
        """A counter's sum over its labels."""
        name = f"tidegate_{counter}"
        return int(sum(s.value for metric in self.metrics.registry.collect() for s in metric.samples if metric.name == name and s.name == f"{name}_total"))


@asynccontextmanager
async def house(state: Path, *, now_ns: int = NOW_NS, consumer: Consumer = ARCHIVE) -> AsyncIterator[House]:
    """Listener, normalizer, intake and spool; whatever isn't answered at the end never will be, as if the power had gone."""
    metrics, rejects, text = Metrics(), Rejects(), StringIO()
    spool = open_spool(state, SpoolSettings(), (consumer,), metrics, clock_ms=lambda: NOW_NS // 10**6)
    intake = Intake(spool, metrics, rejects)
    found = House(spool, metrics, rejects, now_ns=now_ns)
    serve = partial(
        serve_radius,
        radius_settings({}),
        normalize=NORMALIZER.normalize_radius,
        intake=intake,
        remember=rejects.keep,
        metrics=metrics,
        takes_in=lambda: spool.blockade is None,
        clock=lambda: found.now_ns,
        log=open_log(text, LogSettings()),
    )
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(intake.run)
            found.ready += await nursery.start(serve)
            yield found
            nursery.cancel_scope.cancel()
    finally:
        await spool.close()
    assert "Traceback" not in text.getvalue()
    assert found.total("received") == sum(found.total(name) for name in ("normalized", "duplicate", "filtered", "rejected", "control"))


async def kept(state: Path) -> list[dict[str, dict[str, str]]]:
    """Every record of the spool."""
    spool = open_spool(state, SpoolSettings(), (ARCHIVE,), Metrics())
    records: list[dict[str, dict[str, str]]] = []
    while (row := await spool.read("archive")) is not None:
        records += map(orjson.loads, row.texts())
        spool.advance("archive", row.end, b"")
    await spool.close()
    return records


async def test_what_is_answered_is_kept_once(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        with nas(found.address) as client:
            for _ in range(2):
                for number in range(100):
                    await client.send(request(number))
                assert {(await heard(client))[1] for _ in range(100)} == set(range(100))
        assert (found.total("normalized"), found.total("duplicate"), found.total("radius_answered")) == (100, 100, 200)
    assert sorted(record["session"]["uid"] for record in await kept(tmp_path)) == sorted(f"session-{number}" for number in range(100))


#   seconds between the two    restarted between    records    why
TWICE = [
    (0,                          False,               1,         "at once"),
    (40,                         False,               1,         "a retransmission"),
    (40,                         True,                1,         "a retransmission over a restart"),
    (700,                        False,               2,         "two starts of the server"),
    (700,                        True,                2,         "two starts of the server, and one of ours"),
]  # fmt: skip


@pytest.mark.parametrize(("seconds", "restarted", "records"), [case[:3] for case in TWICE], ids=[case[3] for case in TWICE])
async def test_an_accounting_on_without_a_time_that_is_the_same_to_the_octet(tmp_path: Path, seconds: int, restarted: object, records: int) -> None:
    now = NOW_NS // STEP_NS * STEP_NS

    async def ask(found: House, client: trio.socket.SocketType) -> None:
        await client.sendto(ON, found.address)
        await heard(client)

    with trio.socket.socket(type=trio.socket.SOCK_DGRAM) as client:  # one port all along, as a server's
        async with house(tmp_path, now_ns=now) as found:
            await ask(found, client)
            if not restarted:
                found.now_ns += seconds * 10**9
                await ask(found, client)
        if restarted:
            async with house(tmp_path, now_ns=now + seconds * 10**9) as found:
                await ask(found, client)
    assert len(await kept(tmp_path)) == records


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens.

    number:     of the request that is sent, None for a restart.
    unheard:    whether the gateway loses power right behind sending it.
    """

    number: int | None
    unheard: bool = False


steps = st.lists(st.builds(Step, st.integers(0, 5) | st.none(), st.booleans()), max_size=12)


@settings(max_examples=25)
@given(steps)
def test_answered_is_kept_and_kept_is_once_whatever_happens(course: list[Step]) -> None:
    """Requests without a time of their own, so that their packets alone tell them apart."""

    async def run(folder: Path) -> None:
        answered, sent, left = set[int](), set[int](), list(course)
        with trio.socket.socket(type=trio.socket.SOCK_DGRAM) as client:
            await client.bind(("127.0.0.1", 0))
            while left:
                async with house(folder) as found:
                    while left:
                        step = left.pop(0)
                        if step.number is None:
                            break
                        sent.add(step.number)
                        await client.sendto(request(step.number), found.address)
                        if step.unheard:
                            break
                        answered.add((await heard(client))[1])
        names = [record["session"]["uid"] for record in await kept(folder)]
        assert len(names) == len(set(names))
        assert {f"session-{number}" for number in answered} <= set(names) <= {f"session-{number}" for number in sent}

    with TemporaryDirectory() as folder:
        trio.run(run, Path(folder))


async def test_what_is_rejected_is_kept_for_explain_and_not_answered(tmp_path: Path) -> None:
    bad = encode_accounting_request(3, [Attribute(44, b"session")], SECRET)
    async with house(tmp_path) as found:
        with nas(found.address) as client:
            await client.send(bad)
            await client.send(request(4))
            assert (await heard(client))[1] == 4
            await until(lambda: bool(found.rejects.last(1)))
        (rejected,) = found.rejects.last(1)
        assert (rejected.reject.raw, rejected.origin.identity) == (bad, "vpn1")
        assert found.total("radius_unanswered") == 1
    async with house(tmp_path) as found:
        assert [reject.raw for _, reject in await found.spool.rejects(10)] == [bad]


async def test_while_a_destination_blocks_the_spool_nobody_is_answered_and_nothing_is_lost(tmp_path: Path) -> None:
    async with house(tmp_path, consumer=BLOCKING) as found:
        with nas(found.address) as client, nas(found.address) as other:
            await client.send(request(1))
            assert (await heard(client))[1] == 1
            await until(lambda: found.spool.blockade is not None)
            await client.send(request(2))
            await client.send(request(2))
            await other.send(encode_status_server(3, bytes(range(16)), SECRET))
            await until(lambda: found.total("radius_unanswered") == 1)
            await trio.testing.wait_all_tasks_blocked(0.01)
            assert (silent(client), silent(other)) == (True, True)
            row = await found.spool.read("archive")
            assert row is not None
            found.spool.advance("archive", row.end, b"")
            assert [(await heard(client))[1] for _ in range(2)] == [2, 2]
        assert (found.total("normalized"), found.total("duplicate"), found.total("control")) == (2, 1, 1)


async def test_retransmissions_of_a_request_in_flight_wait_with_it_and_are_answered_with_it(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        with nas(found.address) as client:
            for _ in range(20):
                await client.send(encode_accounting_request(9, [START, Attribute(44, b"one")], SECRET))
            assert [(await heard(client))[1] for _ in range(20)] == [9] * 20
        assert (found.total("normalized"), found.total("duplicate")) == (1, 19)


async def until(holds: Callable[[], bool]) -> None:
    with trio.fail_after(PATIENCE):
        while not holds():
            await trio.lowlevel.checkpoint()
