"""The SIEM vectors of the extra corpus (`vectors/siem`): every row of expected.tsv, in both modes, through the whole normalizer.

`ok` rows parse to their columns in both modes; `policy` rows in lenient mode, and are rejected in strict; `reject` rows in neither.
"""

from __future__ import annotations

import csv
from array import array
from pathlib import Path
from typing import Final

import pytest
from support.engines import shipped

from normalizers.judgement import Judgement, Verdict
from normalizers.normalizer import Normalizer
from pipeline.model import Frames, Origin, Transport
from wire.event import WindowsEvent
from wire.event_time import parse_iso
from wire.layouts.layout import Mode, Reading

ORIGIN: Final = Origin("listeners.syslog", Transport.UDP, "192.0.2.1", 1_700_000_000_000_000_000)
USERS: Final = {"4728": "SubjectUserName", "4776": "TargetUserName", "8004": "UserName"}
"""Event ID to the data that names the account; 7045 has it in the envelope."""

SOURCES: Final = ("Workstation", "WorkstationName", "shost")
RESULTS: Final = ("Status", "Reason or Error Code")


def rows(extra_corpus: Path) -> list[dict[str, str]]:
    with (extra_corpus / "vectors" / "siem" / "expected.tsv").open(newline="") as table:
        return list(csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE))


def judge(message: bytes, mode: Mode) -> Judgement:
    normalizer = Normalizer(shipped("aatp-2020"), reading=Reading(mode=mode))
    judgement = normalizer.judge(message, ORIGIN)
    batch = normalizer.normalize(Frames(message, array("I", (0, len(message))), ORIGIN))
    assert batch.received == len(batch.index) + sum(batch.filtered.values()) + sum(batch.rejected.values()) + batch.control
    return judgement


def columns(event: WindowsEvent) -> dict[str, str]:
    data = dict(event.data)
    return {
        "event_id": event.event_id,
        "channel": event.channel,
        "provider": event.provider,
        "computer": event.computer,
        "user": data[USERS[event.event_id]] if event.event_id in USERS else event.user_name,
        "source_host": next((data[name] for name in SOURCES if name in data), ""),
        "status": next((data[name] for name in RESULTS if name in data), ""),
    }


@pytest.mark.parametrize("mode", list(Mode), ids=str)
def test_every_vector(extra_corpus: Path, mode: Mode) -> None:
    table = rows(extra_corpus)
    assert table
    for row in table:
        judgement = judge((extra_corpus / "vectors" / "siem" / row["file"]).read_bytes(), mode)
        accepted = row["expect"] == "ok" or (row["expect"] == "policy" and mode is Mode.LENIENT)
        assert (judgement.verdict is Verdict.NORMALIZED) == accepted, (row["file"], judgement.rule)
        if not accepted:
            assert judgement.verdict is Verdict.REJECTED, row["file"]
            assert judgement.rule, row["file"]
            continue
        event = judgement.event
        assert event is not None
        assert event.time is not None, row["file"]
        expected = parse_iso(row["time"])
        assert expected is not None
        assert event.time.unix_ns == expected.unix_ns, row["file"]
        assert columns(event) == {name: row[name] for name in columns(event)}, row["file"]
        if "no-milliseconds" in row["note"]:
            assert "no-milliseconds" in judgement.warnings, row["file"]
