"""A record as a LEEF 2.0 event (IBM, "QRadar Log Event Extended Format (LEEF)", "Predefined LEEF event attributes").

    LEEF:2.0|Microsoft|Microsoft Windows|0|4728|x09|cat=Group Management<TAB>devTime=Mar 15 2024 12:00:00.123 GMT<TAB>...

Predefined keys where IBM has one for the meaning, else OCSF's names in camel case, which QRadar takes as custom properties. LEEF has no
escapes: within values a TAB, a line break in any of Unicode's spellings and every other control character is a space, within the header
`|` and a backslash are `/`. That and the order aside, `wire.leef.parse_leef` gives back what is written here.

Departures: attributes longer than QRadar keeps aren't cut; their limits are the receiver's.
"""

from __future__ import annotations

from typing import Final

from forwarders.encoders.crosswalk import Kind, Read, Record, account, address, constant, converted, instant, kind_of, named, number, text, without_fills
from forwarders.encoders.leftovers import enrichments_text, labels_text, unmapped
from forwarders.encoders.plain_text import new_key, one_line
from wire.event_time import MONTHS
from wire.leef import LeefMessage
from wire.leef import encode_leef as write

MAX_ATTRIBUTES: Final = 128
"""With what isn't mapped; the rest of that is left out."""

_RESULTS: Final = {1: "success", 2: "failure", 0: "unknown"}


def _dev_time(iso: str) -> str:
    """`Mar 15 2024 12:00:00.123 GMT`, as devTimeFormat says it, of `2024-03-15T12:00:00.123Z`."""
    return f"{MONTHS[int(iso[5:7]) - 1].capitalize()} {iso[8:10]} {iso[:4]} {iso[11:23]} GMT"


_EVERY: Final[tuple[tuple[str, Read], ...]] = (
    ("cat", text("class_name")),
    ("devTime", converted(instant("time"), _dev_time)),
    ("devTimeFormat", constant("MMM dd yyyy HH:mm:ss.SSS z")),
    ("sev", number("severity_id", 10)),
    ("uid", text("metadata.uid")),
    ("recordId", text("metadata.original_event_uid")),
    ("action", text("activity_name")),
    ("outcome", named(number("status_id"), _RESULTS)),
    ("reason", text("status_detail")),
    ("statusCode", text("status_code")),
    ("deviceHostName", text("device.hostname")),
    ("deviceAddress", address("device.ip")),
    ("channel", text("metadata.log_name")),
    ("provider", text("metadata.log_provider")),
    ("message", text("message")),
    ("labels", labels_text),
    ("enrichments", enrichments_text),
)
_ACTOR: Final[tuple[tuple[str, Read], ...]] = (
    ("usrName", text("actor.user.name")),
    ("domain", text("actor.user.domain")),
    ("userSid", text("actor.user.uid")),
    ("logonId", text("actor.session.uid")),
)
_TARGET: Final[tuple[tuple[str, Read], ...]] = (
    ("accountName", account("user.name", "user.domain")),
    ("accountSid", text("user.uid")),
    ("accountDn", text("user.ldap_person.ldap_dn")),
)
_ROWS: Final[dict[Kind, tuple[tuple[str, Read], ...]]] = {
    Kind.BASE_EVENT: _ACTOR,
    Kind.ACCOUNT_CHANGE: (*_ACTOR, *_TARGET),
    Kind.GROUP_MANAGEMENT: (
        *_ACTOR,
        *_TARGET,
        ("groupName", account("group.name", "group.domain")),
        ("groupID", text("group.uid")),
        ("groupType", text("group.type")),
        ("subgroupName", account("subgroup.name", "subgroup.domain")),
        ("subgroupSid", text("subgroup.uid")),
    ),
    Kind.AUTHENTICATION: (
        ("usrName", text("user.name")),
        ("domain", text("user.domain")),
        ("userSid", text("user.uid")),
        ("proto", text("auth_protocol")),
        ("src", address("src_endpoint.ip")),
        ("srcHostName", text("src_endpoint.hostname")),
        ("dst", address("dst_endpoint.ip")),
        ("dstHostName", text("dst_endpoint.hostname")),
        ("dstDomain", text("dst_endpoint.domain")),
        ("authPackage", text("service.name")),
    ),
    Kind.TUNNEL_ACTIVITY: (
        ("usrName", text("user.name")),
        ("realm", text("user.domain")),
        ("proto", text("protocol_name")),
        ("src", address("src_endpoint.ip")),
        ("srcHostName", text("src_endpoint.name")),
        ("srcMAC", text("src_endpoint.mac")),
        ("dst", address("dst_endpoint.ip")),
        ("dstHostName", text("dst_endpoint.hostname")),
        ("dstInterface", text("dst_endpoint.interface_name", "dst_endpoint.interface_uid")),
        ("identSrc", address("tunnel_interface.ip")),
        ("sessionId", text("session.uid")),
        ("sessionIdAlt", text("session.uid_alt")),
        ("duration", number("duration")),
        ("srcBytes", number("cumulative_traffic.bytes_out")),
        ("dstBytes", number("cumulative_traffic.bytes_in")),
        ("srcPackets", number("cumulative_traffic.packets_out")),
        ("dstPackets", number("cumulative_traffic.packets_in")),
        ("totalPackets", number("cumulative_traffic.packets")),
        ("isLoginEvent", named(number("activity_id"), {1: "true"})),  # QRadar learns from these two whose address identSrc is
        ("isLogoutEvent", named(number("activity_id"), {2: "true"})),
    ),
    Kind.SERVICE_ACTIVITY: (
        *_ACTOR,
        ("resource", text("win_service.name")),
        ("cmdLine", text("win_service.cmd_line")),
        ("filePath", text("win_service.service_file.path")),
        ("serviceType", text("win_service.service_type")),
        ("serviceStartType", text("win_service.service_start_type")),
        ("serviceAccount", text("win_service.service_start_name")),
    ),
}
_TABLES: Final = {kind: (*_EVERY, *rows) for kind, rows in _ROWS.items()}


def encode_leef(record: Record) -> bytes:
    """One event: UTF-8 on one line, without a line end and without a syslog header; whatever the record holds.

    Args:
        record: an OCSF record, parsed.
    """
    record = without_fills(record)
    kind = kind_of(record)
    attributes = [(name, one_line(str(found))) for name, read in _TABLES[kind] if (found := read(record)) is not None]
    taken = {name for name, _ in attributes}
    for name, item in unmapped(record):
        if len(attributes) < MAX_ATTRIBUTES:
            attributes.append((new_key(name, taken), one_line(", ".join(item) if isinstance(item, list) else item)))
    message = LeefMessage(
        vendor=_header(record, "metadata.product.vendor_name") or "Tidegate",
        product=_header(record, "metadata.product.name") or "Tidegate",
        product_version=_header(record, "metadata.log_version"),
        event_id=_header(record, "metadata.event_code") or "0",
        attributes=tuple(attributes),
    )
    return write(message).encode("utf-8", "replace")


def _header(record: Record, path: str) -> str:
    return one_line(text(path)(record) or "").replace("|", "/").replace("\\", "/")
