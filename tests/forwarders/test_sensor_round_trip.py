"""What we send to a sensor, our own listener reads back: generated event -> record -> restored event -> layout -> record.

What a layout loses is what its table says it can't carry; the expected record is made from the event without it.
"""

from __future__ import annotations

import dataclasses
from array import array
from typing import Any, Final

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.required_events import data_names, hostile_values, required_events

from forwarders.encoders.windows_event import restore
from forwarders.sensor import LAYOUTS
from forwarders.sensor_settings import SensorLayout
from normalizers.normalizer import Normalizer
from pipeline.model import Batch, Frames, Origin, Transport
from wire import event_xml
from wire.event import WindowsEvent
from wire.layouts.layout import Layout, Mode, Reading

ORIGIN: Final = Origin("listeners.syslog", Transport.UDP, "192.0.2.1", 1_700_000_000_000_000_000)
NORMALIZER: Final = Normalizer("aatp-2020", reading=Reading(mode=Mode.STRICT))
HEADERS: Final = {SensorLayout.QRADAR: b"<13>Feb 11 00:00:00 gw1 "}
STRONG: Final = frozenset({SensorLayout.SPLUNK, SensorLayout.QRADAR})

PARTLY_CARRIED: Final = frozenset({"keywords", "level", "time"})
"""Fields whose entry in `cannot_carry` says how much of them, not that they are lost."""

PATH_FACTS: Final = frozenset(
    {"log_format", "log_level", "log_version", "logged_time", "original_time", "correlation_uid", "labels", "uid", "original_event_uid"}
)
"""metadata that tells how an event came; equal uids are asserted by themselves."""

every_layout: Final = pytest.mark.parametrize("name", list(SensorLayout), ids=str)


def normalize(message: bytes) -> Batch:
    return NORMALIZER.normalize(Frames(message, array("I", (0, len(message))), ORIGIN))


def record_of(message: bytes) -> dict[str, Any]:
    batch = normalize(message)
    assert len(batch.index) == 1, (message, batch.rejected, batch.filtered)
    record: dict[str, Any] = orjson.loads(batch.records)
    return record


def meaning(record: dict[str, Any]) -> dict[str, Any]:
    """The record without the facts about its path."""
    return record | {"metadata": {key: value for key, value in record["metadata"].items() if key not in PATH_FACTS}}


def carried(event: WindowsEvent, layout: Layout) -> WindowsEvent:
    """`event` without what the layout says it can't carry."""
    lost = set(layout.cannot_carry) - PARTLY_CARRIED
    data = tuple((name, value) for name, value in event.data if f"data:{name}" not in lost)
    fields = {name: "" for name in lost if not name.startswith("data:")}
    return dataclasses.replace(event, data=data, **fields)  # type: ignore[arg-type]


def sent(event: WindowsEvent, name: SensorLayout) -> bytes:
    batch = normalize(event_xml.encode_event(event))
    return HEADERS.get(name, b"") + LAYOUTS[name].encode_event(restore(batch.records.rstrip(b"\n")))


def events_of(name: SensorLayout) -> st.SearchStrategy[WindowsEvent]:
    return required_events(LAYOUTS[name].carries or frozenset())


@every_layout
def test_every_table_names_fields_of_the_event(name: SensorLayout) -> None:
    fields = {field.name for field in dataclasses.fields(WindowsEvent)}
    known = {f"data:{data}" for event_id in LAYOUTS[name].carries or () for data in data_names(event_id)} | {"data:*"}
    assert set(LAYOUTS[name].cannot_carry) <= fields | known


@every_layout
@given(data=st.data())
def test_what_is_sent_comes_back(name: SensorLayout, data: st.DataObject) -> None:
    event = data.draw(events_of(name))
    original = record_of(event_xml.encode_event(event))
    expected = record_of(event_xml.encode_event(carried(event, LAYOUTS[name])))
    back = record_of(sent(event, name))
    assert meaning(back) == meaning(expected)
    for key in ("class_uid", "activity_id", "type_uid", "status_id", "time"):
        assert back[key] == original[key]
    if name in STRONG:
        assert back["metadata"]["uid"] == original["metadata"]["uid"]
    else:
        assert back["metadata"]["labels"] == ["uid:weak"]


@every_layout
@given(data=st.data())
def test_a_hostile_value_stays_in_its_field(name: SensorLayout, data: st.DataObject) -> None:
    event = data.draw(events_of(name))
    victim = data.draw(st.sampled_from([pair[0] for pair in event.data if pair[0] not in {"Status", "SChannelType", "PrivilegeList"}]))
    hostile = data.draw(hostile_values)
    attacked = dataclasses.replace(event, data=tuple((key, hostile if key == victim else value) for key, value in event.data))
    batch = normalize(HEADERS.get(name, b"") + LAYOUTS[name].encode_event(attacked))
    assert len(batch.index) == 1, batch.rejected
    back = restore(batch.records.rstrip(b"\n"))
    clean = restore(normalize(HEADERS.get(name, b"") + LAYOUTS[name].encode_event(event)).records.rstrip(b"\n"))
    assert (back.event_id, back.channel, back.computer, back.record_id) == (clean.event_id, clean.channel, clean.computer, clean.record_id)
    spoilt = {victim, victim.replace("UserName", "DomainName"), victim.replace("MemberSid", "MemberName")}
    # a name may carry its domain, and of a member that its SID makes a group the record keeps less
    assert {pair for pair in back.data if pair[0] not in spoilt} == {pair for pair in clean.data if pair[0] not in spoilt}
