"""`[[forwarders]]`: what is accepted, and that what isn't is refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from forwarders.file_settings import FileSettings
from forwarders.filter import FilterSettings
from forwarders.sensor_settings import RelaySettings, SensorSettings, SensorTransport
from forwarders.settings import ForwarderSettings
from pipeline.index import Entry
from pipeline.settings import SocketAddress
from pipeline.spool.settings import OnFull, Start

ADAPTER: TypeAdapter[ForwarderSettings] = TypeAdapter(ForwarderSettings)


RELAY: dict[str, object] = {"name": "next", "kind": "sensor", "layout": "radius", "address": "udp://127.0.0.1:1813", "secret": b"sixteen octets or"}


def test_relay() -> None:
    settings = ADAPTER.validate_python(RELAY)
    assert isinstance(settings, RelaySettings)
    assert settings.address == (SensorTransport.UDP, SocketAddress("127.0.0.1", 1813))
    assert settings.outstanding == 64
    assert "sixteen" not in repr(settings)
    short = ADAPTER.validate_python(RELAY | {"secret": b"short", "allow_short_secret": True})
    assert isinstance(short, RelaySettings)
    assert ADAPTER.validate_python(settings) == settings


def test_file() -> None:
    settings = ADAPTER.validate_python({"name": "archive", "kind": "file", "path": "out/events.ndjson"}, context={"folder": Path("/srv")})
    assert isinstance(settings, FileSettings)
    assert settings.path == Path("/srv/out/events.ndjson")
    assert settings.rotate_bytes == 1 << 30


def test_sensor_and_its_consumer() -> None:
    table = {"name": "sensor", "kind": "sensor", "layout": "splunk", "address": "udp://127.0.0.1:25514", "quota": "1 GiB", "on_full": "drop-oldest"}
    settings = ADAPTER.validate_python(table | {"start": "beginning", "filter": {"event_codes": [4776, "4624"]}})
    assert isinstance(settings, SensorSettings)
    assert settings.address == (SensorTransport.UDP, SocketAddress("127.0.0.1", 25514))
    consumer = settings.consumer()
    assert (consumer.name, consumer.quota, consumer.on_full, consumer.start) == ("sensor", 1 << 30, OnFull.DROP_OLDEST, Start.BEGINNING)
    assert consumer.wants is not None
    assert consumer.wants(entry_of("4776", 3002, ""))
    assert not consumer.wants(entry_of("4662", 3002, ""))


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"name": "a", "kind": "fil"}, "did you mean 'file'"),
        ({"name": "a", "kind": "sensors"}, "did you mean 'sensor'"),
        ({"name": "a", "kind": "carrier pigeon"}, "file, stdout, sensor"),
        ({"name": "a"}, "kind is missing"),
        ({"name": "a b", "kind": "stdout"}, "write a name"),
        ({"name": "", "kind": "stdout"}, "write a name"),
        ({"name": "a", "kind": "stdout", "pth": "x"}, "pth"),
        ({"name": "a", "kind": "stdout", "quota": 5.5}, "unit"),
        ({"name": "a", "kind": "sensor", "layout": "radus", "address": "udp://127.0.0.1:1"}, "did you mean 'radius'"),
        ({"name": "a", "kind": "sensor", "address": "udp://127.0.0.1:1"}, "layout is missing"),
        ({"name": "a", "kind": "sensor", "layout": ["radius"], "address": "udp://127.0.0.1:1"}, "no layout of a sensor"),
        ({"name": "a", "kind": "file", "layout": "radius", "path": "x"}, "layout"),
        (RELAY | {"address": "tcp://127.0.0.1:1813"}, "UDP"),
        (RELAY | {"secret": b"short"}, "allow_short_secret"),
        (RELAY | {"secret": b"", "allow_short_secret": True}, "0 octets"),
        (RELAY | {"secret": "written here"}, "env:NAME"),
        (RELAY | {"outstanding": 257}, "256"),
        ({"name": "a", "kind": "sensor", "layout": "splunk", "address": "tls://127.0.0.1:1"}, "udp://"),
        ({"name": "a", "kind": "sensor", "layout": "splunk", "address": "udp://127.0.0.1"}, "host:port"),
        ({"name": "a", "kind": "sensor", "layout": "splunk", "address": "udp://u@127.0.0.1:1"}, "udp://"),
    ],
)
def test_refused(table: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        ADAPTER.validate_python(table)


def entry_of(code: str, class_uid: int, computer: str) -> Entry:
    return Entry(0, 1, bytes(16), False, class_uid, code, 1, 0, computer)


@pytest.mark.parametrize(
    ("table", "wanted"),
    [
        ({}, True),
        ({"event_codes": ["4624", "4776"]}, True),
        ({"event_codes": ["4776"]}, False),
        ({"class_uids": [3002]}, True),
        ({"class_uids": [3001]}, False),
        ({"computers": ["DC1.Contoso.example"]}, True),
        ({"computers": ["*.contoso.example"]}, True),
        ({"computers": ["contoso.example"]}, False),
        ({"computers": ["*.fabrikam.example", "dc1.CONTOSO.example"]}, True),
        ({"event_codes": ["4624"], "computers": ["dc2.contoso.example"]}, False),
        ({"computers": ["dc?.contoso.*"]}, True),
        ({"computers": ["dc"]}, False),
        ({"computers": ["dc[1].contoso.example"]}, False),
        ({"status_ids": [1]}, True),
        ({"status_ids": [2]}, False),
    ],
)
def test_filters(table: dict[str, object], wanted: bool) -> None:  # noqa: FBT001 - pytest's
    assert FilterSettings.model_validate(table).compile()(entry_of("4624", 3002, "dc1.contoso.example")) == wanted


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5))
def test_anything_else_is_a_validation_error(value: object) -> None:
    with pytest.raises(ValidationError):
        ADAPTER.validate_python(value)
