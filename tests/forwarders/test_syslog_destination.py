"""The syslog destination over a fake sender: header and payload of every form, what is parked, and its settings."""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from uuid import UUID

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from support.batches import batch_of
from support.engines import shipped
from support.events import SAMPLES, hostile_events

from forwarders.destination import Delivered, Promise, Refusal
from forwarders.encoders.cef import encode_cef
from forwarders.encoders.flat_json import encode_flat_json
from forwarders.encoders.leef import encode_leef
from forwarders.payload import Payload
from forwarders.settings import ForwarderSettings
from forwarders.syslog import Syslog
from forwarders.syslog_settings import SyslogSettings, SyslogTransport
from normalizers.normalizer import Normalizer
from pipeline.metrics import Metrics
from pipeline.model import Frames, Origin, Transport
from pipeline.settings import SocketAddress
from pipeline.spool.row import Row, join_rows
from wire import event_xml
from wire.event import WindowsEvent
from wire.syslog_header import parse_header

TABLE: Final = {"name": "siem", "kind": "syslog", "address": "tcp://127.0.0.1:514"}
ORIGIN: Final = Origin("listeners.syslog", Transport.UDP, "192.0.2.1", 1_700_000_000_000_000_000)


class Kept:
    """A sender that keeps what it is given."""

    max_message = 1 << 20

    def __init__(self) -> None:
        self.messages: list[bytes] = []

    async def connect(self) -> None:
        pass

    async def send(self, messages: Sequence[bytes]) -> None:
        self.messages += messages

    async def close(self) -> None:
        pass


async def sent(row: Row, **given: object) -> tuple[list[bytes], Delivered]:
    sender = Kept()
    delivered = await Syslog(SyslogSettings.model_validate(TABLE | given), Metrics(), sender=sender).deliver(row)
    return sender.messages, delivered


def row_of(*events: WindowsEvent) -> Row:
    payloads = [event_xml.encode_event(event) for event in events]
    spans = array("I")
    for payload in payloads:
        start = spans[-1] if spans else 0
        spans.extend((start, start + len(payload)))
    batch = Normalizer(shipped("aatp-2020")).normalize(Frames(b"".join(payloads), spans, ORIGIN))
    return Row.whole(batch.records, batch.index, 0)


async def test_header_and_record() -> None:
    row = row_of(SAMPLES["4776"])
    (message,), delivered = await sent(row, facility="authpriv", app_name="gate-1")
    (text,), (entry,) = row.texts(), row.entries()
    header = parse_header(message)
    assert delivered == Delivered()
    assert message[header.payload_start :] == text
    assert (header.hostname, header.app_name, header.procid, header.msgid) == (entry.computer, "gate-1", "", "4776")
    assert (header.facility, header.structured_data) == (10, "")
    assert re.fullmatch(r"[0-9-]{10}T[0-9:]{8}\.[0-9]{3}Z", header.timestamp)


async def test_the_severity_is_the_records() -> None:
    row = row_of(*SAMPLES.values())
    messages, _ = await sent(row)
    expected = {1: 6, 2: 5, 3: 4, 4: 3, 5: 2, 6: 1}
    assert [parse_header(message).severity for message in messages] == [expected[orjson.loads(text)["severity_id"]] for text in row.texts()]


async def test_structured_data_has_the_uid() -> None:
    row = row_of(SAMPLES["4728"])
    (message,), _ = await sent(row, enterprise=32473)
    (entry,) = row.entries()
    uid = orjson.loads(next(row.texts()))["metadata"]["uid"]
    assert UUID(uid).bytes == entry.uid
    assert parse_header(message).structured_data == f'[tidegate@32473 uid="{uid}" class_uid="3006"]'


@pytest.mark.parametrize(("payload", "encode"), [("cef", encode_cef), ("leef", encode_leef), ("json", encode_flat_json)])
async def test_payloads(payload: str, encode: object) -> None:
    row = row_of(*SAMPLES.values())
    messages, _ = await sent(row, payload=payload)
    assert callable(encode)
    assert [message.split(b" - ", 2)[2] for message in messages] == [encode(orjson.loads(text)) for text in row.texts()]


async def test_ecs_is_a_document() -> None:
    (message,), _ = await sent(row_of(SAMPLES["4776"]), payload="ecs")
    assert orjson.loads(message.split(b" - ", 2)[2])["event"]["code"] == "4776"


async def test_what_is_too_long_is_parked_and_the_rest_sent() -> None:
    batch = batch_of(range(3), octets=1000)
    row = Row.whole(batch.records, batch.index, 0)
    messages, delivered = await sent(row, max_message="1 KiB")
    assert messages == []
    assert [refusal.reason for refusal in delivered.refused.values()] == ["oversize"] * 3
    long, short = batch_of([1], octets=2000), batch_of([2])
    messages, delivered = await sent(join_rows([Row.whole(long.records, long.index, 0), Row.whole(short.records, short.index, 1)]), max_message="1 KiB")
    assert len(messages) == 1
    assert list(delivered.refused) == [0]


async def test_a_record_that_is_none_is_parked() -> None:
    batch = batch_of([1])
    for broken in (b"[1]" + b" " * (len(batch.records) - 4) + b"\n", b"x" * (len(batch.records) - 1) + b"\n"):
        messages, delivered = await sent(Row.whole(broken, batch.index, 0))
        assert not messages
        assert delivered.refused[0].reason == "unreadable-record"
        assert isinstance(delivered.refused[0], Refusal)


@given(event=hostile_events(), payload=st.sampled_from(Payload))
@settings(max_examples=40)
async def test_no_event_breaks_its_line(event: WindowsEvent, payload: Payload) -> None:
    messages, _ = await sent(row_of(event), payload=payload, enterprise=1)
    for message in messages:
        assert b"\n" not in message
        assert b"\r" not in message
        if payload in (Payload.CEF, Payload.LEEF):
            assert len(message.decode().splitlines()) == 1


def test_settings_and_promise() -> None:
    given = TABLE | {"address": "tls://[2001:db8::1]:6514", "framing": "lf", "tls": {"ca": ["ca.pem"]}}
    table = SyslogSettings.model_validate(given, context={"folder": Path("/etc")})
    assert table.address == (SyslogTransport.TLS, SocketAddress("2001:db8::1", 6514))
    assert table.tls is not None
    assert table.tls.ca == (Path("/etc/ca.pem"),)
    assert (table.promise, table.place, table.longest) == (Promise.RECEIVED, "ocsf tls://[2001:db8::1]:6514", 1 << 20)
    udp = SyslogSettings.model_validate(TABLE | {"address": "udp://siem:514", "payload": "cef"})
    assert (udp.promise, udp.place, udp.longest) == (Promise.HANDED_OVER, "cef udp://siem:514", 65_507)
    assert TypeAdapter[object](ForwarderSettings).validate_python(TABLE) == SyslogSettings.model_validate(TABLE)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"address": "http://siem:514"}, "write transport://host:port"),
        ({"address": "tcp://siem"}, "write host:port"),
        ({"tls": {}}, "mean nothing to tcp"),
        ({"server_name": "siem.contoso.example"}, "mean nothing to tcp"),
        ({"address": "udp://siem:514", "framing": "lf"}, "mean nothing to udp"),
        ({"address": "udp://siem:514", "max_message": 65_508}, "a datagram has at most"),
        ({"max_message": 100}, "greater than or equal to 480"),
        ({"app_name": "two words"}, "app_name"),
        ({"payload": "xml"}, "payload"),
        ({"facility": "local8"}, "facility"),
        ({"enterprise": 0}, "enterprise"),
    ],
    ids=str,
)
def test_refused_settings(given: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        SyslogSettings.model_validate(TABLE | given)
