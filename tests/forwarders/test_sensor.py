"""The sensor forwarder over a fake sender: what is sent, what is left out and counted, and what is cut to fit."""

from __future__ import annotations

import dataclasses
from array import array
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import pytest
from hypothesis import given, settings
from support.engines import shipped
from support.events import SAMPLES, hostile_events
from support.required_events import required_events

from forwarders.destination import Delivered
from forwarders.encoders.windows_event import restore
from forwarders.sensor import Sensor
from forwarders.sensor_settings import SensorLayout, SensorSettings
from normalizers.normalizer import Normalizer
from pipeline.errors import DeliveryError, Fault
from pipeline.metrics import Metrics
from pipeline.model import Batch, Frames, Origin, Transport
from pipeline.spool.row import Row
from wire import event_xml
from wire.event import WindowsEvent
from wire.layouts import qradar, splunk
from wire.layouts.layout import Reading

ORIGIN: Final = Origin("listeners.syslog", Transport.UDP, "192.0.2.1", 1_700_000_000_000_000_000)
CLOCK_NS: Final = 1_615_803_072_000_000_000


class FakeSender:
    """Takes messages, or fails as it is told."""

    def __init__(self, max_message: int = 65_507) -> None:
        self.max_message = max_message
        self.messages: list[bytes] = []
        self.connected = 0
        self.failing = False

    async def connect(self) -> None:
        self.connected += 1

    async def send(self, messages: Sequence[bytes]) -> None:
        if self.failing:
            raise DeliveryError("refused", Fault.RETRY)
        self.messages += messages

    async def close(self) -> None:
        self.connected -= 1


def sensor(layout: SensorLayout, sender: FakeSender, metrics: Metrics | None = None) -> Sensor:
    table = SensorSettings.model_validate({"name": "s1", "kind": "sensor", "layout": layout, "address": "udp://127.0.0.1:514"})
    return Sensor(table, metrics or Metrics(), clock=lambda: CLOCK_NS, hostname="gw 1", sender=sender)


def row_of(*events: WindowsEvent, keep_all: bool = False) -> Row:
    payloads = [event_xml.encode_event(event) for event in events]
    spans = array("I")
    for payload in payloads:
        start = spans[-1] if spans else 0
        spans.extend((start, start + len(payload)))
    batch: Batch = Normalizer(shipped("aatp-2020"), keep_all=keep_all).normalize(Frames(b"".join(payloads), spans, ORIGIN))
    assert len(batch.index) == len(events), batch.rejected
    return Row.whole(batch.records, batch.index, 0)


async def test_all_fifteen_leave_in_order_in_the_layouts_that_carry_them() -> None:
    for layout, wire in ((SensorLayout.SPLUNK, splunk.LAYOUT), (SensorLayout.QRADAR, qradar.LAYOUT)):
        sender = FakeSender()
        destination = sensor(layout, sender)
        await destination.open(b"")
        assert await destination.deliver(row_of(*SAMPLES.values())) == Delivered()
        await destination.close()
        assert sender.connected == 0
        payloads = [message.removeprefix(b"<13>Mar 15 10:11:12 gw-1 ") for message in sender.messages]
        assert [wire.parse_event(payload, Reading()).event_id for payload in payloads] == list(SAMPLES)


async def test_only_qradar_has_a_header() -> None:
    for layout in SensorLayout:
        sender = FakeSender()
        await sensor(layout, sender).deliver(row_of(SAMPLES["4776"]))
        assert sender.messages[0].startswith(b"<13>Mar 15 10:11:12 gw-1 ") == (layout is SensorLayout.QRADAR)


@pytest.mark.parametrize("layout", [SensorLayout.CEF, SensorLayout.RSA], ids=str)
async def test_what_a_layout_cannot_carry_is_skipped_and_counted(layout: SensorLayout) -> None:
    sender, metrics = FakeSender(), Metrics()
    assert await sensor(layout, sender, metrics).deliver(row_of(*SAMPLES.values())) == Delivered(skipped=len(SAMPLES) - 1)
    assert len(sender.messages) == 1
    assert metrics.value("tidegate_skipped_total", destination="s1", reason="event-not-in-layout") == len(SAMPLES) - 1


async def test_another_providers_event_of_a_required_id_is_skipped() -> None:
    sender, metrics = FakeSender(), Metrics()
    applocker = dataclasses.replace(SAMPLES["8004"], provider="Microsoft-Windows-AppLocker", channel="Microsoft-Windows-AppLocker/EXE and DLL")
    await sensor(SensorLayout.SPLUNK, sender, metrics).deliver(row_of(applocker, keep_all=True))
    assert not sender.messages
    assert metrics.value("tidegate_skipped_total", destination="s1", reason="event-not-in-layout") == 1


async def test_an_event_without_a_time_is_skipped() -> None:
    sender, metrics = FakeSender(), Metrics()
    timeless = dataclasses.replace(SAMPLES["4776"], time=None, time_text="")
    await sensor(SensorLayout.SPLUNK, sender, metrics).deliver(row_of(timeless, SAMPLES["4726"]))
    assert len(sender.messages) == 1
    assert metrics.value("tidegate_skipped_total", destination="s1", reason="no-event-time") == 1


async def test_what_is_too_long_is_cut_in_its_longest_value() -> None:
    sender, metrics = FakeSender(max_message=1000), Metrics()
    long = dataclasses.replace(SAMPLES["7045"], data=tuple((name, "\u00e9" * 5000 if name == "ImagePath" else value) for name, value in SAMPLES["7045"].data))
    await sensor(SensorLayout.SPLUNK, sender, metrics).deliver(row_of(long))
    event = splunk.LAYOUT.parse_event(sender.messages[0], Reading())
    assert 990 < len(sender.messages[0]) <= 1000
    assert set(dict(event.data)["ImagePath"]) == {"\u00e9"}
    assert dict(event.data)["AccountName"] == "LocalSystem"
    assert metrics.value("tidegate_shortened_total", destination="s1") == 1


async def test_what_cannot_be_cut_is_skipped() -> None:
    sender, metrics = FakeSender(max_message=40), Metrics()
    await sensor(SensorLayout.SPLUNK, sender, metrics).deliver(row_of(SAMPLES["4776"]))
    assert not sender.messages
    assert metrics.value("tidegate_skipped_total", destination="s1", reason="oversize") == 1


async def test_nothing_is_counted_before_it_is_sent() -> None:
    sender, metrics = FakeSender(), Metrics()
    destination, row = sensor(SensorLayout.CEF, sender, metrics), row_of(*SAMPLES.values())
    sender.failing = True
    with pytest.raises(DeliveryError):
        await destination.deliver(row)
    assert metrics.value("tidegate_skipped_total", destination="s1", reason="event-not-in-layout") == 0
    sender.failing = False
    await destination.deliver(row)
    assert metrics.value("tidegate_skipped_total", destination="s1", reason="event-not-in-layout") == len(SAMPLES) - 1


async def test_a_record_that_is_none_is_refused_alone() -> None:
    row = row_of(SAMPLES["4776"])
    broken = replace(row, records=b"[" + row.records[1:])
    with pytest.raises(DeliveryError) as refused:
        await sensor(SensorLayout.SPLUNK, FakeSender()).deliver(broken)
    assert (refused.value.reason, refused.value.fault) == ("unreadable-record", Fault.REFUSED)


@given(event=hostile_events())
@settings(max_examples=50)
async def test_no_record_stops_a_delivery(event: WindowsEvent) -> None:
    sender = FakeSender(max_message=500)
    batch = Normalizer(shipped("aatp-2020")).normalize(Frames(payload := event_xml.encode_event(event), array("I", (0, len(payload))), ORIGIN))
    for layout in SensorLayout:
        await sensor(layout, sender).deliver(Row.whole(batch.records, batch.index, 0))
    assert all(len(message) <= 500 for message in sender.messages)


@given(event=required_events())
def test_a_restored_event_has_its_key_time_and_ceremony(event: WindowsEvent) -> None:
    row = row_of(event)
    back = restore(next(row.texts()))
    assert (back.key, back.computer, back.record_id, back.time) == (event.key, event.computer, event.record_id, event.time)
    assert bool(back.keywords)
    assert bool(back.task)


@pytest.mark.parametrize("record", [b"[]", b"{}", b'{"metadata":{"event_code":"Start"}}', b"{"], ids=["no object", "nothing", "RADIUS", "no JSON"])
def test_what_is_no_windows_event_cannot_be_restored(record: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        restore(record)
