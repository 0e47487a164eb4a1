"""Layouts that write other events than those they are documented for: what they write is read back as the same event."""

import pytest
from hypothesis import given
from support.windows_events import any_events

from wire.event import WindowsEvent
from wire.layouts.detect import BY_NAME, detect
from wire.layouts.layout import Layout, Reading

OTHERS = [layout for layout in BY_NAME.values() if layout.others]


def test_the_layouts_of_a_siem_that_forwards_everything() -> None:
    assert {layout.name for layout in OTHERS} == {"splunk", "qradar", "cef"}


@pytest.mark.parametrize("layout", OTHERS, ids=lambda layout: layout.name)
def test_an_ordinary_event_keeps_its_key_and_its_data(layout: Layout) -> None:
    event = WindowsEvent(
        event_id="4624",
        channel="Security",
        provider="Microsoft-Windows-Security-Auditing",
        computer="dc01.contoso.example",
        record_id="77",
        time=BY_NAME["splunk"].parse_event(SPLUNK, Reading()).time,
        data=(("TargetUserName", "dana"), ("LogonType", "3"), ("IpAddress", "192.0.2.7")),
    )
    read = layout.parse_event(layout.encode_event(event), Reading())
    assert read.key == event.key
    assert read.computer == event.computer
    text = read.message + "".join(f"{name}={value} " for name, value in read.data)
    assert all(value in text for _, value in event.data)


@pytest.mark.parametrize("layout", OTHERS, ids=lambda layout: layout.name)
@given(event=any_events())
def test_any_event_can_be_written_and_is_told_apart(layout: Layout, event: WindowsEvent) -> None:
    payload = layout.encode_event(event)
    found = detect(payload)
    assert found is not None
    assert found.name == layout.name


SPLUNK = b"\r\nEventCode=4624\r\nLogfile=Security\r\nSourceName=x\r\nTimeGenerated=20240506070809.123456-000\r\nComputerName=dc01\r\nMessage=An account."
