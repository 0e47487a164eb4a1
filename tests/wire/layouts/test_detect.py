"""The table of layouts: what detects as what, that every encoder is detected and read back, and that no bytes raise anything but MessageError."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.windows_events import WORDS, any_events, mutated, required_events

from pipeline.errors import MessageError
from wire.event import WindowsEvent
from wire.layouts.detect import BY_NAME, LAYOUTS, detect
from wire.layouts.layout import Layout, Mode, Reading
from wire.syslog_header import parse_header
from wire.syslog_payload import BEGINNING

SENSOR = ("rsa", "cef", "qradar", "splunk")
OURS = ("leef", "snare", "splunk-classic", "winlogbeat-json", "nxlog-json", "flat-json")
STRUCTURED = ("leef", "winlogbeat-json", "nxlog-json", "flat-json")
"""Layouts that carry EventData by name, not by rendered text."""

FRACTION_DIGITS = {"leef": 7, "snare": 0, "splunk-classic": 0, "winlogbeat-json": 3, "nxlog-json": 6, "flat-json": 7}
CARRIED_ANOTHER_WAY = {"time", "time_text", "data", "message", "warnings"}

PAYLOADS = {
    "RsaSA\\n2021-May-19 09:07:09\\n4776": "rsa",
    "RsaSA\n2021-May-19 09:07:09\n4776": "rsa",
    "CEF:0|Microsoft|Microsoft Windows||x:4776|name|Low|": "cef",
    "AgentDevice=WindowsLog\tAgentLogFile=Security": "qradar",
    "EventCode=4776\r\nLogfile=Security\r\nMessage=x": "splunk",
    "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>": "event-xml",
    "<?xml version='1.0'?><Event><System>": "event-xml",
    "LEEF:1.0|Microsoft|Windows|10|4776|": "leef",
    "LEEF:2.0|Microsoft|Windows|10|4776|^|": "leef",
    "MSWinEventLog\t1\tSecurity": "snare",
    "MSWinEventLog#0111#011Security": "snare",
    "03/12/2021 10:48:14 AM\nLogName=Security\nEventCode=1\n": "splunk-classic",
    "LogName=Security\r\nEventCode=1\r\n": "splunk-classic",
    '{"@timestamp":"x","winlog":{"event_id":1}}': "winlogbeat-json",
    '{"event_data":{},"source_name":"x"}': "winlogbeat-json",
    '{"log_name":"Security","type":"wineventlog"}': "winlogbeat-json",
    '{"event_data":{},"event_id":1}': "flat-json",
    '{"EventID":1,"SourceModuleType":"im_msvistalog"}': "nxlog-json",
    '{"EventType":"AUDIT_SUCCESS","EventID":1}': "nxlog-json",
    '{"EventID":1,"Channel":"Security"}': "flat-json",
    '{"Event":{"System":{"EventID":1}}}': "flat-json",
    '{"message":"hello"}': None,
    "RsaSAX": None,
    "sshd[1]: Accepted publickey": None,
    "": None,
    "Message=first\r\nLogfile": None,
}


@pytest.mark.parametrize(("payload", "name"), PAYLOADS.items(), ids=list(PAYLOADS))
def test_content_decides(payload: str, name: str | None) -> None:
    found = detect(payload.encode())
    assert (found and found.name) == name


def test_the_sensors_layouts_come_first_and_every_name_is_once() -> None:
    assert tuple(layout.name for layout in LAYOUTS[:4]) == SENSOR
    assert len(BY_NAME) == len(LAYOUTS) == 11


def encodable(layout: Layout, event: WindowsEvent) -> bool:
    return layout.carries is None or event.event_id in layout.carries


@given(required_events(), st.sampled_from(LAYOUTS))
def test_what_a_layout_encodes_is_detected_as_it_behind_any_header(event: WindowsEvent, layout: Layout) -> None:
    if not encodable(layout, event):
        return
    payload = layout.encode_event(event).lstrip(b"\r\n")
    assert detect(payload) is layout
    assert BEGINNING.match(payload)
    for header in (
        b"",
        b"<13>",
        b"<13>Feb 11 00:00:00 dc01 ",
        b"<13>1 2021-02-11T00:00:00Z dc01 app 1 - - ",
        b"<13>Feb 11 00:00:00 dc01 app[1]: ",
        b"<13>Feb 11 00:00:00 ",
    ):
        assert parse_header(header + payload).payload_start == len(header), header


def envelope(event: WindowsEvent, layout: Layout) -> Mapping[str, str]:
    return {
        field.name: getattr(event, field.name) for field in fields(event) if field.name not in CARRIED_ANOTHER_WAY and field.name not in layout.cannot_carry
    }


def cut(unix_ns: int, digits: int) -> int:
    step: int = 10 ** (9 - digits)
    return unix_ns - unix_ns % step


@pytest.mark.parametrize("name", OURS)
@given(event=required_events())
def test_what_a_layout_can_carry_comes_back(name: str, event: WindowsEvent) -> None:
    layout = BY_NAME[name]
    back = layout.parse_event(layout.encode_event(event), Reading(mode=Mode.STRICT))
    assert envelope(back, layout) == envelope(event, layout)
    assert event.time is not None
    assert back.time is not None
    assert back.time.unix_ns == cut(event.time.unix_ns, FRACTION_DIGITS[name])
    assert sorted(back.data) == sorted(event.data)


@pytest.mark.parametrize("name", STRUCTURED)
@given(event=any_events(values=WORDS))
def test_repeated_and_unknown_names_come_back(name: str, event: WindowsEvent) -> None:
    layout = BY_NAME[name]
    assert grouped(layout.parse_event(layout.encode_event(event), Reading()).data) == grouped(event.data)


@pytest.mark.parametrize("name", [name for name in STRUCTURED if name.endswith("json")])
@given(event=any_events())
def test_json_carries_any_value(name: str, event: WindowsEvent) -> None:
    layout = BY_NAME[name]
    payload = layout.encode_event(event)
    assert b"\n" not in payload
    assert grouped(layout.parse_event(payload, Reading()).data) == grouped(event.data)


@pytest.mark.parametrize("name", OURS)
@given(event=any_events())
def test_no_value_forges_another_message(name: str, event: WindowsEvent) -> None:
    layout = BY_NAME[name]
    payload = layout.encode_event(event)
    back = layout.parse_event(payload, Reading())
    assert (back.event_id, back.channel, back.computer, back.record_id) == (event.event_id, event.channel, event.computer, event.record_id)
    if name != "splunk-classic":  # whose Message has lines
        assert b"\n" not in payload


def grouped(data: tuple[tuple[str, str], ...]) -> dict[str, list[str]]:
    """Values by name: a JSON object keeps the order within a name only."""
    found: dict[str, list[str]] = {}
    for name, value in data:
        found.setdefault(name, []).append(value)
    return found


def read(layout: Layout, payload: bytes, mode: Mode) -> None:
    try:
        event = layout.parse_event(payload, Reading(mode=mode))
    except MessageError:
        return
    assert event.event_id.isdecimal()
    assert all(isinstance(name, str) and isinstance(value, str) for name, value in event.data)


@given(st.binary(max_size=300), st.sampled_from(Mode))
def test_arbitrary_bytes_raise_message_errors_only(payload: bytes, mode: Mode) -> None:
    detect(payload)
    for name in OURS:
        read(BY_NAME[name], payload, mode)


@pytest.mark.parametrize("name", OURS)
@given(data=st.data(), mode=st.sampled_from(Mode))
def test_mutated_messages_raise_message_errors_only(name: str, data: st.DataObject, mode: Mode) -> None:
    layout = BY_NAME[name]
    payload = data.draw(mutated(st.one_of(required_events(), any_events()).map(layout.encode_event)))
    detect(payload)
    read(layout, payload, mode)
