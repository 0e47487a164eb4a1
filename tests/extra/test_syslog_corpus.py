"""Messages that other projects collected: what is detected in each folder, which events are found, and that nothing else escapes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from support.syslog_corpus import messages

from pipeline.errors import MessageError
from wire.event import WindowsEvent
from wire.layouts.detect import detect
from wire.layouts.layout import Reading
from wire.syslog_header import parse_header

REQUIRED = frozenset(map(str, (4726, 4728, 4729, 4730, 4732, 4733, 4743, 4753, 4756, 4757, 4758, 4763, 4776, 7045, 8004)))

EXPECTED = {
    "flat-json/otrf.ndjson": {"4776": 9, "7045": 2},
    "nxlog-json/otrf.ndjson": {"4726": 1, "4728": 1, "4729": 1, "4776": 9, "7045": 2},
    "winlogbeat-json/otrf.ndjson": {"4728": 1, "4732": 1},
    "winlogbeat-json/elastic-test-4743.json": {"4743": 1},
    "winlogbeat-json/elastic-test-security-windows2012-4776.json": {"4776": 1},
    "winlogbeat-json/elastic-test-security-windows2016-4728.json": {"4728": 1},
    "snare/rsyslog-sample-windows2022-security.txt": {"4732": 2, "4776": 5},
    "snare/rsyslog-sample-windows2025-security.txt": {"4776": 1},
    "snare/rsyslog-sample-events.txt": {},
    "cef/msdocs-4776.txt": {"4776": 1},
    "leef/sc4s.txt": {},
}
"""File to the required events in it, by ID, as the corpus counts them."""

LAYOUT_OF = {
    "snare": "snare",
    "nxlog-json": "nxlog-json",
    "winlogbeat-json": "winlogbeat-json",
    "flat-json": "flat-json",
    "splunk-wineventlog": "splunk-classic",
    "raw-xml": "event-xml",
}


def read(message: bytes) -> tuple[str, WindowsEvent | None]:
    payload = message[parse_header(message).payload_start :]
    layout = detect(payload)
    if layout is None:
        return "", None
    try:
        return layout.name, layout.parse_event(payload, Reading())
    except MessageError:
        return layout.name, None


@pytest.mark.parametrize("name", EXPECTED)
def test_required_events_are_found(extra_corpus: Path, name: str) -> None:
    events = [event for _, event in map(read, messages(extra_corpus / "corpus" / "syslog" / name)) if event is not None]
    assert Counter(event.event_id for event in events if event.event_id in REQUIRED) == EXPECTED[name]
    assert all(event.channel and event.provider and event.computer and event.time for event in events)


@pytest.mark.parametrize("folder", LAYOUT_OF)
def test_every_message_of_a_folder_is_in_its_layout(extra_corpus: Path, folder: str) -> None:
    for path in sorted((extra_corpus / "corpus" / "syslog" / folder).iterdir()):
        for message in messages(path):
            layout, event = read(message)
            assert layout == LAYOUT_OF[folder], path
            assert event is not None, path


def test_nothing_but_message_errors_escapes(extra_corpus: Path) -> None:
    for path in sorted((extra_corpus / "corpus" / "syslog").glob("*/*")):
        octets = path.read_bytes()
        for message in [octets[:262_144], *octets.split(b"\n")]:
            read(message)


def test_headers_of_the_vectors_leave_the_payload_whole(extra_corpus: Path) -> None:
    layouts = {"arcsight": "cef", "splunk": "splunk", "qradar": "qradar", "rsa": "rsa"}
    for path in sorted((extra_corpus / "vectors" / "siem").glob("*.txt")):
        product, kind = path.name.split(".")[:2]
        if kind.startswith(("wire", "derived")):
            assert read(path.read_bytes())[0] == layouts[product], path
