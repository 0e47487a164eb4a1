"""ASIM: every record has a table, and a row holds nothing that its table wouldn't keep."""

from __future__ import annotations

from typing import Any, Final

import orjson
import pytest
from hypothesis import given
from support import records
from support.sentinel_tables import COLUMNS, complaints

from forwarders.encoders.asim import TABLES, encode_asim

USERS, LOGONS, AUDITS, SESSIONS, EVENTS = TABLES

EVENT_TYPES: Final = {
    "4726": (USERS, "UserDeleted"),
    "4728": (USERS, "UserAddedToGroup"),
    "4729": (USERS, "UserRemovedFromGroup"),
    "4730": (USERS, "GroupDeleted"),
    "4732": (USERS, "UserAddedToGroup"),
    "4733": (USERS, "UserRemovedFromGroup"),
    "4741": (USERS, "UserCreated"),
    "4743": (USERS, "UserDeleted"),
    "4753": (USERS, "GroupDeleted"),
    "4756": (USERS, "UserAddedToGroup"),
    "4757": (USERS, "UserRemovedFromGroup"),
    "4758": (USERS, "GroupDeleted"),
    "4763": (USERS, "GroupDeleted"),
    "4776": (LOGONS, "Logon"),
    "8004": (LOGONS, "Logon"),
    "7045": (AUDITS, "Install"),
    "Start": (SESSIONS, "NetworkSession"),
    "Stop": (SESSIONS, "NetworkSession"),
    "Interim-Update": (SESSIONS, "NetworkSession"),
    "Accounting-On": (SESSIONS, "NetworkSession"),
    "Tunnel-Reject": (SESSIONS, "NetworkSession"),
    "17": (SESSIONS, "NetworkSession"),
    "4662": (EVENTS, None),
    "5136": (EVENTS, None),
}
"""Event code to table and EventType; Microsoft's own parsers for Windows events call the Security log's the same."""


def row_of(name: str, **changes: Any) -> dict[str, Any]:
    return encode_asim(records.fixture_record(name) | changes)[1]


@pytest.mark.parametrize("name", records.NAMES)
def test_table_and_type(name: str) -> None:
    record = records.fixture_record(name)
    table, row = encode_asim(record)
    assert (table, row.get("EventType")) == EVENT_TYPES[record["metadata"]["event_code"]]


@given(records.good | records.hostile() | records.broken())
def test_rows_are_their_tables(record: records.Record) -> None:
    table, row = encode_asim(record)
    assert table in COLUMNS
    assert complaints(table, row) == []


@given(records.good)
def test_rows_have_what_schemas_demand(record: records.Record) -> None:
    table, row = encode_asim(record)
    if table != EVENTS:
        mandatory = {"TimeGenerated", "EventCount", "EventStartTime", "EventEndTime", "EventType", "EventResult", "EventProduct", "EventVendor"}
        assert mandatory | {"EventSchemaVersion", "EventOriginalUid", "EventSeverity"} <= row.keys()
        assert row["EventOriginalUid"] == record["metadata"]["uid"]
        for column, kind in (
            ("ActorUserId", "ActorUserIdType"),
            ("TargetUsername", "TargetUsernameType"),
            ("GroupName", "GroupNameType"),
            ("DvcDomain", "DvcDomainType"),
        ):
            assert (column in row) == (kind in row)
    orjson.dumps(row)


def test_a_member() -> None:
    row = row_of("events/4728")
    assert row["ActorUsername"] == "CONTOSO\\amir"
    assert row["ActorSessionId"] == "200031"  # 0x30d5f
    assert (row["TargetUsername"], row["TargetUsernameType"]) == ("CN=Levi\\, Dana,OU=Staff,DC=contoso,DC=example", "DN")
    assert (row["GroupName"], row["GroupType"]) == ("CONTOSO\\Payroll", "Global Security Enabled")
    assert (row["DvcHostname"], row["DvcDomain"], row["DvcFQDN"]) == ("DC01", "contoso.example", "DC01.contoso.example")
    assert row["AdditionalFields"]["EventRecordId"] == "88010"


@pytest.mark.parametrize(
    ("detail", "details"),
    [
        ("USER_DOES_NOT_EXIST", "No such user or password"),
        ("INVALID_CREDENTIALS", "Incorrect password"),
        ("ACCOUNT_LOCKED_OUT", "User locked"),
        ("NO_LOGON_SERVERS", "Other"),
    ],
)
def test_why_a_logon_failed(detail: str, details: str) -> None:
    row = row_of("events/4776", status_id=2, status_detail=detail)
    assert (row["EventResult"], row["EventResultDetails"], row["EventOriginalResultDetails"]) == ("Failure", details, detail)


def test_an_audit_is_no_result() -> None:
    row = row_of("events/8004")
    assert row["EventResult"] == "NA"
    assert "EventResultDetails" not in row
    assert row["TargetHostname"] == "FILESRV01"


def test_a_session() -> None:
    row = row_of("radius/asa-stop")
    assert (row["EventSubType"], row["EventResultDetails"]) == ("End", "Timeout")
    assert (row["SrcBytes"], row["DstBytes"]) == (1048576, 9663676416)
    assert (row["SrcIpAddr"], row["SrcNatIpAddr"]) == ("203.0.113.9", "10.20.4.8")
    assert (row["EventStartTime"], row["EventEndTime"]) == ("2024-03-15T10:00:00.000Z", "2024-03-15T12:00:00.000Z")


def test_a_session_longer_than_an_int_of_milliseconds_keeps_its_duration() -> None:
    month = 31 * 86_400_000
    row = row_of("radius/asa-stop", duration=month)
    assert "NetworkDuration" not in row
    assert row["AdditionalFields"]["DurationMilliseconds"] == month


def test_a_counter_beyond_a_long_is_left_out() -> None:
    row = row_of("radius/asa-stop", cumulative_traffic={"bytes_in": 2**64 - 1, "bytes_out": 2**63 - 1})
    assert row["SrcBytes"] == 2**63 - 1
    assert "DstBytes" not in row


def test_what_the_mapping_filled_in_is_nobodys_name() -> None:
    record = records.fixture_record("events/4776")
    record["metadata"]["debug"] = ["filled: user.name", "filled: device.hostname", "filled: time"]
    record["user"] = {"name": "Unknown", "type_id": 0}
    row = encode_asim(record)[1]
    assert row.keys().isdisjoint({"TargetUsername", "TargetUsernameType", "DvcHostname"})
    assert row["TimeGenerated"]


def test_a_windows_event_is_as_the_connector_has_it() -> None:
    row = row_of("events/5136")
    assert (row["EventID"], row["EventLevel"], row["Channel"], row["Keywords"]) == (5136, 0, "Security", "0x8020000000000000")
    assert row["EventData"]["SubjectUserName"] == "amir"
    assert row["EventData"]["DSName"] == "contoso.example"
    assert row["EventOriginId"] == records.fixture_record("events/5136")["metadata"]["uid"]


@pytest.mark.parametrize(
    ("hostname", "columns"),
    [
        ("DC01.contoso.example", {"DvcHostname": "DC01", "DvcDomain": "contoso.example", "DvcDomainType": "FQDN", "DvcFQDN": "DC01.contoso.example"}),
        ("DC01", {"DvcHostname": "DC01"}),
        ("192.0.2.7", {"DvcHostname": "192.0.2.7"}),
        ("DC01.", {"DvcHostname": "DC01"}),
    ],
)
def test_a_devices_name(hostname: str, columns: dict[str, str]) -> None:
    row = row_of("events/4776", device={"hostname": hostname, "type_id": 0})
    assert {column: item for column, item in row.items() if column.startswith(("DvcHost", "DvcDomain", "DvcFQDN"))} == columns


def test_a_peers_names_are_not_ours() -> None:
    names = {"Channel": "System", "Channel_": "Setup", "Enrichments": "none", "PrivilegeList": ["SeBackupPrivilege"]}
    fields = row_of("events/4728", unmapped=names)["AdditionalFields"]
    assert fields["Channel"] == "Security"
    assert fields["Channel_"] == ["System", "Setup"]
    assert fields["Enrichments_"] == "none"
    assert fields["PrivilegeList"] == ["SeBackupPrivilege"]


def test_findings_and_labels() -> None:
    finding = {"type": "honeytoken", "name": "user.name", "value": "svc-old", "data": {}}
    record = records.fixture_record("events/4776") | {"enrichments": [finding]}
    record["metadata"]["labels"] = ["uid:weak"]
    fields = encode_asim(record)[1]["AdditionalFields"]
    assert fields["Enrichments"] == [{"type": "honeytoken", "name": "user.name", "value": "svc-old"}]
    assert fields["Labels"] == ["uid:weak"]
    assert row_of("events/4662", enrichments=[finding])["EventData"]["Enrichments"] == fields["Enrichments"]
