"""The mapping: sample events against records written by hand, the official schemas on whatever is emitted, nothing lost, and proof that this can fail."""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.events import FIELDS, REQUIRED, SAMPLES, hostile_events, required_events
from support.ocsf import check, complaints

from normalizers.encoder import encode_record
from normalizers.engine import Mapped, map_event
from normalizers.normalizer import Normalizer
from normalizers.plan import Row
from normalizers.profiles import load_profile
from normalizers.settings import NormalizeSettings
from normalizers.source import windows_source
from pipeline.model import Frames, Origin, Transport
from wire.event import WindowsEvent
from wire.event_xml import parse_event

EVENTS = Path(__file__).parents[2] / "fixtures" / "events"
IDS = sorted(path.stem for path in EVENTS.glob("*.json"))
ORIGIN = Origin("listeners.syslog", Transport.TCP, "192.0.2.10", 1_710_504_001_000_999_999)

PROFILE = load_profile("mdi-current")
NORMALIZER = Normalizer(PROFILE)


def record_of(message: bytes, normalizer: Normalizer = NORMALIZER) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(normalizer.explain(message, ORIGIN).record)
    return record


def mapped(event: WindowsEvent, settings: NormalizeSettings | None = None) -> Mapped:
    source = windows_source(event, log_format="Windows XML", arrival_ms=ORIGIN.received_at_ms)
    return map_event(PROFILE.plans, PROFILE.plan(event.key), source, settings or NormalizeSettings())


def emitted(event: WindowsEvent, settings: NormalizeSettings | None = None) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(encode_record(mapped(event, settings).record))
    return record


# ---- records written by hand ----


def test_every_required_event_has_its_fixture() -> None:
    assert set(IDS) == {*REQUIRED, "4662", "4741", "5136"}


@pytest.mark.parametrize("event_id", IDS)
def test_record_is_the_one_written_by_hand(event_id: str) -> None:
    expected = json.loads((EVENTS / f"{event_id}.json").read_text("utf-8"))
    check(expected)
    assert record_of((EVENTS / f"{event_id}.xml").read_bytes()) == expected


@pytest.mark.parametrize("path", sorted((EVENTS / "renderings").iterdir()), ids=lambda path: path.stem)
def test_a_rendering_changes_nothing_but_the_digits_of_its_time(path: Path) -> None:
    expected = json.loads((EVENTS / "4728.json").read_text("utf-8"))
    record = record_of(path.read_bytes())
    check(record)
    assert record["metadata"].pop("original_time").startswith("2024-03-15T12:00:00.123456")
    del expected["metadata"]["original_time"]
    assert record == expected


# ---- worked examples of the uid: values of public samples ----

AUDITING = ("Security", "Microsoft-Windows-Security-Auditing")
UIDS = [
    ("4728", *AUDITING, "rootdc1.offsec.lan", "16075123", "2020-07-12T05:05:41.120317Z", "7446153f-ced3-554e-94e5-bf3304fa406b"),
    ("4776", *AUDITING, "DC01.contoso.local", "165437", "2015-07-25T04:38:11.003163100Z", "c633e941-6a03-5ac4-a28f-d0e799c66847"),
    (
        "7045",
        "System",
        "Service Control Manager",
        "WIN-77LTAPHIQ1R.example.corp",
        "4480",
        "2019-03-03T09:20:28.621489Z",
        "1d50ad40-a647-5b42-9d99-dc1e527c9798",
    ),
    (
        "8004",
        "Microsoft-Windows-NTLM/Operational",
        "Microsoft-Windows-Security-Netlogon",
        "DC01.contoso.local",
        "9921",
        "2024-05-06T07:08:09.123456700Z",
        "e04c3841-7f50-5ddb-9c57-e09a7cd09f86",
    ),
]


@pytest.mark.parametrize("case", UIDS, ids=[case[0] for case in UIDS])
def test_uid_is_the_documented_one(case: tuple[str, ...]) -> None:
    event_id, channel, provider, computer, record_id, time, uid = case
    xml = (
        f"<Event><System><Provider Name='{provider}'/><EventID>{event_id}</EventID><TimeCreated SystemTime='{time}'/><EventRecordID>{record_id}"
        f"</EventRecordID><Channel>{channel}</Channel><Computer>{computer}</Computer></System></Event>"
    )
    metadata = record_of(xml.encode())["metadata"]
    assert (metadata["uid"], metadata["original_time"]) == (uid, time)


def xml_of(*, record_id: str = "", time: str = "2024-03-15T12:00:00.1234567Z", data: str = "<Data Name='Status'>0x0</Data>") -> bytes:
    return (
        f"<Event><System><Provider Name='Microsoft-Windows-Security-Auditing'/><EventID>4776</EventID><TimeCreated SystemTime='{time}'/>"
        f"<EventRecordID>{record_id}</EventRecordID><Channel>Security</Channel><Computer>DC01</Computer></System><EventData>{data}</EventData></Event>"
    ).encode()


def test_without_record_id_the_uid_is_weak_and_made_of_all_that_was_delivered() -> None:
    weak = record_of(xml_of())["metadata"]
    assert weak["labels"] == ["uid:weak"]
    assert weak["uid"] == record_of(xml_of())["metadata"]["uid"]
    times = ("2024-03-15T12:00:00.1234568Z", "2024-03-15T12:00:00Z", "2024-03-15T12:00:00.123456789Z", "2024-03-15T12:00:00.123456788Z")
    others = [*(xml_of(time=time) for time in times), xml_of(data="<Data Name='Status'>0x1</Data>")]
    assert len({weak["uid"], *(record_of(other)["metadata"]["uid"] for other in others)}) == 1 + len(others)
    strong = record_of(xml_of(record_id="1"))["metadata"]
    assert "labels" not in strong
    assert strong["uid"] == record_of(xml_of(record_id="1", time="2024-03-15T12:00:00Z"))["metadata"]["uid"], "relays drop fractions"


def test_an_unreadable_time_is_arrival_and_leaves_the_uid_alone() -> None:
    record = record_of(xml_of(record_id="1", time="soon"))
    check(record)
    assert (record["time"], record["metadata"]["debug"][0]) == (ORIGIN.received_at_ms, "filled: user.name")
    assert "filled: time" in record["metadata"]["debug"]
    assert record["metadata"]["original_time"] == "soon"
    later = Origin("listeners.syslog", Transport.TCP, "192.0.2.10", ORIGIN.received_at_ns + 10**12)
    assert json.loads(NORMALIZER.explain(xml_of(record_id="1", time="soon"), later).record)["metadata"]["uid"] == record["metadata"]["uid"]


# ---- the official schemas ----


@given(required_events())
def test_every_required_event_is_valid(event: WindowsEvent) -> None:
    check(emitted(event))


@given(hostile_events(), st.builds(NormalizeSettings, observables=st.booleans(), captions=st.booleans()))
def test_whatever_an_event_holds_its_record_is_valid(event: WindowsEvent, settings: NormalizeSettings) -> None:
    check(emitted(event, settings))


@given(hostile_events())
def test_any_other_event_is_a_valid_base_event(event: WindowsEvent) -> None:
    source = windows_source(event, log_format="syslog", arrival_ms=1)
    rest = map_event(PROFILE.plans, PROFILE.plans.rest(event.key), source, NormalizeSettings())
    record = json.loads(encode_record(rest.record))
    check(record)
    assert (record["class_uid"], rest.class_uid) == (0, 0)


@given(hostile_events() | required_events())
def test_the_index_says_what_the_record_says(event: WindowsEvent) -> None:
    found = mapped(event)
    record = json.loads(encode_record(found.record))
    assert (found.class_uid, found.event_code) == (record["class_uid"], record["metadata"]["event_code"])
    assert (found.status_id, found.time_ms, found.computer) == (record["status_id"], record["time"], record["device"]["hostname"])
    assert found.uid.hex() == record["metadata"]["uid"].replace("-", "")
    assert found.weak == ("uid:weak" in record["metadata"].get("labels", ()))


@given(hostile_events())
def test_keys_are_sorted_at_every_level_on_one_line(event: WindowsEvent) -> None:
    line = encode_record(mapped(event).record)
    assert b"\n" not in line
    assert json.dumps(json.loads(line), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() == line


# ---- nothing is lost ----

MISSING = {"", "-", "N/A"}


def missing(text: str, event_id: str) -> bool:
    bare = text.strip(" \t\r\n")
    return bare in MISSING or (event_id == "8004" and bare in {"NULL", "(NULL)", "(null)"}) or (bare.startswith("%%") and bare[2:].isdecimal())


def flat(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


@given(required_events())
def test_every_value_is_in_the_record(event: WindowsEvent) -> None:
    record = emitted(event)
    text = flat({key: value for key, value in record.items() if key != "observables"}).lower()
    changed = {"Status", "StartType", "ServiceType", "PrivilegeList", "SubjectLogonId", "MemberName", "TargetUserName"}
    for name, value in event.data:
        if not missing(value, event.event_id) and name not in changed:
            assert flat(value)[1:-1].lower() in text, name


@pytest.mark.parametrize("event_id", REQUIRED)
def test_every_name_is_taken_or_unmapped(event_id: str) -> None:
    """Each field alone, with a value that no rule refuses or changes but by its own transform, must show in the record."""
    bare = emitted(WindowsEvent(event_id=event_id, channel=SAMPLES[event_id].channel, provider=SAMPLES[event_id].provider, record_id="1"))
    for name, value in SAMPLES[event_id].data:
        if missing(value, event_id):
            continue
        alone = emitted(
            WindowsEvent(event_id=event_id, channel=SAMPLES[event_id].channel, provider=SAMPLES[event_id].provider, record_id="1", data=((name, value),))
        )
        assert alone != bare, f"{name} makes no difference"
    assert [name for name, _ in SAMPLES[event_id].data] == list(FIELDS[event_id])


# ---- these tests can fail ----


def without(path: str) -> Callable[[dict[str, Any]], None]:
    def damage(record: dict[str, Any]) -> None:
        node = record
        *above, leaf = path.split(".")
        for step in above:
            node = node[step]
        del node[leaf]

    return damage


DAMAGE: list[tuple[Callable[[dict[str, Any]], Any], str]] = [
    (without("user"), "a required object gone"),
    (without("class_uid"), "a required number gone"),
    (without("device.type_id"), "a required number of an object gone"),
    (lambda record: record.update(extra=1), "an unknown key"),
    (lambda record: record.update(status_id=7), "a number that isn't in the enumeration"),
    (lambda record: record.update(time="now"), "a text for a number"),
    (lambda record: record.update(type_uid=1), "type_uid that doesn't follow"),
    (lambda record: record.update(status="Fine"), "a caption of our own"),
    (lambda record: record.update(message="-"), "a dash"),
    (lambda record: record["user"].update(name=""), "an empty text"),
    (lambda record: record["user"].update(name=None), "null"),
    (lambda record: record.update(unmapped={}), "an empty object"),
    (lambda record: record.update(time=float(record["time"])), "a float"),
    (lambda record: record["metadata"].update(version="1.7.0"), "another version"),
    (lambda record: record["metadata"].pop("profiles"), "the host profile not declared"),
    (lambda record: record["src_endpoint"].update(ip="1a2b3c4"), "an address the official pattern accepts"),
    (lambda record: record["observables"][0].update(value="other"), "an observable that resolves to something else"),
]


@pytest.mark.parametrize("damage", [case[0] for case in DAMAGE], ids=[case[1] for case in DAMAGE])
def test_a_damaged_record_is_refused(damage: Callable[[dict[str, Any]], Any]) -> None:
    record = emitted(SAMPLES["4776"])
    assert complaints(record) == []
    damage(record)
    assert complaints(record)


@pytest.mark.parametrize("event_id", IDS)
def test_dropping_any_row_of_a_plan_shows(event_id: str) -> None:
    """Every row that this event runs is needed for its record: none is there for nothing."""
    event = parse_event((EVENTS / f"{event_id}.xml").read_bytes())
    plan = PROFILE.plan(event.key)
    source = windows_source(event, log_format="Windows XML", arrival_ms=1)
    whole = map_event(PROFILE.plans, plan, source, NormalizeSettings()).record
    rows = [op for op in plan.ops if isinstance(op, Row)]
    silent = []
    for row in rows:
        maimed = replace(plan, ops=tuple(op for op in plan.ops if op is not row))
        if map_event(PROFILE.plans, maimed, source, NormalizeSettings()).record == whole:
            silent.append(row.to or row.inputs[0].name)
    allowed = {"timezone_offset", "metadata.correlation_uid", "unmapped.PrivilegeList"}  # events that have none
    if event_id in ("4726", "4728"):
        allowed.discard({"4726": "unmapped.PrivilegeList", "4728": "metadata.correlation_uid"}[event_id])
    if event_id == "7045":
        allowed.add("actor.user")  # only SIEM layouts name the installer
    assert set(silent) <= allowed


# ---- switches ----


def test_switches_take_away_what_they_say() -> None:
    event = SAMPLES["7045"]
    full = emitted(event)
    assert {*full} - {*emitted(event, NormalizeSettings(observables=False))} == {"observables"}
    plain = emitted(event, NormalizeSettings(captions=False))
    assert {*full} - {*plain} == {"activity_name", "category_name", "class_name", "severity", "status", "type_name"}
    assert plain["win_service"]["service_type"] == "user mode service", "the caption of 99 carries the source's value"
    assert "service_start_type" not in plain["win_service"]


def test_configured_facts_are_added() -> None:
    record = emitted(SAMPLES["4776"], NormalizeSettings(tenant_uid="t1", labels=("site:hq",)))
    check(record)
    assert (record["metadata"]["tenant_uid"], record["metadata"]["labels"]) == ("t1", ["site:hq"])


@pytest.mark.parametrize("filler", ["x", "\u00e9", "\u20ac", "\U0001f600"])
def test_raw_data_is_cut_between_characters(filler: str) -> None:
    normalizer = Normalizer(PROFILE, NormalizeSettings(raw_data=True))
    message = xml_of(record_id="1", data=f"<Data Name='Status'>0x0</Data><Data Name='Note'>{filler * 40_000}</Data>")
    record = record_of(message, normalizer)
    check(record)
    if len(message) > 65_536:
        assert record["raw_data_size"] == len(message)
        assert record["metadata"]["is_truncated"] is True
        assert 65_532 < len(record["raw_data"].encode()) <= 65_536
        assert message.decode().startswith(record["raw_data"])
    else:
        assert record["raw_data"] == message.decode()
        assert "is_truncated" not in record["metadata"]


def test_a_batch_holds_one_line_per_entry() -> None:
    messages = [path.read_bytes() for path in sorted(EVENTS.glob("*.xml"))]
    spans = array("I")
    for message in messages:
        start = spans[-1] if spans else 0
        spans.extend((start, start + len(message)))
    batch = NORMALIZER.normalize(Frames(b"".join(messages), spans, ORIGIN))
    assert [batch.records[entry.start : entry.end] for entry in batch.index] == batch.records.splitlines()
    assert len({entry.uid for entry in batch.index}) == batch.received == len(messages)
