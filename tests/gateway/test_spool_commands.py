"""`tidegate spool list | show | verify | requeue`: what is said of a spool that holds records, dead letters and damage."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import apsw
import orjson
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from support.batches import batch_of, spool_in, submissions, uid_of
from support.gateway_process import running_gateway

from gateway.cli import main
from gateway.control import ControlError
from gateway.spool_records import parse_since, parse_uid, write_uid
from pipeline.errors import DeliveryError, Fault
from pipeline.spool.database import FILE_NAME
from pipeline.spool.settings import Consumer, Start

ARCHIVE, SENSOR = Consumer("archive", Start.BEGINNING), Consumer("sensor", Start.BEGINNING)
CONFIG = """
[gateway]
state_dir = "state"

[[forwarders]]
name = "archive"
kind = "file"
path = "out.ndjson"

[[forwarders]]
name = "sensor"
kind = "sensor"
layout = "splunk"
address = "udp://127.0.0.1:9"
filter = { event_codes = ["4624"] }
"""

Run = Callable[..., tuple[int, str]]


def uid(name: int) -> str:
    return str(UUID(bytes=uid_of(name)))


@pytest.fixture
def tidegate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """A spool of six records, of which the archive passed three and the sensor refused two; and the command line on it."""
    (tmp_path / "tidegate.toml").write_text(CONFIG)

    async def fill() -> None:
        spool = spool_in(tmp_path / "state", [ARCHIVE, SENSOR])
        await spool.commit(submissions(batch_of([0, 1, 2])))
        await spool.commit(submissions(batch_of([3, 4]), batch_of([5], event_code="4776", computer="dc2.contoso.example")))
        spool.advance("archive", 3, b"")
        row = await spool.read("sensor")
        assert row is not None
        for place, reason in enumerate(("mapping", "too-large")):
            assert spool.park("sensor", row.pick([place]), DeliveryError(reason, Fault.REFUSED, detail="no such column\x1b[2J"))
        spool.advance("sensor", 2, b"")
        await spool.close()

    trio.run(fill)

    def run(*arguments: str) -> tuple[int, str]:
        code = main(["spool", *arguments, "--config", str(tmp_path / "tidegate.toml")])
        found = capsys.readouterr()
        return code, found.out + found.err

    return run


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ([], [0, 1, 2, 3, 4, 5]),
        (["--limit", "2"], [4, 5]),
        (["--event-code", "4776"], [5]),
        (["--event-code", "4776", "--event-code", "4624", "--computer", "DC1*"], [0, 1, 2, 3, 4]),
        (["--destination", "archive"], [3, 4, 5]),
        (["sensor"], [2, 3, 4]),
        (["--since", "2023-11-14T22:13:20Z"], [0, 1, 2, 3, 4, 5]),
        (["--since", "2023-11-14T22:13:21Z"], []),
        (["--since", "1 min"], []),
    ],
)
def test_list(tidegate: Run, arguments: list[str], names: list[int]) -> None:
    code, said = tidegate("list", "--json", *arguments)
    assert code == 0
    assert [orjson.loads(line)["uid"] for line in said.splitlines()] == [uid(name) for name in names]
    code, said = tidegate("list", *arguments)
    assert (code, [line.split()[2] for line in said.splitlines()]) == (0, [uid(name) for name in names])


@pytest.mark.parametrize(
    "arguments",
    [("list", "nobody"), ("list", "--since", "yesterday"), ("show", "7"), ("show", uid(99)), ("requeue", "nobody"), ("requeue", "sensor", "7")],
)
def test_what_cannot_be_answered_is_one_line(tidegate: Run, arguments: tuple[str, ...]) -> None:
    code, said = tidegate(*arguments)
    assert code == 1
    assert said.startswith("tidegate: ")
    assert said.count("\n") == 1


def test_show(tidegate: Run) -> None:
    code, said = tidegate("show", uid(1))
    shown = orjson.loads(said)
    assert (code, shown["number"], shown["record"]["name"]) == (0, 1, 1)
    assert shown["destinations"] == {"archive": "passed", "sensor": "dead letter"}
    assert shown["dead_letters"] == [{"destination": "sensor", "reason": "too-large", "detail": "no such column\x1b[2J", "requeued": False}]
    assert orjson.loads(tidegate("show", uid(5))[1])["destinations"] == {"archive": "waiting", "sensor": "not wanted"}


def test_dead_letters_are_listed_and_requeued(tidegate: Run) -> None:
    code, said = tidegate("list", "--dead")
    assert code == 0
    assert said.splitlines()[:2] == ["sensor: 1 mapping", "sensor: 1 too-large"]
    assert "\x1b" not in said
    assert tidegate("list", "--dead", "archive") == (0, "")
    assert tidegate("requeue", "archive") == (0, "0 requeued\n")
    assert tidegate("requeue", "sensor", uid(0), "--reason", "too-large") == (0, "0 requeued\n")
    assert tidegate("requeue", "sensor", "--reason", "too-large") == (0, "1 requeued\n")
    assert tidegate("requeue", "sensor", uid(1), uid(0)) == (0, "1 requeued\n")
    assert tidegate("requeue", "sensor") == (0, "0 requeued\n")
    letters = [orjson.loads(line) for line in tidegate("list", "--dead", "sensor", "--json")[1].splitlines()]
    assert [letter["record"]["name"] for letter in letters] == [0, 1]
    assert all(letter["requeued_at_ms"] for letter in letters)
    assert "2 of them put before it again" in tidegate("status")[1]


def test_verify(tidegate: Run, tmp_path: Path) -> None:
    code, said = tidegate("verify")
    assert (code, said) == (0, "whole        6 records in 2 rows; 2 dead letters\n")
    connection = apsw.Connection(str(tmp_path / "state" / FILE_NAME))
    connection.execute("UPDATE rows SET body = zeroblob(length(body)) WHERE number = 3")
    connection.close()
    code, said = tidegate("verify", "--json")
    found = orjson.loads(said)
    assert (code, found["rows"], found["records"], len(found["damage"])) == (1, 1, 3, 1)
    assert tidegate("verify")[0] == 1
    assert len(tidegate("list")[1].splitlines()) == 3, "what is whole is still listed"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE consumers SET cursor = 0 WHERE name = 'archive'",
        "UPDATE head SET rows = 7",
        "UPDATE rows SET records = 2 WHERE number = 0",
        "UPDATE rows SET number = 1 WHERE number = 3",
        "DROP TABLE sessions",
    ],
)
def test_verify_finds_every_damage(tidegate: Run, tmp_path: Path, statement: str) -> None:
    connection = apsw.Connection(str(tmp_path / "state" / FILE_NAME))
    connection.execute(statement)
    connection.close()
    assert tidegate("verify")[0] == 1


RUNNING = """
[gateway]
state_dir = "state"
drain = "0 s"

[[forwarders]]
name = "archive"
kind = "file"
path = "out.ndjson"

[[forwarders]]
name = "sensor"
kind = "file"
path = "/proc/nowhere/out.ndjson"

[metrics]
address = "127.0.0.1:0"
"""


def test_a_running_gateway_delivers_what_is_requeued_and_says_how_each_destination_fares(tidegate: Run, tmp_path: Path) -> None:
    async def park() -> None:
        spool = spool_in(tmp_path / "state", [ARCHIVE, SENSOR])
        row = await spool.read("archive")
        assert row is not None
        assert spool.park("archive", row.split(1)[0], DeliveryError("mapping", Fault.REFUSED))
        spool.advance("archive", row.end, b"")
        await spool.close()

    trio.run(park)
    (tmp_path / "tidegate.toml").write_text(RUNNING)
    with running_gateway(tmp_path / "tidegate.toml", ready=1) as gateway:
        assert not (tmp_path / "out.ndjson").exists() or not (tmp_path / "out.ndjson").read_bytes()
        assert tidegate("requeue", "archive", "--reason", "mapping") == (0, "1 requeued\n")
        while not gateway.counters("redelivered_total")['tidegate_redelivered_total{destination="archive"}']:
            pass
        assert orjson.loads((tmp_path / "out.ndjson").read_bytes())["name"] == 3
        said = orjson.loads(tidegate("status", "--json")[1])
        archive, sensor = said["consumers"]
        assert (archive["parked"], archive["condition"]["state"]) == (0, "delivering")
        assert (sensor["condition"]["state"], sensor["condition"]["reason"]) == ("failing", "write")
        states = gateway.counters("destination_state")
        assert states['tidegate_destination_state{destination="sensor",state="failing"}'] == 1
        assert states['tidegate_destination_state{destination="sensor",state="delivering"}'] == 0
        assert "sensor: failing, behind by 4 records" in tidegate("status")[1]
        assert gateway.stop() == 0


@given(st.binary(min_size=16, max_size=16))
def test_uids(octets: bytes) -> None:
    assert parse_uid(write_uid(octets)) == octets


@given(st.text())
def test_no_other_text_is_a_time_or_a_uid(text: str) -> None:
    for parse in (parse_uid, lambda given: parse_since(given, 0.0)):
        try:
            parse(text)
        except ControlError:
            continue
