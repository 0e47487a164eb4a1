"""Joins: which sessions belong to a record, and that a destination gets what is joined and nothing else changes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from support.engines import frames_of, shipped
from support.events import SAMPLES, required_events
from support.ocsf import check

from forwarders.destination import Delivered, Limits
from forwarders.enriched import Enriched, enrich
from forwarders.enrichers.table import ENRICHERS, Join
from forwarders.enrichers.vpn import MAX_SESSIONS
from forwarders.file_settings import FileSettings
from forwarders.sensor_settings import SensorSettings
from normalizers.normalizer import Normalizer
from pipeline.errors import DeliveryError, Fault
from pipeline.spool.row import Row
from pipeline.state.session import Session
from pipeline.state.sessions import Sessions
from pipeline.state.settings import SessionSettings
from wire.event import WindowsEvent
from wire.event_xml import encode_event

NOON_MS = 1_710_504_000_123
MINUTE_MS = 60_000
EVERY = tuple(ENRICHERS.values())


def session(number: int = 1, **told: Any) -> Session:
    begun = told.get("begun_at_ms", NOON_MS - MINUTE_MS)
    known = Session(number, "192.0.2.1", f"s{number}", "alice", "CONTOSO", "10.8.0.5", "203.0.113.9", begun, begun, None, NOON_MS)
    return known._replace(**told)


def table(*sessions: Session) -> Sessions:
    made = Sessions(SessionSettings())
    made.load(sessions)
    return made


def validation(user: Mapping[str, str], ip: str = "", class_uid: int = 3002) -> dict[str, Any]:
    where = {"src_endpoint": {"ip": ip}} if ip else {}
    return {"class_uid": class_uid, "time": NOON_MS, **({"user": user} if class_uid == 3002 else {"actor": {"user": user}}), **where}


ACCOUNTS: dict[str, tuple[dict[str, Any], Sequence[Session], str | None]] = {
    "name and domain, case aside": (validation({"name": "ALICE", "domain": "contoso"}), [session()], "account"),
    "event without a domain": (validation({"name": "alice"}), [session()], "name"),
    "session without a domain": (validation({"name": "alice", "domain": "CONTOSO"}), [session(domain="")], "name"),
    "another domain": (validation({"name": "alice", "domain": "FABRIKAM"}), [session()], None),
    "principal name by its halves": (validation({"name": "Alice@contoso.example"}), [session(domain="CONTOSO.example")], "account"),
    "principal name as it stands": (validation({"name": "alice@contoso.example"}), [session(user="alice@contoso.example", domain="")], "name"),
    "another account": (validation({"name": "bob"}), [session()], None),
    "began later": (validation({"name": "alice"}), [session(begun_at_ms=NOON_MS + 1)], None),
    "ended before": (validation({"name": "alice"}), [session(ended_at_ms=NOON_MS - 1)], None),
    "ended since": (validation({"name": "alice"}), [session(ended_at_ms=NOON_MS + 1)], "name"),
    "who changed a group": (validation({"name": "alice"}, class_uid=3006), [session()], "name"),
    "accounting itself": (validation({"name": "alice"}, class_uid=4014), [session()], None),
    "nobody": ({"class_uid": 3002, "time": NOON_MS}, [session()], None),
}


@pytest.mark.parametrize(("record", "sessions", "matched"), ACCOUNTS.values(), ids=ACCOUNTS)
def test_vpn_by_account(record: dict[str, Any], sessions: Sequence[Session], matched: str | None) -> None:
    found = list(ENRICHERS[Join.VPN_BY_ACCOUNT](record, table(*sessions)))
    assert [one["data"]["matched"] for one in found] == ([matched] if matched else [])


ADDRESSES: dict[str, tuple[dict[str, Any], Sequence[Session], int]] = {
    "workstation is an address": (validation({"name": "x"}, "10.8.0.5"), [session()], 1),
    "of another session": (validation({"name": "x"}, "10.8.0.6"), [session()], 0),
    "not of a group change": (validation({"name": "x"}, "10.8.0.5", 3006), [session()], 0),
    "no address": (validation({"name": "x"}), [session()], 0),
    "given again": (validation({"name": "x"}, "10.8.0.5"), [session(ended_at_ms=NOON_MS - 5), session(2, user="bob")], 1),
}


@pytest.mark.parametrize(("record", "sessions", "count"), ADDRESSES.values(), ids=ADDRESSES)
def test_vpn_by_ip(record: dict[str, Any], sessions: Sequence[Session], count: int) -> None:
    found = list(ENRICHERS[Join.VPN_BY_IP](record, table(*sessions)))
    assert sum(one["data"]["count"] for one in found) == count


def test_what_is_said_of_a_session() -> None:
    (found,) = ENRICHERS[Join.VPN_BY_ACCOUNT](validation({"name": "alice"}), table(session(domain="")))
    told = {"address": "10.8.0.5", "begun": NOON_MS - MINUTE_MS, "client": "203.0.113.9", "server": "192.0.2.1", "uid": "s1", "user": "alice"}
    assert found == {
        "data": {"count": 1, "matched": "name", "sessions": [told]},
        "name": "user.name",
        "provider": "Tidegate",
        "type": "vpn-by-account",
        "value": "alice",
    }


def test_an_account_with_many_sessions_shows_the_latest() -> None:
    many = [session(number, begun_at_ms=NOON_MS - 100 + number) for number in range(1, 10)]
    (found,) = ENRICHERS[Join.VPN_BY_ACCOUNT](validation({"name": "alice"}), table(*many))
    assert found["data"]["count"] == len(many)
    assert [one["uid"] for one in found["data"]["sessions"]] == ["s9", "s8", "s7", "s6"][:MAX_SESSIONS]


def row_of(events: Sequence[WindowsEvent]) -> Row:
    batch = Normalizer(shipped("aatp-2020")).normalize_events(frames_of([encode_event(event) for event in events]))
    return Row.whole(batch.records, batch.index, 7)


@given(st.lists(required_events(), min_size=1, max_size=6), st.data())
def test_enriched_records_are_valid_and_stay_who_they_were(events: list[WindowsEvent], data: st.DataObject) -> None:
    row = row_of(events)
    if not row:
        return
    row = row.pick(sorted(data.draw(st.sets(st.sampled_from(range(len(row))), min_size=1))))
    names = {
        account.get("name", "x") for record in map(orjson.loads, row.texts()) for account in (record.get("user", {}), record.get("actor", {}).get("user", {}))
    }
    sessions = table(*(session(number, user=name, domain="", begun_at_ms=-(2**40)) for number, name in enumerate(sorted(names), 1)))
    enriched = enrich(row, EVERY, sessions)
    assert (enriched.numbers, enriched.end, len(enriched)) == (row.numbers, row.end, len(row))
    for before, after, entry in zip(row.texts(), enriched.texts(), enriched.entries(), strict=True):
        record = json.loads(after)
        check(record)
        assert entry.uid.hex() == record["metadata"]["uid"].replace("-", "")
        assert {name: value for name, value in record.items() if name != "enrichments"} == json.loads(before)


class Recorder:
    """A destination that keeps what it gets."""

    def __init__(self, limits: Limits) -> None:
        self.limits, self.got = limits, list[Row]()

    async def open(self, _state: bytes) -> bytes | None:
        return None

    async def deliver(self, row: Row) -> Delivered:
        self.got.append(row)
        return Delivered(b"state")

    async def close(self) -> None:
        self.got.clear()


LOGON = SAMPLES["4776"]
ACCOUNT = dict(LOGON.data)["TargetUserName"]


async def test_a_destination_gets_what_is_joined() -> None:
    recorder, row = Recorder(Limits()), row_of([LOGON])
    delivered = await Enriched(recorder, EVERY, table(session(user=ACCOUNT))).deliver(row)
    (text,) = recorder.got[0].texts()
    assert delivered.state == b"state"
    assert [one["type"] for one in orjson.loads(text)["enrichments"]] == ["vpn-by-account"]


async def test_without_sessions_a_row_passes_untouched() -> None:
    recorder, row = Recorder(Limits()), row_of([LOGON])
    await Enriched(recorder, EVERY, table()).deliver(row)
    assert recorder.got[0] is row


async def test_what_grows_beyond_a_limit_is_sent_in_less_and_alone_as_it_was() -> None:
    row = row_of([LOGON, SAMPLES["4728"]])
    one = row.split(1)[0]
    enriched = Enriched(Recorder(Limits(octets=len(row.records) + 10)), EVERY, table(session(user=ACCOUNT)))
    with pytest.raises(DeliveryError) as failed:
        await enriched.deliver(row)
    assert failed.value.fault is Fault.TOO_LARGE
    recorder = Recorder(Limits(octets=len(one.ndjson())))
    await Enriched(recorder, EVERY, table(session(user=ACCOUNT))).deliver(one)
    assert recorder.got == [one]


def test_a_destination_says_less_than_it_takes() -> None:
    assert Enriched(Recorder(Limits(5, 800)), EVERY, table()).limits == Limits(5, 700)
    assert Enriched(Recorder(Limits()), EVERY, table()).limits == Limits()


def test_joins_are_named_and_asked_of_destinations_that_carry_them() -> None:
    asked = FileSettings.model_validate({"name": "a", "kind": "file", "path": "/x", "enrich": ["vpn-by-ip"]})
    assert asked.enrich == (Join.VPN_BY_IP,)
    for wrong in (("vpn",), ("vpn-by-ip", "vpn-by-ip")):
        with pytest.raises(ValidationError):
            FileSettings.model_validate({"name": "a", "kind": "file", "path": "/x", "enrich": wrong})
    with pytest.raises(ValidationError):
        SensorSettings.model_validate({"name": "a", "kind": "sensor", "layout": "cef", "address": "udp://127.0.0.1:514", "enrich": ["vpn-by-ip"]})
