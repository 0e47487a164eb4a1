r"""A Windows event restored from its OCSF record: the inverse of the mapping, for layouts that speak of EventData.

A record keeps every value of its event, so the event can be written again: by tables, one for each way the mapping spreads EventData
over OCSF paths (docs/mapping.md). What the record doesn't hold is the event's ceremony, which Windows writes the same each time
(task, keywords, qualifiers) and which is a table here. Names and times that the mapping filled in (`metadata.debug`) aren't restored.

Not restored, since records hold only their meaning: hex case, `\\` before a host, the path of a group member's distinguished name
(its CN and domain remain), and how a privilege list was broken into lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from wire.event import EventTime, WindowsEvent
from wire.event_time import format_iso, parse_cim, parse_iso
from wire.keywords import AUDIT_FAILURE, AUDIT_SUCCESS

Record = Mapping[str, Any]
"""One OCSF record, parsed; never leaves this module."""

MILLISECOND_NS: Final = 1_000_000
LEVELS: Final = {"LogAlways": "0", "Critical": "1", "Error": "2", "Warning": "3", "Informational": "4", "Verbose": "5"}
SERVICE_TYPES: Final = {1: "kernel mode driver", 2: "file system driver"}
START_TYPES: Final = {1: "boot start", 2: "system start", 3: "auto start", 4: "demand start", 5: "disabled"}
OTHER: Final = 99


@dataclass(frozen=True, slots=True)
class _Ceremony:
    """What Windows writes in every event of an ID. `keywords` is empty where they tell an audit's result."""

    task: str
    keywords: str = ""
    qualifiers: str = ""


_CEREMONIES: Final = {
    "4726": _Ceremony("13824"),
    "4743": _Ceremony("13825"),
    **dict.fromkeys(("4728", "4729", "4730", "4732", "4733", "4756", "4757", "4758"), _Ceremony("13826")),
    **dict.fromkeys(("4753", "4763"), _Ceremony("13827")),
    "4776": _Ceremony("14336"),
    "7045": _Ceremony("0", "0x8080000000000000", "16384"),
    "8004": _Ceremony("2", "0x8000000000000000"),
}
_AUDIT_RESULTS: Final = {1: AUDIT_SUCCESS, 2: AUDIT_FAILURE}

_Read = Callable[["_Paths"], str]


@dataclass(frozen=True, slots=True)
class _Paths:
    """A record read by path; what the mapping filled in reads as absent."""

    record: Record
    filled: frozenset[str]

    def value(self, path: str) -> Any:  # noqa: ANN401 - JSON
        found: Any = self.record
        for part in path.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
        return None if path in self.filled else found

    def text(self, *paths: str) -> str:
        """The first of these that the record has, as text."""
        return next((str(found) for path in paths if (found := self.value(path)) is not None), "")


def restore(record: bytes) -> WindowsEvent:
    """One record, as JSON, to its event.

    Raises:
        ValueError: no JSON object, or a record that isn't a Windows event's.
    """
    parsed = orjson.loads(record)
    if not isinstance(parsed, dict):
        raise ValueError("a record is a JSON object")  # noqa: TRY004 - the value is wrong, not its Python type
    debug = parsed.get("metadata", {}).get("debug", [])
    paths = _Paths(parsed, frozenset(line.removeprefix("filled: ") for line in debug))
    event_id = paths.text("metadata.event_code")
    if not (event_id.isascii() and event_id.isdecimal()):
        raise ValueError(f"no Windows event: {event_id[:64]!r}")
    ceremony = _CEREMONIES.get(event_id, _Ceremony(""))
    installed = event_id == "7045"
    return WindowsEvent(
        event_id=event_id,
        channel=paths.text("metadata.log_name"),
        provider=paths.text("metadata.log_provider"),
        computer=paths.text("device.hostname"),
        time=_time(paths),
        time_text=paths.text("metadata.original_time"),
        record_id=paths.text("metadata.original_event_uid"),
        version=paths.text("metadata.log_version"),
        level=LEVELS.get(paths.text("metadata.log_level"), ""),
        task=ceremony.task,
        keywords=ceremony.keywords or _AUDIT_RESULTS.get(paths.value("status_id"), ""),
        qualifiers=ceremony.qualifiers,
        activity_id=paths.text("metadata.correlation_uid"),
        user_sid=paths.text("actor.user.uid") if installed else "",
        user_name=paths.text("actor.user.name") if installed else "",
        user_domain=paths.text("actor.user.domain") if installed else "",
        data=(*_mapped(event_id, paths), *_unmapped(paths)),
    )


def event_data(record: Record) -> Iterator[tuple[str, str]]:
    """EventData of a Windows record that is without fills: names as Windows writes them, in the schema's order, then what wasn't mapped."""
    paths = _Paths(record, frozenset())
    yield from _mapped(paths.text("metadata.event_code"), paths)
    yield from _unmapped(paths)


def _time(paths: _Paths) -> EventTime | None:
    """The event's time: as it was delivered where that can be read, else to the millisecond."""
    milliseconds = paths.value("time")
    if not isinstance(milliseconds, int):
        return None
    delivered = paths.text("metadata.original_time")
    for form in (parse_iso, parse_cim):
        time = form(delivered)
        if time is not None and time.unix_ns // MILLISECOND_NS == milliseconds:
            return time
    unix_ns = milliseconds * MILLISECOND_NS
    return EventTime(unix_ns, format_iso(unix_ns, 3), 3)


def _account(name: str, domain: str) -> _Read:
    """A name whose domain has a field of its own. The mapping splits a name at its backslash: one that would be split again gets its domain back."""

    def read(paths: _Paths) -> str:
        text = paths.text(name)
        before, _, after = text.partition("\\")
        return f"{paths.text(domain)}\\{text}" if before and after else text

    return read


def _qualified(name: str, domain: str) -> _Read:
    """A name that carries its domain: domain, backslash, name."""

    def read(paths: _Paths) -> str:
        return f"{paths.text(domain)}\\{paths.text(name)}" if paths.text(domain) else paths.text(name)

    return read


def _at(*alternatives: str) -> _Read:
    return lambda paths: paths.text(*alternatives)


def _member_name(paths: _Paths) -> str:
    """The member's distinguished name, or its account name; of a group, as much of either as its name and domain say."""
    whole = paths.text("user.ldap_person.ldap_dn") or _qualified("user.name", "user.domain")(paths)
    name, domain = paths.text("subgroup.name"), paths.text("subgroup.domain")
    if whole or not name:
        return whole
    if "." not in domain:
        return f"{domain}\\{name}" if domain else name
    return ",".join((f"CN={_escape(name)}", *(f"DC={_escape(part)}" for part in domain.split("."))))


def _escape(value: str) -> str:
    """RFC 4514 section 2.4."""
    escaped = "".join(f"\\{character}" if character in ',+"\\<>;=' else character for character in value).replace("\0", "\\00")
    if escaped[:1] in (" ", "#"):
        escaped = f"\\{escaped}"
    return f"{escaped[:-1]}\\ " if escaped.endswith(" ") and len(value) > 1 else escaped


def _caption(path: str, texts: Mapping[int, str]) -> _Read:
    """An enumerated value as Windows words it; a value the mapping didn't know is beside its id."""

    def read(paths: _Paths) -> str:
        number = paths.value(f"{path}_id")
        return paths.text(path) if number == OTHER else texts.get(number, "") if isinstance(number, int) else ""

    return read


_SUBJECT: Final[Mapping[str, _Read]] = {
    "SubjectUserSid": _at("actor.user.uid"),
    "SubjectUserName": _account("actor.user.name", "actor.user.domain"),
    "SubjectDomainName": _at("actor.user.domain"),
    "SubjectLogonId": _at("actor.session.uid"),
}
_GROUP: Final[Mapping[str, _Read]] = {
    "TargetUserName": _account("group.name", "group.domain"),
    "TargetDomainName": _at("group.domain"),
    "TargetSid": _at("group.uid"),
}
_MEMBER_CHANGE: Final[Mapping[str, _Read]] = {"MemberName": _member_name, "MemberSid": _at("user.uid", "subgroup.uid"), **_GROUP, **_SUBJECT}
_GROUP_DELETED: Final[Mapping[str, _Read]] = {**_GROUP, **_SUBJECT}
_ACCOUNT_DELETED: Final[Mapping[str, _Read]] = {
    "TargetUserName": _account("user.name", "user.domain"),
    "TargetDomainName": _at("user.domain"),
    "TargetSid": _at("user.uid"),
    **_SUBJECT,
}
_DATA: Final[Mapping[str, Mapping[str, _Read]]] = {
    **dict.fromkeys(("4728", "4729", "4732", "4733", "4756", "4757"), _MEMBER_CHANGE),
    **dict.fromkeys(("4730", "4753", "4758", "4763"), _GROUP_DELETED),
    **dict.fromkeys(("4726", "4741", "4743"), _ACCOUNT_DELETED),
    **dict.fromkeys(("4662", "5136"), _SUBJECT),
    "4776": {
        "PackageName": _at("service.name"),
        "TargetUserName": _qualified("user.name", "user.domain"),
        "Workstation": _at("src_endpoint.ip", "src_endpoint.hostname"),
        "Status": _at("status_code"),
    },
    "8004": {
        "SChannelName": _at("dst_endpoint.ip", "dst_endpoint.hostname", "dst_endpoint.domain"),
        "UserName": _account("user.name", "user.domain"),
        "DomainName": _at("user.domain"),
        "WorkstationName": _at("src_endpoint.ip", "src_endpoint.hostname"),
    },
    "7045": {
        "ServiceName": _at("win_service.name"),
        "ImagePath": _at("win_service.cmd_line"),
        "ServiceType": _caption("win_service.service_type", SERVICE_TYPES),
        "StartType": _caption("win_service.service_start_type", START_TYPES),
        "AccountName": _at("win_service.service_start_name"),
    },
}
"""Event ID to EventData names in the schema's order, each with where the record has it."""


def _mapped(event_id: str, paths: _Paths) -> Iterator[tuple[str, str]]:
    for name, read in _DATA.get(event_id, {}).items():
        value = read(paths)
        if value:
            yield name, value


def _unmapped(paths: _Paths) -> Iterator[tuple[str, str]]:
    """What no row took, under its own name; a privilege list was one text."""
    unmapped = paths.value("unmapped")
    for name, value in unmapped.items() if isinstance(unmapped, Mapping) else ():
        if isinstance(value, list) and name == "PrivilegeList":
            yield name, " ".join(map(str, value))
        elif isinstance(value, list):
            yield from ((name, str(item)) for item in value)
        else:
            yield name, str(value)
