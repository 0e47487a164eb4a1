"""Crosswalks: what an encoder's tables are made of. A row is a target's field and where a record has its value; here is how rows read.

A reader takes a record and gives what the target may have, or None where the record has nothing of the kind: no reader raises, whatever
is in the record, since a value that a destination refuses would cost the whole event. What the mapping filled in for OCSF's sake
(`metadata.debug`) is no value of the event and is taken out first.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from typing import Any, Final

from wire.event_time import format_iso

Record = Mapping[str, Any]
"""One OCSF record, parsed; only encoders and who calls them have it."""

Read = Callable[[Record], Any]
"""What a field is to have: text, a whole number, a truth value; None for nothing."""

MAX_LONG: Final = 2**63 - 1
"""Of Elasticsearch's and Kusto's `long`."""

LONG_DIGITS: Final = 18

MILLISECOND_NS: Final = 1_000_000
MAX_MILLISECONDS: Final = 253_402_300_800_000
"""The year 10000, which no target's date can say."""

FILLED: Final = "filled: "


class Kind(IntEnum):
    """The record's class, which is what tables are chosen by."""

    BASE_EVENT = 0
    ACCOUNT_CHANGE = 3001
    AUTHENTICATION = 3002
    GROUP_MANAGEMENT = 3006
    TUNNEL_ACTIVITY = 4014
    SERVICE_ACTIVITY = 201004


_KINDS: Final = {int(kind): kind for kind in Kind}


def kind_of(record: Record) -> Kind:
    """The record's class; one that isn't known is a Base Event."""
    uid = record.get("class_uid")
    return _KINDS.get(uid, Kind.BASE_EVENT) if isinstance(uid, int) else Kind.BASE_EVENT


def value(record: Record, path: str) -> Any:  # noqa: ANN401 - JSON
    """What is at a dotted path, of any type; None if nothing."""
    return _at(path)(record)


def _at(path: str) -> Read:
    """Reads a dotted path. Every field of every row goes through here, so the usual depths have no loop."""
    first, *rest = path.split(".")
    if not rest:
        return lambda record: record.get(first)
    second, *deeper = rest
    if not deeper:

        def read_two(record: Record) -> Any:  # noqa: ANN401 - JSON
            found = record.get(first)
            return found.get(second) if isinstance(found, dict) else None

        return read_two

    def read_all(record: Record) -> Any:  # noqa: ANN401 - JSON
        found = record.get(first)
        for part in rest:
            if not isinstance(found, dict):
                return None
            found = found.get(part)
        return found

    return read_all


def without_fills(record: Record) -> Record:
    """The record without what the mapping filled in, but its time, which every target needs."""
    debug = value(record, "metadata.debug")
    filled = [line[len(FILLED) :] for line in debug if isinstance(line, str) and line.startswith(FILLED)] if isinstance(debug, list) else ()
    for path in filled:
        if path != "time":
            record = _without(record, path.split("."))
    return record


def _without(node: Record, parts: Sequence[str]) -> Record:
    inner = node.get(parts[0])
    rest = {key: item for key, item in node.items() if key != parts[0]}
    if len(parts) > 1 and isinstance(inner, Mapping):
        return {**rest, parts[0]: _without(inner, parts[1:])}
    return rest


def constant(fixed: object) -> Read:
    return lambda _record: fixed


def text(*paths: str) -> Read:
    """The first of these that has text, or a whole number as text."""
    reads = [_at(path) for path in paths]

    def read(record: Record) -> str | None:
        for read_one in reads:
            found = read_one(record)
            if isinstance(found, str):
                if found:
                    return found
            elif isinstance(found, int) and not isinstance(found, bool):
                return str(found)
        return None

    return read


def number(path: str, most: int = MAX_LONG) -> Read:
    """A whole number from 0 to `most`; a larger one is nothing, since the target's type can't hold it."""
    read_any = _at(path)

    def read(record: Record) -> int | None:
        found = read_any(record)
        return found if isinstance(found, int) and not isinstance(found, bool) and 0 <= found <= most else None

    return read


def digits(path: str) -> Read:
    """A whole number that the record has as text, as text: no more than a `long` holds."""
    read_text = text(path)

    def read(record: Record) -> str | None:
        found = read_text(record)
        return found if found is not None and len(found) <= LONG_DIGITS and found.isascii() and found.isdecimal() else None

    return read


def flag(path: str) -> Read:
    read_any = _at(path)
    return lambda record: found if isinstance(found := read_any(record), bool) else None


def address(*paths: str, version: int | None = None) -> Read:
    """The first IP address, without its zone, which no target's address can have; of one version only if so asked."""
    read_text = [text(path) for path in paths]

    def read(record: Record) -> str | None:
        for one in read_text:
            found: str | None = one(record)
            if found is None:
                continue
            bare = found.partition("%")[0]
            try:
                parsed = ipaddress.ip_address(bare)
            except ValueError:
                continue
            if version in (None, parsed.version):
                return bare
        return None

    return read


def instant(*paths: str) -> Read:
    """The first time, of milliseconds since the epoch: `2024-03-15T12:00:00.123Z`."""
    reads = [_at(path) for path in paths]

    def read(record: Record) -> str | None:
        for read_one in reads:
            found = read_one(record)
            if isinstance(found, int) and not isinstance(found, bool) and 0 <= found < MAX_MILLISECONDS:
                return format_iso(found * MILLISECOND_NS, 3)
        return None

    return read


def named(read: Read, names: Mapping[Any, Any]) -> Read:
    """A value by a table of the target's names; nothing where the table has none."""

    def look_up(record: Record) -> Any:  # noqa: ANN401 - JSON
        found = read(record)
        return None if isinstance(found, bool) else names.get(found)

    return look_up


def converted(read: Read, convert: Callable[[Any], Any]) -> Read:
    """What `convert` makes of a value that is there."""

    def apply(record: Record) -> Any:  # noqa: ANN401 - JSON
        found = read(record)
        return None if found is None else convert(found)

    return apply


def account(name: str, domain: str) -> Read:
    r"""`DOMAIN\name`, or the name alone."""
    read_name, read_domain = text(name), text(domain)

    def read(record: Record) -> str | None:
        found, of = read_name(record), read_domain(record)
        return f"{of}\\{found}" if found and of else found

    return read


def texts(path: str) -> Callable[[Record], list[str]]:
    """All texts of a list."""

    def read(record: Record) -> list[str]:
        found = value(record, path)
        return [item for item in found if isinstance(item, str)] if isinstance(found, list) else []

    return read
