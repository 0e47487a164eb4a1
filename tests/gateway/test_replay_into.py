"""Replay into the running gateway: everything of the files is committed once, whatever happens to the gateway meanwhile, and a second run changes nothing."""

from __future__ import annotations

import io
import os
import signal
from array import array
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st
from support.evtx_writer import CHUNK, write_evtx
from support.gateway_process import running_gateway
from support.replays import ARRIVAL_NS, EVENTS, replay

from gateway.backfill import MAX_MESSAGES, TAKE, make_backfill
from gateway.cli import main
from gateway.config import Config
from gateway.control import Command, ControlError, NoAnswerError, NotRunningError, Request, ask, serve_control
from gateway.replay.course import Summary, gather
from gateway.replay.into import MAX_OCTETS, PATIENCE_S, Courier, Ended, Target, cut_frames, replay_into
from normalizers.normalizer import Normalizer
from pipeline.errors import DeliveryError, Fault, GatewayError
from pipeline.intake import Intake
from pipeline.log import LogSettings
from pipeline.log_lines import open_log
from pipeline.metrics import Metrics
from pipeline.model import Frames, Origin, Transport
from pipeline.rejects import Rejects
from pipeline.spool.letters import Requeue
from pipeline.spool.sqlite import SqliteSpool, open_spool
from wire.layouts.detect import BY_NAME

FORWARDERS: list[dict[str, Any]] = [{"name": name, "kind": "file", "path": f"/nowhere/{name}", "start": "beginning"} for name in ("archive", "sensor")]
LOG = open_log(io.StringIO(), LogSettings())


class Served:
    """A gateway of which only intake, spool and control socket run."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        self.config = Config.model_validate({"gateway": {"state_dir": state_dir}, "forwarders": FORWARDERS})
        self.metrics = Metrics()
        consumers = [table.consumer() for table in self.config.forwarders]
        self.spool: SqliteSpool = open_spool(state_dir, self.config.spool, consumers, self.metrics)
        self.intake = Intake(self.spool, self.metrics, Rejects())

    def commands(self, normalizer: Normalizer) -> Mapping[str, Command]:
        async def status(_request: Request) -> object:
            return {"gaps": []}

        return {TAKE: make_backfill(lambda: self.config, normalizer.normalize, self.intake, self.spool, clock=lambda: ARRIVAL_NS), "status": status}

    async def records(self, consumer: str = "archive") -> list[dict[str, Any]]:
        """What a consumer would get from the log."""
        found, behind = list[dict[str, Any]](), 0
        while (row := await self.spool.read(consumer, behind)) is not None:
            found += map(orjson.loads, row.texts())
            behind = row.end
        return found


@asynccontextmanager
async def served(state_dir: Path, normalizer: Normalizer | None = None) -> AsyncIterator[Served]:
    gateway = Served(state_dir)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(gateway.intake.run)
            await nursery.start(serve_control, state_dir, gateway.commands(normalizer or Normalizer()), LOG)
            yield gateway
            nursery.cancel_scope.cancel()
    finally:
        with trio.CancelScope(shield=True):
            await gateway.spool.close()


async def run(state_dir: Path, *paths: Path, to: str = "") -> tuple[Summary, GatewayError | None, list[str]]:
    lines = list[str]()
    ended = await replay_into(Target(state_dir, to), gather(paths)[0], tell=lines.append)
    assert ended.summary.reconciled
    assert not ended.interrupted
    return ended.summary, ended.failed, lines


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "own.evtx"
    path.write_bytes(write_evtx(EVENTS, per_chunk=70))
    return path


async def test_the_gateway_gets_what_a_replay_would_write(tmp_path: Path, log: Path) -> None:
    expected, plain, _ = replay(log)
    async with served(tmp_path / "state") as gateway:
        summary, error, lines = await run(gateway.state_dir, log)
        assert (error, lines) == (None, [])
        assert await gateway.records() == expected
        assert (summary.received, summary.normalized, summary.filtered) == (plain.received, plain.normalized, plain.filtered)
        assert gateway.metrics.received.labels("replay")._value.get() == plain.received


async def test_a_second_run_is_duplicates(tmp_path: Path, log: Path) -> None:
    async with served(tmp_path / "state") as gateway:
        first, _, _ = await run(gateway.state_dir, log)
        second, _, _ = await run(gateway.state_dir, log)
        assert (second.normalized, second.duplicate) == (Counter(), first.normalized)
        assert len(await gateway.records()) == first.normalized.total()


async def test_weak_records_of_one_place_are_known_again_and_equal_ones_are_kept(tmp_path: Path) -> None:
    """A password spray is many equal messages: as many records, however often the file is replayed, and again as many from another file."""
    message = BY_NAME["splunk-classic"].encode_event(next(event for event in EVENTS if event.event_id == "4776")).replace(b"RecordNumber", b"RecordNimber")
    one, other = tmp_path / "one.log", tmp_path / "other.log"
    for path in (one, other):
        path.write_bytes(b"".join(b"%d %b" % (len(message), message) for _ in range(5)))
    async with served(tmp_path / "state") as gateway:
        for path, expected in ((one, 5), (one, 5), (other, 10), (other, 10)):
            summary, error, _ = await run(gateway.state_dir, path)
            assert error is None
            assert summary.rejected == {}
            assert len(await gateway.records()) == expected
        assert len({record["metadata"]["uid"] for record in await gateway.records()}) == 1


async def test_no_gateway_is_said_at_once(tmp_path: Path, log: Path) -> None:
    (tmp_path / "state").mkdir()
    summary, error, _ = await run(tmp_path / "state", log)
    assert isinstance(error, NotRunningError)
    assert summary.received == 0


async def test_a_gateway_that_goes_away_is_waited_for_and_gets_again_what_it_did_not_answer(tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It dies twice behind a commit and before its answer, which is the worst time."""
    monkeypatch.setattr("gateway.replay.into.RETRY_S", 0.01)
    state_dir, expected, over = tmp_path / "state", replay(log)[0], trio.Event()
    lines, deaths = list[str](), 0
    done = list[Ended]()

    async def client() -> None:
        done.append(await replay_into(Target(state_dir), gather([log])[0], tell=lines.append))
        over.set()

    async with trio.open_nursery() as everything:
        found: list[dict[str, Any]] = []
        while not done:
            gateway = Served(state_dir)
            async with trio.open_nursery() as life:
                table = dict(gateway.commands(Normalizer()))
                dies = deaths < 2

                async def take(request: Request, inner: Command = table[TAKE], scope: trio.CancelScope = life.cancel_scope, *, last: bool = dies) -> object:
                    answer = await inner(request)
                    if last:
                        scope.cancel()
                        await trio.lowlevel.checkpoint()
                    return answer

                life.start_soon(gateway.intake.run)
                await life.start(serve_control, state_dir, table | {TAKE: take}, LOG)
                if not deaths:
                    everything.start_soon(client)
                deaths += 1
                await over.wait()
                life.cancel_scope.cancel()
            found = await gateway.records()
            await gateway.spool.close()
    summary = done[0].summary
    assert (done[0].failed, deaths) == (None, 3)
    assert found == expected
    assert summary.received == len(EVENTS)
    assert summary.normalized.total() + summary.duplicate.total() == len(expected)
    assert summary.duplicate.total() > 0
    assert lines == ["the gateway stopped; waiting for it to come back"]


async def test_an_interrupted_run_says_what_was_taken(tmp_path: Path, log: Path) -> None:
    async with served(tmp_path / "state") as gateway:
        lines = list[str]()
        signals = iter([0, os.kill])

        def advance(_octets: int) -> None:
            send = next(signals, 0)
            if callable(send):
                send(os.getpid(), signal.SIGTERM)

        ended = await replay_into(Target(gateway.state_dir, rate=1.0), gather([log, log.parent])[0], tell=lines.append, advance=advance)
        assert ended.interrupted
        assert ended.failed is None
        assert ended.summary.reconciled


async def test_a_destination_that_refuses_gets_no_more_than_may_be_parked(tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FORWARDERS[1], "dead_letters", 1)
    async with served(tmp_path / "state") as gateway:
        await run(gateway.state_dir, log, to="sensor")
        await answer_all(gateway.spool, DeliveryError("mapping", Fault.REFUSED))
        assert not await has_room(gateway.spool)
        await gateway.spool.requeue(Requeue("sensor"))
        await answer_all(gateway.spool, None)
        assert await has_room(gateway.spool)


async def answer_all(spool: SqliteSpool, refusal: DeliveryError | None) -> None:
    """What is before the sensor is taken, or refused."""
    letters = await spool.requeued("sensor")
    assert letters is not None
    for letter in letters.ids:
        spool.answer("sensor", letter, refusal)
    await spool.flush()


async def has_room(spool: SqliteSpool) -> bool:
    with trio.move_on_after(0):
        await spool.wait_for_room("sensor", 1)
        return True
    return False


WRONG: dict[str, tuple[dict[str, object], bytes]] = {
    "lengths of something else": ({"lengths": [3]}, b"four"),
    "no lengths": ({}, b"four"),
    "lengths that are none": ({"lengths": ["4"]}, b"four"),
    "a negative length": ({"lengths": [-1, 5]}, b"four"),
    "too many": ({"lengths": [0] * (MAX_MESSAGES + 1)}, b""),
    "a place that is none": ({"lengths": [4], "at": "x"}, b"four"),
    "another destination": ({"lengths": [4], "to": "nobody"}, b"four"),
}


@pytest.mark.parametrize(("arguments", "body"), WRONG.values(), ids=WRONG)
async def test_requests_that_are_none_are_refused(tmp_path: Path, arguments: dict[str, object], body: bytes) -> None:
    async with served(tmp_path / "state") as gateway:
        with pytest.raises(ControlError):
            await ask(gateway.state_dir, Request(TAKE, arguments, body))


async def test_a_body_that_nobody_could_hold_ends_the_connection(tmp_path: Path) -> None:
    async with served(tmp_path / "state") as gateway:
        with pytest.raises(NoAnswerError):
            await ask(gateway.state_dir, Request(TAKE, {"lengths": [4]}, bytes(5 << 20)))


@given(st.lists(st.integers(0, MAX_OCTETS + 10) | st.integers(0, 40), max_size=12))
def test_requests_hold_what_they_may_and_together_everything(lengths: Sequence[int]) -> None:
    spans, at = array("I"), 0
    for length in lengths:
        spans.extend((at, at + length))
        at += length
    frames = Frames(b"", spans, Origin("replay", Transport.FILE, "x", 0))
    pieces = list(cut_frames(frames))
    assert [pair for piece in pieces for pair in piece.pairs()] == list(frames.pairs())
    for piece in pieces:
        assert len(piece) == 1 or sum(end - start for start, end in piece.pairs()) <= MAX_OCTETS


def test_more_messages_than_a_request_may_have_are_several() -> None:
    frames = Frames(b"", array("I", [0, 0] * (MAX_MESSAGES + 1)), Origin("replay", Transport.FILE, "x", 0))
    assert [len(piece) for piece in cut_frames(frames)] == [MAX_MESSAGES, 1]
    assert {len(piece) for piece in cut_frames(frames, 1)} == {1}


@pytest.mark.parametrize(("rate", "at_once"), [(None, MAX_MESSAGES), (0.1, 1), (1000.0, 500), (1e9, MAX_MESSAGES)], ids=str)
def test_a_rate_has_no_bursts(rate: float | None, at_once: int) -> None:
    assert Target(Path(), rate=rate).at_once == at_once


async def test_messages_go_at_the_rate(autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(_state_dir: Path, _request: Request, **_: float) -> object:
        return {"again": False, "received": 0, "control": 0, **{name: {} for name in ("normalized", "duplicate", "filtered", "rejected", "warnings")}}

    monkeypatch.setattr("gateway.replay.into.ask", answer)
    courier = Courier(Target(Path(), rate=10.0), lambda _line: None)
    frames = Frames(b"", array("I", [0, 0] * 5), Origin("replay", Transport.FILE, "x", 0))
    for number in range(7):
        await courier.hand_over(frames, 5 * number)
    assert trio.current_time() == pytest.approx(3.0)


async def test_a_gateway_that_takes_nothing_says_why_and_is_waited_for(autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(_state_dir: Path, request: Request, **_: float) -> object:
        if request.command == "status":
            return {"gaps": ["spool: destination sensor: its quota of 9 octets is full"]}
        await trio.sleep(3600)
        return {"again": False, "received": 1, "control": 1, **{name: {} for name in ("normalized", "duplicate", "filtered", "rejected", "warnings")}}

    monkeypatch.setattr("gateway.replay.into.ask", answer)
    lines = list[str]()
    taken = await Courier(Target(Path()), lines.append).hand_over(Frames(b"", array("I", [0, 0]), Origin("replay", Transport.FILE, "x", 0)), 0)
    assert (taken.received, lines) == (1, ["waiting: spool: destination sensor: its quota of 9 octets is full"])


async def test_a_gateway_that_does_not_come_back_is_given_up(autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    async def nobody(state_dir: Path, _request: Request, **_: float) -> object:
        raise NotRunningError(str(state_dir), "no gateway is running on this state directory")

    monkeypatch.setattr("gateway.replay.into.ask", nobody)
    with pytest.raises(NoAnswerError, match="run this again"):
        await Courier(Target(Path()), lambda _line: None).hand_over(Frames(b"", array("I", [0, 0]), Origin("replay", Transport.FILE, "x", 0)), 0)
    assert trio.current_time() == pytest.approx(PATIENCE_S, abs=1)


CONFIG = """
[gateway]
state_dir = "state"

[[forwarders]]
name = "archive"
kind = "file"
path = "out.ndjson"
start = "beginning"

[[forwarders]]
name = "late"
kind = "file"
path = "late.ndjson"
start = "beginning"

[listeners.syslog]
tcp = ["127.0.0.1:0"]
"""


def test_what_a_gateway_took_it_knows_after_it_was_killed(tmp_path: Path, log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "tidegate.toml"
    config.write_text(CONFIG)
    with running_gateway(config, ready=1):
        assert main(["replay", str(log), "--into", "--config", str(config)]) == 0
    assert "duplicate 0" in capsys.readouterr().err
    with running_gateway(config, ready=1) as gateway:
        gateway.stop(signal.SIGKILL)
    with running_gateway(config, ready=1) as gateway:
        assert main(["replay", str(log), "--into", "--config", str(config), "--rate", "max", "--json"]) == 0
        summary = orjson.loads(capsys.readouterr().err)
        assert summary["normalized"] == {}
        assert summary["reconciled"]
        for normalized in (True, False):
            assert main(["replay", str(log), "--into", "--to", "late", "--config", str(config), "--rate", "max", "--json"]) == 0
            assert bool(orjson.loads(capsys.readouterr().err)["normalized"]) is normalized
        assert gateway.stop() == 0
    expected = sorted(record["metadata"]["uid"] for record in replay(log)[0])
    assert written(tmp_path / "out.ndjson") == expected
    assert written(tmp_path / "late.ndjson") == sorted([*expected, *expected])


def written(path: Path) -> list[str]:
    return sorted(orjson.loads(line)["metadata"]["uid"] for line in path.read_bytes().splitlines())


USAGE: dict[str, Sequence[str]] = {
    "an output of no use": ["--into", "--output", "x"],
    "a profile that isn't the gateway's": ["--into", "--profile", "mdi-current"],
    "a destination without a gateway": ["--to", "archive"],
    "a rate without a gateway": ["--rate", "5"],
    "a rate that is none": ["--into", "--rate", "fast"],
    "a rate of nothing": ["--into", "--rate", "0"],
}


@pytest.mark.parametrize("arguments", USAGE.values(), ids=USAGE)
def test_what_would_have_no_effect_is_refused(log: Path, tmp_path: Path, arguments: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    assert main(["replay", str(log), *arguments]) == 2


async def test_one_destination_alone_gets_what_is_for_it(tmp_path: Path, log: Path) -> None:
    """Though all have had it before; once, and durably."""
    async with served(tmp_path / "state") as gateway:
        await run(gateway.state_dir, log)
        before = await gateway.records()
        summary, error, _ = await run(gateway.state_dir, log, to="sensor")
        assert (error, summary.duplicate, summary.normalized.total()) == (None, {}, len(before))
        assert await gateway.records() == before
        again, _, _ = await run(gateway.state_dir, log, to="sensor")
        assert (again.normalized, again.duplicate) == ({}, summary.normalized)
        other, _, _ = await run(gateway.state_dir, log, to="archive")
        assert other.normalized == summary.normalized
    async with served(tmp_path / "state") as gateway:
        assert gateway.spool.letters_before("sensor") == len(before)
        letters = await gateway.spool.requeued("sensor")
        assert letters is not None
        assert list(map(orjson.loads, letters.row.texts())) == before
        again, _, _ = await run(gateway.state_dir, log, to="sensor")
        assert again.normalized == {}


async def test_a_filter_holds_for_what_is_for_one_destination(tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FORWARDERS[1], "filter", {"event_codes": ["4776"]})
    async with served(tmp_path / "state") as gateway:
        summary, _, _ = await run(gateway.state_dir, log, to="sensor")
        assert set(summary.normalized) == {"4776"}
        letters = await gateway.spool.requeued("sensor")
        assert letters is not None
        assert {entry.event_code for entry in letters.row.entries()} == {"4776"}
        assert len(letters.row) == summary.normalized["4776"]


async def test_a_destination_that_lags_behind_is_waited_for(tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.backfill.MAX_LETTERS", 1)
    monkeypatch.setattr("listeners.evtx.AT_ONCE", CHUNK)
    expected = replay(log)[0]
    async with served(tmp_path / "state") as gateway:
        taken, most = list[dict[str, Any]](), 0

        async def destination() -> None:
            nonlocal most
            while True:
                await gateway.spool.wait_for_more("sensor")
                letters = await gateway.spool.requeued("sensor")
                if letters is not None:
                    most = max(most, len(letters.ids))
                    taken.extend(map(orjson.loads, letters.row.texts()))
                    for letter in letters.ids:
                        gateway.spool.answer("sensor", letter)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(destination)
            summary, error, _ = await run(gateway.state_dir, log, to="sensor")
            while len(taken) < len(expected):
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
        assert error is None
        assert summary.normalized.total() == len(expected)
        assert taken == expected
        assert most < len(expected)
        assert gateway.spool.letters_before("sensor") == 0
