"""Whole messages of every layout and their events, beside each other in fixtures/syslog: NAME.txt and NAME.json."""

from __future__ import annotations

import json
from array import array
from dataclasses import asdict
from pathlib import Path

import pytest

from wire.layouts.detect import BY_NAME, detect
from wire.layouts.layout import Reading
from wire.syslog_header import parse_header
from wire.syslog_multiline import join
from wire.syslog_payload import BEGINNING

FOLDER = Path(__file__).parents[3] / "fixtures" / "syslog"
MESSAGES = sorted(FOLDER.glob("*.txt"))


def event_of(message: bytes) -> dict[str, object]:
    """Everything that was delivered, under its field's name; the time as [nanoseconds, digits, offset]."""
    payload = message[parse_header(message).payload_start :]
    layout = detect(payload)
    assert layout is not None
    event = layout.parse_event(payload, Reading())
    found: dict[str, object] = {name: value for name, value in asdict(event).items() if value not in ("", (), None)}
    if event.time is not None:
        found["time"] = [event.time.unix_ns, event.time.digits, event.time.offset_minutes]
    found.pop("message", None)
    return {"layout": layout.name, **json.loads(json.dumps(found))}


def test_every_layout_has_fixtures() -> None:
    named = {path.name.split(".")[0] for path in MESSAGES}
    assert named == {"flat-json", "leef", "nxlog-json", "snare", "splunk-classic", "winlogbeat-json"} <= set(BY_NAME)


@pytest.mark.parametrize("path", MESSAGES, ids=lambda path: path.stem)
def test_fixture(path: Path) -> None:
    message = path.read_bytes()
    assert BEGINNING.match(message, parse_header(message).payload_start)
    assert event_of(message) == json.loads(path.with_suffix(".json").read_text())


@pytest.mark.parametrize("path", MESSAGES, ids=lambda path: path.stem)
def test_fixture_among_lines(path: Path) -> None:
    message = path.read_bytes()
    buffer = (message + b"\n") * 3 + b"<13>Mar 15 10:11:13 dc01 last\n"
    at, lines = 0, []
    for line in buffer.split(b"\n")[:-1]:
        if line:
            lines += [at, at + len(line)]
        at += len(line) + 1
    joined = join(buffer, array("I", lines), None, 65536)
    assert [buffer[start:end].rstrip() for start, end in zip(joined.spans[::2], joined.spans[1::2], strict=True)] == [message.rstrip()] * 3
    assert joined.held is not None
