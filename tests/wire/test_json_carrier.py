"""Payloads inside of JSON: found where a member holds a whole message, and nowhere else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.json_carrier import unwrap

EVENT = "<Event xmlns='x'><System/></Event>"


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({"@timestamp": "2021-03-15T10:11:12Z", "message": EVENT}, id="filebeat"),
        pytest.param({"time": 1615803072.3, "sourcetype": "XmlWinEventLog", "event": EVENT}, id="splunk-hec"),
        pytest.param({"event": {"original": EVENT, "dataset": "system.security"}}, id="elastic-agent"),
        pytest.param({"event.original": EVENT}, id="dotted"),
        pytest.param({"System": EVENT, "Message": "text", "StringInserts": ["a"]}, id="fluent-bit"),
        pytest.param({"PROGRAM": "x", "MESSAGE": f"\r\n {EVENT}"}, id="syslog-ng"),
        pytest.param({"log": EVENT, "stream": "stdout"}, id="container"),
    ],
)
def test_found(document: dict[str, Any]) -> None:
    assert unwrap(json.dumps(document).encode()) == EVENT.encode()
    assert unwrap(json.dumps(document).replace("<", "\\u003c").encode()) == EVENT.encode()


@pytest.mark.parametrize(
    "text", ["<14>Mar 15 10:11:12 dc01 x", "CEF:0|a|b|c|d|e|f|", "MSWinEventLog\t1", '{"EventID": 1}', "03/15/2021 10:11:12 AM\nLogName=System"]
)
def test_any_payload_or_header_counts(text: str) -> None:
    assert unwrap(json.dumps({"message": text}).encode()) == text.encode()


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({"user_agent": EVENT, "request": EVENT}, id="other-members"),
        pytest.param({"message": f"GET {EVENT}"}, id="within-a-text"),
        pytest.param({"message": "an ordinary line"}, id="ordinary"),
        pytest.param({"message": ["x"]}, id="no-text"),
        pytest.param({}, id="empty"),
    ],
)
def test_not_found(document: dict[str, Any]) -> None:
    assert unwrap(json.dumps(document).encode()) is None


def test_beside_an_event_only_its_original_counts() -> None:
    assert unwrap(json.dumps({"event_id": 1, "message": EVENT}).encode(), beside_an_event=True) is None
    assert unwrap(json.dumps({"event_id": 1, "event": {"original": EVENT}}).encode(), beside_an_event=True) == EVENT.encode()


def test_gelf_becomes_the_object_it_was() -> None:
    document = {"version": "1.1", "host": "dc01", "short_message": "short", "full_message": "long", "timestamp": 1615803072.345, "level": 6, "_EventID": 4776}
    found = unwrap(json.dumps(document | {"_Tag": ["a", "b"]}).encode())
    assert found is not None
    assert json.loads(found) == {"EventID": "4776", "Tag": ["a", "b"], "Hostname": "dc01", "EventTime": "1615803072.345", "Message": "long"}


def test_gelf_of_something_else_carries_nothing() -> None:
    assert unwrap(b'{"version":"1.1","host":"web","short_message":"GET /","_status":200}') is None


def test_what_gelf_says_itself_is_left() -> None:
    found = unwrap(b'{"host":"relay","short_message":"s","timestamp":1,"_EventID":1,"_Computer":"dc01","_EventTime":"t","_Message":"m"}')
    assert found is not None
    assert json.loads(found) == {"EventID": "1", "Computer": "dc01", "EventTime": "t", "Message": "m"}


@given(st.binary(max_size=60).map(lambda octets: b'{"message":"<' + octets) | st.binary(max_size=60))
def test_never_raises(payload: bytes) -> None:
    unwrap(payload)


@pytest.mark.parametrize("piece", [b'"message":"x",', b'"message" ', b'"message":"\\n', b'{"event":'])
def test_large_payloads_are_looked_through_in_linear_time(piece: bytes) -> None:
    unwrap(b"{" + piece * (250_000 // len(piece)))
