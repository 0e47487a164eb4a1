"""A record as a document of the Elastic Common Schema 8.11, in the fields that Elastic's own pipeline for these events uses.

Sources: ECS 8.11 field reference; Elastic's integration "System", data stream `security`, whose pipeline gives each event ID its
category, type and action and keeps EventData in `winlog.event_data`; "Data stream naming" for `data_stream.*`. Where we differ from that
pipeline on purpose is in docs/forwarders/encodings.md.

`winlog.event_data` is the event's EventData under Windows' names, restored from the record, so that detection rules written for Winlogbeat
and the Elastic Agent match. Names there and in `radius.attributes` are a peer's words: a dot would nest objects, and one name can't be both
a value and an object in an index, so dots become underscores.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from forwarders.encoders.crosswalk import Kind, Read, Record, address, converted, instant, kind_of, named, number, text, without_fills
from forwarders.encoders.ecs_meanings import meaning_of
from forwarders.encoders.leftovers import enrichments, labels, unmapped
from forwarders.encoders.windows_event import event_data

VERSION: Final = "8.11.0"
WINDOWS, RADIUS = "tidegate.windows", "tidegate.radius"
NANOSECONDS: Final = 1_000_000
MAX_NAME: Final = 256
OTHER: Final = 99

_Rows = tuple[tuple[str, Read], ...]

_OUTCOMES: Final = {0: "unknown", 1: "success", 2: "failure"}
_LEVELS: Final = {
    "LogAlways": "information",
    "Critical": "critical",
    "Error": "error",
    "Warning": "warning",
    "Informational": "information",
    "Verbose": "verbose",
}

_EVERY: Final[_Rows] = (
    ("@timestamp", instant("time")),
    ("message", text("message")),
    ("event.code", text("metadata.event_code")),
    ("event.id", text("metadata.uid")),
    ("event.provider", text("metadata.log_provider")),
    ("event.created", instant("metadata.logged_time")),
    ("event.outcome", named(number("status_id"), _OUTCOMES)),
    ("event.severity", number("severity_id")),
    ("event.reason", text("status_detail")),
    ("event.original", text("raw_data")),
    ("event.start", instant("start_time")),
    ("event.end", instant("end_time")),
    ("event.duration", converted(number("duration"), lambda milliseconds: milliseconds * NANOSECONDS)),
)
_WINLOG: Final[_Rows] = (
    ("log.level", named(text("metadata.log_level"), _LEVELS)),
    ("host.name", text("device.hostname")),
    ("winlog.channel", text("metadata.log_name")),
    ("winlog.provider_name", text("metadata.log_provider")),
    ("winlog.computer_name", text("device.hostname")),
    ("winlog.event_id", text("metadata.event_code")),
    ("winlog.record_id", text("metadata.original_event_uid")),
    ("winlog.activity_id", text("metadata.correlation_uid")),
    ("winlog.logon.id", text("actor.session.uid")),
)
_ACTOR: Final[_Rows] = (
    ("user.name", text("actor.user.name")),
    ("user.domain", text("actor.user.domain")),
    ("user.id", text("actor.user.uid")),
)
_TARGET: Final[_Rows] = (
    ("user.target.name", text("user.name")),
    ("user.target.domain", text("user.domain")),
    ("user.target.id", text("user.uid")),
)
_USER: Final[_Rows] = (
    ("user.name", text("user.name")),
    ("user.domain", text("user.domain")),
    ("user.id", text("user.uid")),
)
_SOURCE: Final[_Rows] = (
    ("source.ip", address("src_endpoint.ip")),
    ("source.domain", text("src_endpoint.hostname")),
    ("source.address", text("src_endpoint.ip", "src_endpoint.hostname")),
)
_COMPUTER: Final[_Rows] = (
    ("winlog.computerObject.name", text("user.name")),
    ("winlog.computerObject.domain", text("user.domain")),
    ("winlog.computerObject.id", text("user.uid")),
)
_ROWS: Final[Mapping[Kind, _Rows]] = {
    Kind.BASE_EVENT: (*_WINLOG, *_ACTOR),
    Kind.ACCOUNT_CHANGE: (*_WINLOG, *_ACTOR, *_TARGET),
    Kind.GROUP_MANAGEMENT: (
        *_WINLOG,
        *_ACTOR,
        ("user.target.name", text("user.name", "subgroup.name")),
        ("user.target.domain", text("user.domain", "subgroup.domain")),
        ("user.target.id", text("user.uid", "subgroup.uid")),
        ("user.target.group.name", text("group.name")),
        ("user.target.group.domain", text("group.domain")),
        ("user.target.group.id", text("group.uid")),
        ("group.name", text("group.name")),
        ("group.domain", text("group.domain")),
        ("group.id", text("group.uid")),
    ),
    Kind.AUTHENTICATION: (
        *_WINLOG,
        *_USER,
        *_SOURCE,
        ("destination.ip", address("dst_endpoint.ip")),
        ("destination.domain", text("dst_endpoint.hostname", "dst_endpoint.domain")),
        ("destination.address", text("dst_endpoint.ip", "dst_endpoint.hostname", "dst_endpoint.domain")),
        ("network.protocol", converted(text("auth_protocol"), str.lower)),
    ),
    Kind.SERVICE_ACTIVITY: (
        *_WINLOG,
        *_ACTOR,
        ("service.name", text("win_service.name")),
        ("file.path", text("win_service.service_file.path")),
        ("file.name", text("win_service.service_file.name")),
    ),
    Kind.TUNNEL_ACTIVITY: (
        *_USER,
        ("source.ip", address("src_endpoint.ip")),
        ("source.domain", text("src_endpoint.hostname")),
        ("source.mac", text("src_endpoint.mac")),
        ("source.address", text("src_endpoint.ip", "src_endpoint.name", "src_endpoint.mac")),
        ("source.nat.ip", address("tunnel_interface.ip")),
        ("source.bytes", number("cumulative_traffic.bytes_out")),
        ("source.packets", number("cumulative_traffic.packets_out")),
        ("destination.ip", address("dst_endpoint.ip")),
        ("destination.domain", text("dst_endpoint.hostname")),
        ("destination.address", text("dst_endpoint.ip", "dst_endpoint.hostname")),
        ("destination.bytes", number("cumulative_traffic.bytes_in")),
        ("destination.packets", number("cumulative_traffic.packets_in")),
        ("network.bytes", number("cumulative_traffic.bytes")),
        ("network.packets", number("cumulative_traffic.packets")),
        ("network.protocol", converted(text("protocol_name"), str.lower)),
        ("observer.hostname", text("device.hostname")),
        ("observer.ip", address("device.ip")),
        ("observer.vendor", text("metadata.product.vendor_name")),
        ("observer.ingress.interface.id", text("dst_endpoint.interface_uid")),
        ("observer.ingress.interface.name", text("dst_endpoint.interface_name")),
        ("radius.session.id", text("session.uid")),
        ("radius.session.multi_id", text("session.uid_alt")),
        ("radius.terminate_cause", text("session.expiration_reason")),
    ),
}

_RELATED: Final[Mapping[str, tuple[Read, ...]]] = {
    "user": (text("actor.user.name"), text("user.name")),
    "ip": (address("src_endpoint.ip"), address("dst_endpoint.ip"), address("tunnel_interface.ip"), address("device.ip")),
    "hosts": (text("device.hostname"), text("src_endpoint.hostname"), text("dst_endpoint.hostname")),
}

_Compiled = tuple[tuple[tuple[str, ...], str, Read], ...]


def _compile(rows: _Rows) -> _Compiled:
    return tuple((tuple(field.split(".")[:-1]), field.rpartition(".")[2], read) for field, read in rows)


_TABLES: Final[Mapping[Kind, _Compiled]] = {kind: _compile((*_EVERY, *rows)) for kind, rows in _ROWS.items()}
_COMPUTERS: Final = _compile(_COMPUTER)
_activity: Final = number("activity_id")

_AMBIGUOUS: Final = re.compile(r"[.\s\x00-\x1f\x7f]+")


def encode_ecs(record: Record, *, dataset: str = "", namespace: str = "default") -> dict[str, Any]:
    """The document, nested; never raises, whatever the record holds.

    Args:
        record: an OCSF record, parsed.
        dataset: what `event.dataset` and the data stream are to be instead of `tidegate.windows` and `tidegate.radius`.
        namespace: of the data stream.
    """
    record = without_fills(record)
    kind = kind_of(record)
    code = text("metadata.event_code")(record) or ""
    dataset = dataset or (RADIUS if kind is Kind.TUNNEL_ACTIVITY else WINDOWS)
    meaning = meaning_of(kind, code, _activity(record) or 0)
    event: dict[str, Any] = {"kind": "event", "module": "tidegate", "dataset": dataset, "type": list(meaning.type)}
    if meaning.category:
        event["category"] = list(meaning.category)
    if meaning.action:
        event["action"] = meaning.action
    document: dict[str, Any] = {
        "ecs": {"version": VERSION},
        "data_stream": {"type": "logs", "dataset": dataset, "namespace": namespace},
        "event": event,
    }
    _write(document, _TABLES[kind], record)
    if kind is Kind.ACCOUNT_CHANGE and code in ("4741", "4743"):
        _write(document, _COMPUTERS, record)
    related = {field: found for field, reads in _RELATED.items() if (found := _distinct(read(record) for read in reads))}
    if related:
        document["related"] = related
    findings = enrichments(record)
    if findings:
        document["tidegate"] = {"enrichments": findings}
    if tags := _distinct([*labels(record), *(one.get("type") for one in findings)]):
        document["tags"] = tags
    if kind is Kind.TUNNEL_ACTIVITY:
        _put_names(document, ("radius", "attributes"), unmapped(record))
    else:
        _put_names(document, ("winlog", "event_data"), _event_data(record))
    return document


def stream_name(document: Mapping[str, Any]) -> str:
    """The data stream a document belongs to, as the bulk API wants it."""
    stream = document["data_stream"]
    return f"{stream['type']}-{stream['dataset']}-{stream['namespace']}"


def _write(document: dict[str, Any], rows: _Compiled, record: Record) -> None:
    for parents, field, read in rows:
        found = read(record)
        if found is None:
            continue
        node = document
        for parent in parents:
            node = node.setdefault(parent, {})
        node[field] = found


def _distinct(found: Iterable[str | None]) -> list[str]:
    return list(dict.fromkeys(one for one in found if one is not None))


def _event_data(record: Record) -> Iterator[tuple[str, str | list[str]]]:
    """EventData; the privilege list is a list, as Elastic's pipeline splits it."""
    for name, item in event_data(record):
        yield name, item.split() if name == "PrivilegeList" else item


def _put_names(document: dict[str, Any], parents: tuple[str, ...], pairs: Iterable[tuple[str, str | list[str]]]) -> None:
    """Names of a peer's, below `parents`; a name that comes again, or has become another's, has all values."""
    into: dict[str, Any] = {}
    for name, item in pairs:
        if not item:
            continue
        safe = _AMBIGUOUS.sub("_", name)[:MAX_NAME] or "_"
        if safe in into:
            before, more = into[safe], item if isinstance(item, list) else [item]
            into[safe] = [*before, *more] if isinstance(before, list) else [before, *more]
        else:
            into[safe] = item
    if into:
        node = document
        for parent in parents[:-1]:
            node = node.setdefault(parent, {})
        node[parents[-1]] = into
