r"""A record as a row of a Microsoft Sentinel table, in the columns of the Advanced Security Information Model (ASIM).

    Account Change, Group Management    ASimUserManagementActivityLogs    User Management schema 1.0.0
    Authentication                      ASimAuthenticationEventLogs       Authentication schema 1.0.0
    Windows Service Activity            ASimAuditEventLogs                Audit Event schema 1.0.0
    Tunnel Activity                     ASimNetworkSessionLogs            Network Session schema 0.2.7
    Base Event                          WindowsEvent                      what Sentinel's own connector for forwarded events fills

Sources: Microsoft Learn, "ASIM schemas" (one page each, and "common fields"), and "Logs Ingestion API", which lists all five among the tables it
takes; for the tables' columns Azure/Azure-Sentinel, .script/tests/KqlvalidationsTests/CustomTables, and the reference of WindowsEvent. A row has only
columns of its table: aliases (`User`, `Dvc`, `Src`) and `EventSchema` are made by Sentinel's parsers when it is asked, and a column that a table
doesn't have is dropped by Azure Monitor unsaid. So the record's uid is EventOriginalUid, as no table has EventUid.

`TimeGenerated` is the event's time; Azure Monitor replaces one that is too old or too new by the time of arrival, EventStartTime stays. Logon
IDs are decimal, as the schemas ask for Windows. What has no column is in AdditionalFields, under OCSF's or the source's name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from forwarders.encoders.asim_entities import Rows, host, identity, user, username, where
from forwarders.encoders.crosswalk import (
    Kind,
    Record,
    address,
    constant,
    converted,
    digits,
    flag,
    instant,
    kind_of,
    named,
    number,
    text,
    without_fills,
)
from forwarders.encoders.leftovers import enrichments, labels, unmapped
from forwarders.encoders.windows_event import LEVELS, event_data
from wire.keywords import AUDIT_FAILURE, AUDIT_SUCCESS

USERS, LOGONS, AUDITS = "ASimUserManagementActivityLogs", "ASimAuthenticationEventLogs", "ASimAuditEventLogs"
SESSIONS, EVENTS = "ASimNetworkSessionLogs", "WindowsEvent"
TABLES: Final = (USERS, LOGONS, AUDITS, SESSIONS, EVENTS)
"""Every table a record may go to."""

MAX_INT: Final = 2**31 - 1
FAILURE: Final = 2
_RESULTS: Final = {0: "NA", 1: "Success", 2: "Failure"}
_SEVERITIES: Final = {0: "Informational", 1: "Informational", 2: "Low", 3: "Medium", 4: "High", 5: "High", 6: "High"}
_EVENT_TYPES: Final = {
    (Kind.ACCOUNT_CHANGE, 1): "UserCreated",
    (Kind.ACCOUNT_CHANGE, 6): "UserDeleted",
    (Kind.GROUP_MANAGEMENT, 3): "UserAddedToGroup",
    (Kind.GROUP_MANAGEMENT, 4): "UserRemovedFromGroup",
    (Kind.GROUP_MANAGEMENT, 5): "GroupDeleted",
    (Kind.GROUP_MANAGEMENT, 7): "UserAddedToGroup",
    (Kind.GROUP_MANAGEMENT, 8): "UserRemovedFromGroup",
    (Kind.AUTHENTICATION, 1): "Logon",
    (Kind.SERVICE_ACTIVITY, 1): "Install",
}
_OTHER_TYPES: Final = {
    Kind.ACCOUNT_CHANGE: "UserModified",
    Kind.GROUP_MANAGEMENT: "GroupModified",
    Kind.AUTHENTICATION: "Logon",
    Kind.SERVICE_ACTIVITY: "Other",
    Kind.TUNNEL_ACTIVITY: "NetworkSession",
}
_REASONS: Final = {
    "USER_DOES_NOT_EXIST": "No such user or password",
    "INVALID_CREDENTIALS": "Incorrect password",
    "LOGON_FAILURE": "No such user or password",
    "ACCOUNT_EXPIRED": "Account expired",
    "PASSWORD_EXPIRED": "Password expired",
    "PASSWORD_MUST_CHANGE": "Password expired",
    "ACCOUNT_LOCKED_OUT": "User locked",
    "ACCOUNT_DISABLED": "User disabled",
    "ACCOUNT_RESTRICTION": "Logon violates policy",
    "INVALID_LOGON_HOURS": "Logon violates policy",
    "INVALID_WORKSTATION": "Logon violates policy",
    "LOGON_TYPE_NOT_GRANTED": "Logon violates policy",
    "AUTHENTICATION_FIREWALL_FAILED": "Logon violates policy",
    "NTLM_BLOCKED": "Logon violates policy",
}
_ENDS: Final = {
    "User Request": "Terminated",
    "Admin Reset": "Terminated",
    "Admin Reboot": "Terminated",
    "Idle Timeout": "Timeout",
    "Session Timeout": "Timeout",
    "Lost Carrier": "Reset",
    "Lost Service": "Reset",
}
_PRODUCTS: Final = {"Security": "Security Events"}
"""As Sentinel's parsers name the Security log; other channels are `Windows Event`."""


_channel, _detail, _vendor, _activity = text("metadata.log_name"), text("status_detail"), text("metadata.product.vendor_name"), number("activity_id")


def _windows_product(record: Record) -> str:
    return _PRODUCTS.get(_channel(record) or "", "Windows Event")


def _int(found: str) -> int | None:
    return whole if (whole := int(found)) <= MAX_INT else None


def _reason(record: Record) -> str | None:
    """Of a failure only, in the schema's words."""
    detail = _detail(record)
    if record.get("status_id") != FAILURE or detail is None:
        return None
    return _REASONS.get(detail, "Other")


def _decimal(found: str) -> str:
    """A logon ID, delivered in hexadecimal."""
    try:
        return str(int(found, 16)) if found[:2] in ("0x", "0X") and len(found) <= len("0x") + 16 else found
    except ValueError:
        return found


_EVERY: Final[Rows] = (
    ("TimeGenerated", instant("time")),
    ("EventMessage", text("message")),
    ("EventCount", constant(1)),
    ("EventStartTime", instant("start_time", "time")),
    ("EventEndTime", instant("end_time", "time")),
    ("EventResult", named(number("status_id"), _RESULTS)),
    ("EventOriginalUid", text("metadata.uid")),
    ("EventOriginalType", text("metadata.event_code")),
    ("EventSeverity", named(number("severity_id"), _SEVERITIES)),
    ("EventOriginalSeverity", text("metadata.log_level")),
    *host("Dvc", "device.hostname"),
    ("DvcIpAddr", address("device.ip")),
)
_WINDOWS: Final[Rows] = (
    *_EVERY,
    ("EventOriginalResultDetails", text("status_detail", "status_code")),
    ("EventVendor", constant("Microsoft")),
    ("EventProduct", _windows_product),
    ("DvcOs", constant("Windows")),
)
_ACTOR: Final[Rows] = (*user("Actor", "actor.user"), ("ActorSessionId", converted(text("actor.session.uid"), _decimal)))

_ADDITIONAL: Final[Rows] = (
    ("EventRecordId", text("metadata.original_event_uid")),
    ("Channel", text("metadata.log_name")),
    ("Provider", text("metadata.log_provider")),
    ("CorrelationId", text("metadata.correlation_uid")),
    ("PackageName", text("service.name")),
    ("StatusCode", text("status_code")),
    ("TargetServerDomain", text("dst_endpoint.domain")),
    ("MemberDistinguishedName", text("user.ldap_person.ldap_dn")),
    ("ServiceFile", text("win_service.service_file.path")),
    ("ServiceType", text("win_service.service_type")),
    ("ServiceStartType", text("win_service.service_start_type")),
    ("ServiceAccount", text("win_service.service_start_name")),
    ("ActivityName", text("activity_name")),
    ("TerminateCause", text("session.expiration_reason")),
    ("StationName", text("src_endpoint.name")),
    ("MultiSessionId", text("session.uid_alt")),
    ("IsVpn", flag("session.is_vpn")),
    ("DurationMilliseconds", number("duration")),
    ("RawData", text("raw_data")),
    ("Labels", lambda record: labels(record) or None),
)
"""What there is no column for."""

FINDINGS: Final = "Enrichments"
_RESERVED: Final = frozenset((*(name for name, _ in _ADDITIONAL), FINDINGS))

_EVENT: Final[Rows] = (
    ("TimeGenerated", instant("time")),
    ("Computer", text("device.hostname")),
    ("Channel", text("metadata.log_name")),
    ("Provider", text("metadata.log_provider")),
    ("EventID", converted(digits("metadata.event_code"), _int)),
    ("EventLevel", converted(named(text("metadata.log_level"), LEVELS), int)),
    ("EventLevelName", text("metadata.log_level")),
    ("EventOriginId", text("metadata.uid")),
    ("EventRecordId", text("metadata.original_event_uid")),
    ("Correlation", text("metadata.correlation_uid")),
    ("Keywords", named(number("status_id"), {1: AUDIT_SUCCESS, 2: AUDIT_FAILURE})),
    ("Version", converted(digits("metadata.log_version"), _int)),
    ("RawEventData", text("raw_data")),
)
"""WindowsEvent's columns. Sentinel's parsers make EventOriginalUid of EventOriginId there, so that is where the uid goes."""

_ROWS: Final[Mapping[Kind, Rows]] = {
    Kind.ACCOUNT_CHANGE: (*_WINDOWS, ("EventSchemaVersion", constant("1.0.0")), *_ACTOR, *user("Target", "user")),
    Kind.GROUP_MANAGEMENT: (
        *_WINDOWS,
        ("EventSchemaVersion", constant("1.0.0")),
        *_ACTOR,
        *user("Target", "user"),
        *identity("TargetUserId", "subgroup"),
        *username("TargetUsername", "subgroup"),
        ("TargetUserType", where(text("subgroup.uid", "subgroup.name"), "Other")),
        *identity("GroupId", "group"),
        *username("GroupName", "group"),
        ("GroupType", text("group.type")),
    ),
    Kind.AUTHENTICATION: (
        *_WINDOWS,
        ("EventSchemaVersion", constant("1.0.0")),
        ("EventResultDetails", _reason),
        *user("Target", "user"),
        ("SrcIpAddr", address("src_endpoint.ip")),
        *host("Src", "src_endpoint.hostname"),
        ("TargetIpAddr", address("dst_endpoint.ip")),
        *host("Target", "dst_endpoint.hostname"),
        ("LogonProtocol", text("auth_protocol")),
    ),
    Kind.SERVICE_ACTIVITY: (
        *_WINDOWS,
        ("EventSchemaVersion", constant("1.0.0")),
        *_ACTOR,
        ("ActingAppName", text("actor.app_name")),
        ("Operation", text("message")),
        ("Object", text("win_service.name")),
        ("ObjectType", constant("Service")),
        ("NewValue", text("win_service.cmd_line")),
        ("ValueType", where(text("win_service.cmd_line"), "Other")),
    ),
    Kind.TUNNEL_ACTIVITY: (
        *_EVERY,
        ("EventSchemaVersion", constant("0.2.7")),
        ("EventSubType", named(number("activity_id"), {1: "Start", 2: "End"})),
        ("EventResultDetails", named(text("status_detail"), _ENDS)),
        ("EventVendor", lambda record: _vendor(record) or "Unknown"),
        ("EventProduct", text("metadata.product.name")),
        *user("Src", "user"),
        ("SrcIpAddr", address("src_endpoint.ip")),
        ("SrcMacAddr", text("src_endpoint.mac")),
        ("SrcNatIpAddr", address("tunnel_interface.ip")),
        ("DstIpAddr", address("dst_endpoint.ip")),
        *host("Dst", "dst_endpoint.hostname"),
        ("DvcInboundInterface", text("dst_endpoint.interface_name", "dst_endpoint.interface_uid")),
        ("NetworkApplicationProtocol", text("protocol_name")),
        ("NetworkSessionId", text("session.uid")),
        ("NetworkDuration", number("duration", MAX_INT)),
        ("SrcBytes", number("cumulative_traffic.bytes_out")),
        ("DstBytes", number("cumulative_traffic.bytes_in")),
        ("NetworkBytes", number("cumulative_traffic.bytes")),
        ("SrcPackets", number("cumulative_traffic.packets_out")),
        ("DstPackets", number("cumulative_traffic.packets_in")),
        ("NetworkPackets", number("cumulative_traffic.packets")),
    ),
}
_TABLE_OF: Final[Mapping[Kind, str]] = {
    Kind.ACCOUNT_CHANGE: USERS,
    Kind.GROUP_MANAGEMENT: USERS,
    Kind.AUTHENTICATION: LOGONS,
    Kind.SERVICE_ACTIVITY: AUDITS,
    Kind.TUNNEL_ACTIVITY: SESSIONS,
    Kind.BASE_EVENT: EVENTS,
}


def encode_asim(record: Record) -> tuple[str, dict[str, Any]]:
    """(table, row), one of `TABLES` and columns it has; never raises, whatever the record holds.

    Args:
        record: an OCSF record, parsed.
    """
    record = without_fills(record)
    kind = kind_of(record)
    findings = {FINDINGS: found} if (found := enrichments(record)) else {}
    if kind is Kind.BASE_EVENT:
        return EVENTS, {**_write(_EVENT, record), "EventData": {**_named_values(event_data(record)), **findings}}
    activity = _activity(record)
    row = _write(_ROWS[kind], record)
    row["EventType"] = _EVENT_TYPES.get((kind, -1 if activity is None else activity), _OTHER_TYPES[kind])
    row["AdditionalFields"] = {**_named_values(unmapped(record)), **_write(_ADDITIONAL, record), **findings}
    return _TABLE_OF[kind], row


def _write(rows: Rows, record: Record) -> dict[str, Any]:
    return {column: found for column, read in rows if (found := read(record)) is not None}


def _named_values(pairs: Iterable[tuple[str, str | list[str]]]) -> dict[str, Any]:
    """A peer's names, with `_` behind those that are ours; the values of one that comes again in a list."""
    found: dict[str, Any] = {}
    for name, item in pairs:
        safe = f"{name}_" if name in _RESERVED else name
        before = found.get(safe)
        found[safe] = item if before is None else [*(before if isinstance(before, list) else [before]), *(item if isinstance(item, list) else [item])]
    return found
