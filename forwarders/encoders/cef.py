"""A record as a CEF event (ArcSight, "Common Event Format", version 26: "Header Field Definitions", "Extension Dictionary", "User-Defined Extensions").

    CEF:0|Microsoft|Microsoft Windows|0|Microsoft-Windows-Security-Auditing:4728|A member was added ...|1|rt=1710504000123 ...

Header and signature are those of ArcSight's own connector for Windows. Its `externalId` is the event ID, which the signature has already: ours is
the record's uid. Keys are the dictionary's; what has none is a custom field with its label, and what the mapping didn't take is a user-defined
extension, `TidegateWindows...` or `TidegateRadius...`, alphanumeric as the standard asks. `in` is what the source sent, `out` what it got, as the
dictionary has it. Addresses of version 0 are IPv4; IPv6 goes to c6a1 to c6a3.

`wire.cef` escapes; before, every line break of Unicode's becomes one that CEF can escape, and other control characters a space. The
header may have no line break. Values longer than the dictionary's lengths aren't cut; these are of ArcSight's database.
"""

from __future__ import annotations

from typing import Final

from forwarders.encoders.crosswalk import Kind, Read, Record, account, address, converted, digits, kind_of, named, number, text, without_fills
from forwarders.encoders.leftovers import enrichments_text, labels_text, unmapped
from forwarders.encoders.plain_text import new_key, one_line, with_breaks
from wire.cef import MAX_KEYS, CefMessage
from wire.cef import encode_cef as write

_Rows = tuple[tuple[str, Read] | tuple[str, Read, str], ...]
"""(key, value) or (key, value, label): a custom field, whose label goes with it."""

_RESULTS: Final = {1: "success", 2: "failure", 0: "unknown"}


_EVERY: Final[_Rows] = (
    ("rt", number("time")),
    ("externalId", text("metadata.uid")),
    ("cat", text("metadata.log_name")),
    ("act", text("activity_name")),
    ("outcome", named(number("status_id"), _RESULTS)),
    ("reason", text("status_detail", "status_code")),
    ("dvchost", text("device.hostname")),
    ("dvc", address("device.ip", version=4)),
    ("c6a1", address("device.ip", version=6), "Device IPv6 Address"),
    ("cn1", digits("metadata.original_event_uid"), "Record ID"),
    ("TidegateLabels", labels_text),
    ("TidegateEnrichments", enrichments_text),
)
_ACTOR: Final[_Rows] = (
    ("suser", text("actor.user.name")),
    ("sntdom", text("actor.user.domain")),
    ("suid", text("actor.user.uid")),
    ("cs1", text("actor.session.uid"), "Logon ID"),
)
_TARGET: Final[_Rows] = (
    ("duser", text("user.name")),
    ("dntdom", text("user.domain")),
    ("duid", text("user.uid")),
)
_SOURCE: Final[_Rows] = (
    ("src", address("src_endpoint.ip", version=4)),
    ("c6a2", address("src_endpoint.ip", version=6), "Source IPv6 Address"),
)
_DESTINATION: Final[_Rows] = (
    ("dst", address("dst_endpoint.ip", version=4)),
    ("c6a3", address("dst_endpoint.ip", version=6), "Destination IPv6 Address"),
    ("dhost", text("dst_endpoint.hostname")),
)
_ROWS: Final[dict[Kind, _Rows]] = {
    Kind.BASE_EVENT: _ACTOR,
    Kind.ACCOUNT_CHANGE: (*_ACTOR, *_TARGET),
    Kind.GROUP_MANAGEMENT: (
        *_ACTOR,
        *_TARGET,
        ("cs2", account("group.name", "group.domain"), "Group"),
        ("cs3", text("group.uid"), "Group SID"),
        ("cs4", text("group.type"), "Group Type"),
        ("cs5", text("user.ldap_person.ldap_dn", "subgroup.name"), "Member"),
        ("cs6", text("subgroup.uid"), "Member Group SID"),
        ("TidegateWindowsMemberGroupDomain", text("subgroup.domain")),
    ),
    Kind.AUTHENTICATION: (
        *_TARGET,
        *_SOURCE,
        ("shost", text("src_endpoint.hostname")),
        *_DESTINATION,
        ("cs2", text("dst_endpoint.domain"), "Server Domain"),
        ("cs3", text("status_code"), "Status"),
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
        ("cs4", address("tunnel_interface.ip", version=6), "Tunnel IPv6 Address"),
        *_DESTINATION,
        ("deviceInboundInterface", text("dst_endpoint.interface_name", "dst_endpoint.interface_uid")),
        ("app", text("protocol_name")),
        ("start", number("start_time")),
        ("end", number("end_time")),
        ("in", number("cumulative_traffic.bytes_out")),
        ("out", number("cumulative_traffic.bytes_in")),
        ("cn2", number("cumulative_traffic.packets_out"), "Packets From Source"),
        ("cn3", number("cumulative_traffic.packets_in"), "Packets To Source"),
        ("cs1", text("session.uid"), "Session ID"),
        ("cs2", text("session.uid_alt"), "Multi Session ID"),
        ("cs3", number("duration"), "Duration"),
    ),
    Kind.SERVICE_ACTIVITY: (
        *_ACTOR,
        ("destinationServiceName", text("win_service.name")),
        ("filePath", text("win_service.service_file.path")),
        ("fname", text("win_service.service_file.name")),
        ("cs2", text("win_service.cmd_line"), "Command Line"),
        ("cs3", text("win_service.service_type"), "Service Type"),
        ("cs4", text("win_service.service_start_type"), "Start Type"),
        ("cs5", text("win_service.service_start_name"), "Service Account"),
    ),
}
_TABLES: Final = {kind: tuple((row[0], row[1], "".join(row[2:])) for row in (*_EVERY, *rows)) for kind, rows in _ROWS.items()}

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
    extension: list[tuple[str, str]] = []
    for field, read, label in _TABLES[kind]:
        if (found := read(record)) is not None:
            extension.append((field, with_breaks(str(found))))
            if label:
                extension.append((f"{field}Label", label))
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
