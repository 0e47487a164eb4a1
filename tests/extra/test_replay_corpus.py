"""Replay over EVTX files that others collected: as many distinct events of each ID as an independent parser finds, every record valid."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import orjson
import pytest
from support.evtx_oracle import read_with_oracle
from support.ocsf import check

from gateway.replay.course import Replay, Summary, gather
from listeners.evtx import Damage, read_evtx
from normalizers.normalizer import Normalizer
from pipeline.model import Origin, Transport
from wire.event import WindowsEvent
from wire.event_xml import parse_event

ARRIVAL_NS = 1_714_979_300_000_000_000
MISSING = re.compile(r"[ \t\r\n]*(?:-|N/A|%%[0-9]+|S-1-0-0|0x0)?[ \t\r\n]*")


@pytest.fixture(scope="module")
def logs(extra_corpus: Path) -> list[Path]:
    found = sorted(extra_corpus.rglob("*.evtx"))
    assert found, "an extra corpus without EVTX files tests nothing here"
    return found


@pytest.fixture(scope="module")
def events(logs: list[Path]) -> Mapping[Path, list[WindowsEvent]]:
    return {path: events_of(path) for path in logs}


@pytest.fixture(scope="module")
def replayed(logs: list[Path]) -> tuple[list[bytes], Summary]:
    return replay(logs)


def replay(paths: list[Path]) -> tuple[list[bytes], Summary]:
    output = io.BytesIO()
    summary = Replay(Normalizer(keep_all=True), output, tell=lambda _line: None, clock=lambda: ARRIVAL_NS).run(gather(paths)[0])
    assert summary.reconciled
    return output.getvalue().splitlines(), summary


def events_of(path: Path) -> list[WindowsEvent]:
    origin = Origin("replay", Transport.FILE, str(path), ARRIVAL_NS)
    events = []
    with path.open("rb") as file:
        for reading in read_evtx(file, lambda: origin):
            if not isinstance(reading, Damage):
                events += [parse_event(reading.buffer[start:end]) for start, end in reading.pairs()]
    return events


def identity(record_id: str, event_id: str, computer: str, channel: str, seconds: str) -> tuple[str, ...]:
    return record_id, event_id, computer.lower(), channel.lower(), seconds


def test_distinct_events_of_each_id_are_those_of_an_independent_parser(events: Mapping[Path, list[WindowsEvent]]) -> None:
    """python-evtx stops at a stale chunk count and can't render every record, so ours may hold more in such a file, never less."""
    equal, differing = 0, []
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:  # it takes milliseconds for each event
        for (path, found), oracle in zip(events.items(), pool.map(read_with_oracle, events), strict=True):
            ours = {identity(e.record_id, e.event_id, e.computer, e.channel, e.time_text[:19]) for e in found}
            theirs = {identity(e.record_id, e.event_id, e.computer, e.channel, e.seconds) for e in oracle}
            assert theirs <= ours, path.name
            counted = Counter(event_id for _, event_id, *_ in ours)
            if counted == Counter(event_id for _, event_id, *_ in theirs):
                equal += 1
            else:
                differing.append(path.name)
    assert equal >= 0.9 * len(events), differing


def test_replay_writes_each_distinct_event_once(events: Mapping[Path, list[WindowsEvent]], replayed: tuple[list[bytes], Summary]) -> None:
    lines, summary = replayed
    distinct = {identity(e.record_id, e.event_id, e.computer, e.channel, e.time_text[:19]) for found in events.values() for e in found}
    assert summary.normalized == Counter(event_id for _, event_id, *_ in distinct)
    assert len(lines) == len(distinct) == summary.received - summary.duplicate.total()


def test_every_record_is_valid_and_no_value_is_lost(events: Mapping[Path, list[WindowsEvent]], replayed: tuple[list[bytes], Summary]) -> None:
    known = {(e.record_id, e.event_id, e.computer): e for found in events.values() for e in found}
    for line in replayed[0]:
        record = orjson.loads(line)
        check(record)
        metadata = record["metadata"]
        event = known[metadata.get("original_event_uid", ""), metadata["event_code"], record["device"].get("hostname", "")]
        text = line.decode().lower()
        for name, value in event.data:
            if not MISSING.fullmatch(value):
                assert name.lower() in text or all(part in text for part in _words(value)), (event.key, name, value)


def _words(value: str) -> list[str]:
    """What of a value has to be found again whatever its typed form: its runs of letters and digits."""
    words: list[str] = re.findall(r"[a-z0-9]{4,}", value.lower().removeprefix("0x"))
    return words[:3]


def test_running_twice_gives_the_same_uids(logs: list[Path], replayed: tuple[list[bytes], Summary]) -> None:
    assert replay(logs)[0] == replayed[0]
