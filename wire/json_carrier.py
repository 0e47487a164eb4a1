"""Events that travel inside of JSON as a text: what shippers and relays make of a line they don't understand.

    {"message": "<Event ..."}                                Filebeat, Logstash, Fluentd
    {"event": "<Event ...", "sourcetype": "XmlWinEventLog"}  Splunk HTTP Event Collector
    {"System": "<Event ...", "Message": ...}                 fluent-bit winevtlog, render_event_as_xml
    {"MESSAGE": "<13>Mar 15 ..."}, {"rawmsg": ...}, {"_raw": ...}, {"log": ...}    syslog-ng, rsyslog, Cribl, container logs
    {"event": {"original": "<Event ..."}, "winlog": ...}     Winlogbeat with include_xml, Elastic Agent
    {"version": "1.1", "short_message": ..., "_EventID": ...}    GELF: the event's members, each behind `_` (GELF 1.1)

A text counts where it is all of a member that holds a whole message, and begins as a payload or header does. No other member is searched: in an
access log a browser's name may look like an event too. Beside members of an event, its own texts don't count either, only the original.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from pipeline.errors import MessageError
from wire.json_object import JsonObject, JsonValue, encode_object, leaves, merge, parse_object
from wire.syslog_payload import BEGINNING

PREFIX_OCTETS: Final = 64 * 1024

ORIGINALS: Final = frozenset({"original", "event.original", "xml", "eventxml", "raweventdata"})
"""Last part of paths, in ASCII lower case, under which an event's own XML stands beside its members."""

MESSAGES: Final = ORIGINALS | {"message", "msg", "rawmsg", "_raw", "raw", "rawevent", "log", "event", "system", "payload", "body", "data"}
"""The same of all members that hold a whole message; GELF's two come on top."""

GELF_TEXTS: Final = ("full_message", "short_message")

_CARRIES: Final = re.compile(
    rb"\"(?:event\.)?(?:"
    + b"|".join(sorted(name.encode() for name in MESSAGES | set(GELF_TEXTS) if "." not in name))
    + rb")\"\s{0,8}:\s{0,8}\"(?:\\[nrt]|\x20){0,8}(?:<|\\u003c|CEF:|LEEF:|AgentDevice=|MSWinEventLog|RsaSA|[A-Z][A-Za-z]{1,31}=|[0-9]{1,4}[/-]|\{)",
    re.IGNORECASE,
)
_GELF: Final = re.compile(rb"\"short_message\"\s{0,8}:")
_PRI: Final = re.compile(rb"<[0-9]{1,3}>")
_HOLDS_AN_ID: Final = frozenset({"eventid", "event_id", "eventcode"})
_COMPUTERS: Final = frozenset({"Hostname", "Computer", "ComputerName", "computer_name"})
_TIMES: Final = frozenset({"EventTime", "TimeCreated", "SystemTime"})


def unwrap(payload: bytes, *, beside_an_event: bool = False) -> bytes | None:
    """The payload, header included, that a JSON payload carries; None if it carries none. Never raises.

    Args:
        payload: JSON, or anything else.
        beside_an_event: the payload is an event itself, so that only its original counts.
    """
    if payload[:1] != b"{":
        return None
    carries = _CARRIES.search(payload, 0, PREFIX_OCTETS) is not None
    gelf = not beside_an_event and _GELF.search(payload, 0, PREFIX_OCTETS) is not None
    if not carries and not gelf:
        return None
    try:
        document, _ = parse_object(payload)
        found = next(_texts(document, ORIGINALS if beside_an_event else MESSAGES | set(GELF_TEXTS)), None)
        return found or (_event_of_gelf(document) if gelf else None)
    except MessageError:
        return None


def _texts(document: JsonObject, names: frozenset[str]) -> Iterator[bytes]:
    """What begins like a payload, in the document's order."""
    for path, text in leaves(document):
        if path.rpartition(".")[2].lower() in names or path.lower() in names:
            octets = text.lstrip(" \t\r\n\ufeff").encode("utf-8", "replace")
            if BEGINNING.match(octets) or _PRI.match(octets):
                yield octets


def _event_of_gelf(document: JsonObject) -> bytes | None:
    """GELF's additional fields as an object of their own, completed by what GELF has fields for."""
    own: list[tuple[str, JsonValue]] = [(name[1:], value) for name, value in document if name.startswith("_")]
    names = {name for name, _ in own}
    if _HOLDS_AN_ID.isdisjoint(name.lower() for name in names):
        return None
    fields = {name: value for name, value in document if not name.startswith("_") and isinstance(value, str)}
    text = next((fields[name] for name in GELF_TEXTS if name in fields), "")
    for name, taken, value in (
        ("Hostname", _COMPUTERS, fields.get("host", "")),
        ("EventTime", _TIMES, fields.get("timestamp", "")),
        ("Message", frozenset({"Message", "message"}), text),
    ):
        if value and taken.isdisjoint(names):
            own.append((name, value))
    return encode_object(merge(leaves(JsonObject(own))))
