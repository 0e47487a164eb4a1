"""Events in JSON, by whatever turned them into it: the same values as from event XML."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import MessageError
from wire.event import WindowsEvent
from wire.json_object import MAX_DEPTH, JsonObject, leaves, parse_object
from wire.layouts.assemble import MAX_VALUES
from wire.layouts.detect import detect
from wire.layouts.flat_json import is_event
from wire.layouts.json_shapes import find_event, plain_elements
from wire.layouts.layout import Mode, Reading
from wire.providers import SECURITY_AUDITING

DATA = (("PackageName", "MICROSOFT_AUTHENTICATION_PACKAGE_V1_0"), ("TargetUserName", "dana"), ("Workstation", "WKS1"), ("Status", "0x0"))
TEXT = "The computer attempted to validate the credentials for an account.\r\n\r\n" + "\r\n".join(
    f"{label}:\t{value}" for label, (_, value) in zip(("Authentication Package", "Logon Account", "Source Workstation", "Error Code"), DATA, strict=True)
)
TIME = "2021-03-15T10:11:12.3456789Z"
MILLISECONDS = 1_615_803_072_345
ENVELOPE = {"EventID": 4776, "Channel": "Security", "Computer": "dc01.contoso.example", "EventRecordID": 7, "Keywords": "0x8020000000000000"}
WMI = {"EventCode": 4776, "Logfile": "Security", "SourceName": SECURITY_AUDITING, "ComputerName": "dc01.contoso.example", "RecordNumber": 7}
PLAIN = {**ENVELOPE, "Provider": SECURITY_AUDITING, "TimeCreated": TIME}
LOG_ANALYTICS = {
    "EventID": 4776,
    "EventSourceName": SECURITY_AUDITING,
    "Channel": "Security",
    "Computer": "dc01.contoso.example",
    "EventRecordId": "7",
    "Level": "8",
    "TimeGenerated": TIME,
    "Type": "SecurityEvent",
}


def data_elements(name: str, text: str) -> dict[str, Any]:
    return {"Data": [{name: key, text: value} for key, value in DATA]}


def system(attributes: dict[str, Any], time: dict[str, Any]) -> dict[str, Any]:
    return {**ENVELOPE, "Provider": attributes, "TimeCreated": time}


SHAPES: dict[str, dict[str, Any]] = {
    "attributes-of-their-own": {
        "Event": {"System": system({"#attributes": {"Name": SECURITY_AUDITING}}, {"#attributes": {"SystemTime": TIME}}), "EventData": dict(DATA)}
    },
    "attributes-beside": {
        "Event": {
            "System": {**ENVELOPE, "Provider_attributes": {"Name": SECURITY_AUDITING}, "TimeCreated_attributes": {"SystemTime": TIME}},
            "EventData": dict(DATA),
        }
    },
    "at-signs": {"Event": {"@xmlns": "x", "System": system({"@Name": SECURITY_AUDITING}, {"@SystemTime": TIME}), "EventData": data_elements("@Name", "#text")}},
    "dollar-and-underscore": {
        "Event": {
            "System": [
                {
                    **{key: [value] for key, value in ENVELOPE.items()},
                    "Provider": [{"$": {"Name": SECURITY_AUDITING}}],
                    "TimeCreated": [{"$": {"SystemTime": TIME}}],
                }
            ],
            "EventData": [{"Data": [{"_": value, "$": {"Name": key}} for key, value in DATA]}],
        }
    },
    "plain-attributes-text": {"Event": {"System": system({"Name": SECURITY_AUDITING}, {"SystemTime": TIME}), "EventData": data_elements("Name", "text")}},
    "below-a-field-of-the-relay": {
        "@timestamp": "2021-03-15T10:11:14Z",
        "winlogs": {"System": [system({"Name": SECURITY_AUDITING}, {"SystemTime": TIME})], "EventData": [data_elements("Name", "content")]},
    },
    "pairs-without-data": {**PLAIN, "EventData": [{"Key": key, "Value": value} for key, value in DATA]},
    "get-winevent": {
        "Id": 4776,
        "ProviderName": SECURITY_AUDITING,
        "LogName": "Security",
        "MachineName": "dc01.contoso.example",
        "RecordId": 7,
        "TimeCreated": f"/Date({MILLISECONDS})/",
        "KeywordsDisplayNames": ["Audit Success"],
        "Properties": [{"Value": value} for _, value in DATA],
    },
    "wmi": {**WMI, "InsertionStrings": [value for _, value in DATA], "Type": "Audit Success", "EventType": 4, "TimeGenerated": "20210315101112.345678-000"},
    "string-inserts": {**PLAIN, "StringInserts": [value for _, value in DATA], "Message": "", "TimeCreated": "2021-03-15 10:11:12.345 +0000"},
    "event-data-by-position": {**PLAIN, "EventData": [value for _, value in DATA], "TimeCreated": "2021/03/15 10:11:12.345678900"},
    "rendered-text-beside-other-members": {**PLAIN, "Message": TEXT, "host_ip": "192.0.2.1"},
    "wazuh": {
        "timestamp": "2021-03-15T10:11:14Z",
        "rule": {"id": "60106", "level": 3},
        "id": "1615803074.1",
        "data": {
            "win": {
                "system": {
                    "providerName": SECURITY_AUDITING,
                    "eventID": "4776",
                    "systemTime": TIME,
                    "eventRecordID": "7",
                    "channel": "Security",
                    "computer": "dc01.contoso.example",
                    "severityValue": "AUDIT_SUCCESS",
                },
                "eventdata": {key[0].lower() + key[1:]: value for key, value in DATA},
            }
        },
    },
    "log-analytics": {**LOG_ANALYTICS, **dict(DATA)},
    "log-analytics-xml": {
        **LOG_ANALYTICS,
        "EventData": "<DataItem><EventData>" + "".join(f'<Data Name="{key}">{value}</Data>' for key, value in DATA) + "</EventData></DataItem>",
    },
    "log-analytics-json": {**LOG_ANALYTICS, "EventData": json.dumps(dict(DATA))},
    "one-record": {"records": [{**PLAIN, **dict(DATA)}]},
    "hec-object": {"time": MILLISECONDS / 1000, "event": {**ENVELOPE, "SourceName": SECURITY_AUDITING, **dict(DATA)}},
    "winlogbeat-below-payload": {
        "payload": {
            "@timestamp": TIME,
            "winlog": {
                "event_id": 4776,
                "channel": "Security",
                "provider_name": SECURITY_AUDITING,
                "computer_name": "dc01.contoso.example",
                "record_id": 7,
                "keywords": ["Audit Success"],
                "event_data": dict(DATA),
            },
        }
    },
    "nxlog-below-event": {
        "event": {
            "EventID": 4776,
            "Channel": "Security",
            "SourceName": SECURITY_AUDITING,
            "Hostname": "dc01.contoso.example",
            "RecordNumber": 7,
            "EventTime": TIME,
            "EventType": "AUDIT_SUCCESS",
            "SourceModuleType": "im_msvistalog",
            **dict(DATA),
        }
    },
}


def read(document: dict[str, Any]) -> WindowsEvent:
    payload = json.dumps(document).encode()
    layout = detect(payload)
    assert layout is not None
    return layout.parse_event(payload, Reading())


@pytest.mark.parametrize("document", [pytest.param(document, id=name) for name, document in SHAPES.items()])
def test_the_event_is_found(document: dict[str, Any]) -> None:
    event = read(document)
    assert event.key == ("Security", SECURITY_AUDITING, "4776")
    assert (event.computer, event.record_id, event.keywords) == ("dc01.contoso.example", "7", "0x8020000000000000")
    assert event.time is not None
    assert event.time.unix_ns // 1_000_000 == MILLISECONDS
    assert set(DATA) <= set(event.data)


def test_what_carries_an_event_is_kept_beside_it() -> None:
    assert dict(read(SHAPES["wazuh"]).data).items() >= {"rule.id": "60106", "rule.level": "3", "id": "1615803074.1"}.items()


def test_a_value_by_position_is_not_said_again_and_one_without_a_name_is_numbered() -> None:
    said = read({**PLAIN, **dict(DATA), "StringInserts": [*(value for _, value in DATA), "fifth"]})
    assert said.data == (*DATA, ("Data5", "fifth"))
    assert read({**PLAIN, "EventID": 1, "StringInserts": ["a", "b"]}).data == (("Data1", "a"), ("Data2", "b"))


def test_another_providers_event_of_the_same_id_has_no_names() -> None:
    event = read({**PLAIN, "Provider": "Contoso-Backup", "StringInserts": ["a"]})
    assert event.data == (("Data1", "a"),)


def test_data_that_say_enough_need_no_text() -> None:
    translated = "Der Computer hat versucht, die Anmeldeinformationen zu überprüfen."
    assert read({**PLAIN, **dict(DATA), "Message": TEXT}).data == DATA
    partly = read({**PLAIN, "TargetUserName": "dana", "Message": translated})
    assert (partly.data, partly.warnings) == ((("TargetUserName", "dana"),), ())
    assert "localised-text" in read({**PLAIN, "host_ip": "192.0.2.1", "Message": translated}).warnings


def test_a_channel_that_was_not_sent_is_its_providers_only_one() -> None:
    document = {name: value for name, value in PLAIN.items() if name != "Channel"}
    event = read(document)
    assert (event.channel, event.warnings) == ("Security", ("no-channel",))
    payload = json.dumps(document).encode()
    layout = detect(payload)
    assert layout is not None
    with pytest.raises(MessageError) as refused:
        layout.parse_event(payload, Reading(mode=Mode.STRICT))
    assert refused.value.rule == "no-channel"


def test_several_events_in_one_message_are_refused() -> None:
    with pytest.raises(MessageError) as refused:
        read({"records": [PLAIN, PLAIN]})
    assert refused.value.rule == "several-events"


def test_values_of_one_name_are_bounded() -> None:
    event = read({**PLAIN, "EventData": {"Data": [{"Name": "a", "#text": str(number)} for number in range(5000)]}})
    assert len(event.data) == MAX_VALUES
    assert "too-many-names" in event.warnings


MEMBERS = ["EventID", "Event", "System", "EventData", "Data", "Name", "@Name", "$", "_", "#text", "records", "x_attributes", "Value"]
JSON = st.recursive(
    st.none() | st.text(max_size=5) | st.sampled_from(["4776", "<EventData><Data/></EventData>", "{}"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_any_object_is_an_event_or_carries_one_or_neither(value: object) -> None:
    document, _ = parse_object(json.dumps({"x": value}).encode())
    plain = plain_elements(document)
    assert isinstance(plain, JsonObject)
    with contextlib.suppress(MessageError):
        event, around = find_event(plain, is_event)
        assert is_event(event) or event is plain
        assert len([*leaves(event), *around]) <= len(list(leaves(plain)))


@pytest.mark.parametrize("piece", ['{"a":', '{"Data":[', '{"EventData":'])
def test_deep_objects_are_refused(piece: str) -> None:
    closing = {"{": "}", "[": "]"}
    ends = "".join(closing[mark] for mark in reversed(piece) if mark in closing)
    with pytest.raises(MessageError) as refused:
        plain_elements(parse_object((piece * (MAX_DEPTH + 2) + "1" + ends * (MAX_DEPTH + 2)).encode())[0])
    assert refused.value.rule == "json-too-deep"


@pytest.mark.parametrize("piece", ['"Id":1,', '"Id":"LogName",', '"EventID" '])
def test_what_is_no_event_is_told_in_linear_time(piece: str) -> None:
    payload = ("{" + piece * (250_000 // len(piece))).encode()
    for _ in range(20):  # quadratic work would take minutes
        assert detect(payload) is None


@pytest.mark.parametrize("piece", ['{"Name":"a","#text":"b"},', '{"records":[{"EventID":1}]},', '["a"],', '{"$":{"Name":"a"}},'])
def test_large_documents_are_read_in_linear_time(piece: str) -> None:
    payload = ('{"EventID":4776,"Data":[' + piece * (200_000 // len(piece)) + "1]}").encode()
    layout = detect(payload)
    assert layout is not None
    assert len(layout.parse_event(payload, Reading()).data) <= MAX_VALUES
