"""A record as a CEF event (ArcSight, "Common Event Format", version 26: "Header Field Definitions", "Extension Dictionary", "User-Defined Extensions").

    CEF:0|Microsoft|Microsoft Windows|0|Microsoft-Windows-Security-Auditing:4728|A member was added ...|1|rt=1710504000123 ...

Header and signature are those of ArcSight's own connector for Windows. Keys are the dictionary's; what has none is a custom string with
its label, and what the mapping didn't take is a user-defined extension, `TidegateWindows...` or `TidegateRadius...`, alphanumeric as the
standard asks. `in` and `out` are of the destination's side, as CEF has it: `in` is what the source sent. Version 0's addresses are IPv4;
IPv6 goes to c6a1 to c6a3, as the dictionary says.

`wire.cef` escapes; before, every line break of Unicode's becomes one that CEF can escape, and other control characters a space. The
header may have no line break. Values longer than the dictionary's lengths aren't cut; these are of ArcSight's database.
"""

from __future__ import annotations

from typing import Final

from forwarders.encoders.crosswalk import Kind, Read, Record, account, address, converted, digits, kind_of, named, number, text, texts, unmapped, without_fills
from forwarders.encoders.plain_text import new_key, one_line, with_breaks
from wire.cef import MAX_KEYS, CefMessage
from wire.cef import encode_cef as write

_Rows = tuple[tuple[str, Read], ...]

_RESULTS: Final = {1: "success", 2: "failure", 0: "unknown"}


def _labelled(field: str, label: str, read: Read) -> _Rows:
    """A custom field with its label, which is there when the field is."""
    return ((field, read), (f"{field}Label", lambda record: None if read(record) is None else label))


_EVERY: Final[_Rows] = (
    ("rt", number("time")),
    ("externalId", text("metadata.uid")),
    ("cat", text("metadata.log_name")),
    ("act", text("activity_name")),
    ("outcome", named(number("status_id"), _RESULTS)),
    ("reason", text("status_detail", "status_code")),
    ("dvchost", text("device.hostname")),
    ("dvc", address("device.ip", version=4)),
    *_labelled("c6a1", "Device IPv6 Address", address("device.ip", version=6)),
    *_labelled("cn1", "Record ID", digits("metadata.original_event_uid")),
    ("TidegateLabels", converted(texts("metadata.labels"), lambda labels: ", ".join(labels) or None)),
)
_ACTOR: Final[_Rows] = (
    ("suser", text("actor.user.name")),
    ("sntdom", text("actor.user.domain")),
    ("suid", text("actor.user.uid")),
    *_labelled("cs1", "Logon ID", text("actor.session.uid")),
)
_TARGET: Final[_Rows] = (
    ("duser", text("user.name")),
    ("dntdom", text("user.domain")),
    ("duid", text("user.uid")),
)
_SOURCE: Final[_Rows] = (
    ("src", address("src_endpoint.ip", version=4)),
    *_labelled("c6a2", "Source IPv6 Address", address("src_endpoint.ip", version=6)),
)
_DESTINATION: Final[_Rows] = (
    ("dst", address("dst_endpoint.ip", version=4)),
    *_labelled("c6a3", "Destination IPv6 Address", address("dst_endpoint.ip", version=6)),
    ("dhost", text("dst_endpoint.hostname")),
)
_ROWS: Final[dict[Kind, _Rows]] = {
    Kind.BASE_EVENT: _ACTOR,
    Kind.ACCOUNT_CHANGE: (*_ACTOR, *_TARGET),
    Kind.GROUP_MANAGEMENT: (
        *_ACTOR,
        *_TARGET,
        *_labelled("cs2", "Group", account("group.name", "group.domain")),
        *_labelled("cs3", "Group SID", text("group.uid")),
        *_labelled("cs4", "Group Type", text("group.type")),
        *_labelled("cs5", "Member", text("user.ldap_person.ldap_dn", "subgroup.name")),
        *_labelled("cs6", "Member Group SID", text("subgroup.uid")),
        ("TidegateWindowsMemberGroupDomain", text("subgroup.domain")),
    ),
    Kind.AUTHENTICATION: (
        *_TARGET,
        *_SOURCE,
        ("shost", text("src_endpoint.hostname")),
        *_DESTINATION,
        *_labelled("cs2", "Server Domain", text("dst_endpoint.domain")),
        *_labelled("cs3", "Status", text("status_code")),
        ("app", text("auth_protocol")),
        ("destinationServiceName", text("service.name")),
    ),
    Kind.TUNNEL_ACTIVITY: (
        ("suser", text("user.name")),
        ("sntdom", text("user.domain")),
        *_SOURCE,
        ("smac", converted(text("src_endpoint.mac"), lambda mac: mac.replace("-", ":"))),
        ("shost", text("src_endpoint.name")),
        ("sourceTranslatedAddress", address("tunnel_interface.ip", version=4)),
        *_labelled("cs4", "Tunnel IPv6 Address", address("tunnel_interface.ip", version=6)),
        *_DESTINATION,
        ("deviceInboundInterface", text("dst_endpoint.interface_name", "dst_endpoint.interface_uid")),
        ("app", text("protocol_name")),
        ("start", number("start_time")),
        ("end", number("end_time")),
        ("in", number("cumulative_traffic.bytes_out")),
        ("out", number("cumulative_traffic.bytes_in")),
        *_labelled("cn2", "Packets From Source", number("cumulative_traffic.packets_out")),
        *_labelled("cn3", "Packets To Source", number("cumulative_traffic.packets_in")),
        *_labelled("cs1", "Session ID", text("session.uid")),
        *_labelled("cs2", "Multi Session ID", text("session.uid_alt")),
        *_labelled("cs3", "Duration", number("duration")),
    ),
    Kind.SERVICE_ACTIVITY: (
        *_ACTOR,
        ("destinationServiceName", text("win_service.name")),
        ("filePath", text("win_service.service_file.path")),
        ("fname", text("win_service.service_file.name")),
        *_labelled("cs2", "Command Line", text("win_service.cmd_line")),
        *_labelled("cs3", "Service Type", text("win_service.service_type")),
        *_labelled("cs4", "Start Type", text("win_service.service_start_type")),
        *_labelled("cs5", "Service Account", text("win_service.service_start_name")),
    ),
}
_TABLES: Final = {kind: (*_EVERY, *rows) for kind, rows in _ROWS.items()}

_read_vendor, _read_product, _read_version = text("metadata.product.vendor_name"), text("metadata.product.name"), text("metadata.log_version")
_read_provider, _read_code, _read_name = text("metadata.log_provider"), text("metadata.event_code"), text("message", "class_name")
_read_severity: Final = number("severity_id", 10)


def encode_cef(record: Record) -> bytes:
    """One event: UTF-8 on one line, without a line end and without a syslog header; whatever the record holds.

    Args:
        record: an OCSF record, parsed.
    """
    record = without_fills(record)
    kind = kind_of(record)
    extension = [(field, with_breaks(str(found))) for field, read in _TABLES[kind] if (found := read(record)) is not None]
    prefix = "TidegateRadius" if kind is Kind.TUNNEL_ACTIVITY else "TidegateWindows"
    taken = {field for field, _ in extension}
    for name, item in unmapped(record):
        if len(extension) < MAX_KEYS:
            extension.append((new_key(name, taken, prefix), with_breaks(", ".join(item) if isinstance(item, list) else item)))
    message = CefMessage(
        version="0",
        vendor=one_line(_read_vendor(record) or "Tidegate"),
        product=one_line(_read_product(record) or "Tidegate"),
        device_version=one_line(_read_version(record) or ""),
        signature=one_line(f"{_read_provider(record) or ''}:{_read_code(record) or ''}"),
        name=one_line(_read_name(record) or "Event"),
        severity=str(_read_severity(record) or 0),
        extension=tuple(extension),
    )
    return write(message).encode("utf-8", "replace")
