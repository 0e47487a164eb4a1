"""What the native engine has of a plan's ops: which transforms and tests, which values, and what they may write.

Whatever else a plan asks for is `Unsupported`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final, TypeAlias

import orjson

from normalizers.plan import Choice, Fill, Json, Op, Row, Transform, Where
from normalizers.transforms import TRANSFORMS

INTEGERS: Final = range(-(2**63), 2**63)

SUFFIXES: Final[Mapping[str, tuple[str, ...]]] = {
    "account": ("name", "domain"),
    "before": ("",),
    "const": ("",),
    "copy": ("",),
    "counter": ("",),
    "dn": ("ldap_person.ldap_dn", "ldap_person.ldap_cn", "domain"),
    "dn_group": ("name", "domain"),
    "enum": ("",),
    "framed_address": ("",),
    "guid": ("",),
    "host": ("ip", "hostname"),
    "image_path": ("cmd_line", "service_file.path", "service_file.name", "service_file.type_id"),
    "ip": ("",),
    "keywords": ("",),
    "logon_id": ("",),
    "name": ("",),
    "ntstatus": ("status_id", "status_code", "status_detail"),
    "realm_account": ("name", "domain"),
    "seconds_ms": ("",),
    "sent_time": ("time", "metadata.original_time"),
    "sid": ("",),
    "station": ("ip", "mac", "name"),
    "terminate_cause": ("status_code", "status_detail", "session.expiration_reason"),
    "text": ("",),
    "total": ("",),
    "unc": ("",),
    "user_type": ("",),
    "words": ("",),
}
"""What transforms write below `to`, in the places that their native twins give it."""

INPUTS: Final[Mapping[str, int]] = {"before": 2, "const": 0, "sent_time": 3, "user_type": 2}
"""How many inputs a transform needs, where it isn't one."""

NATIVE_TESTS: Final = frozenset(("group_sid", "in", "not_in"))

Part: TypeAlias = "dict[str, Any]"
"""A piece of the document: JSON, which has no other type."""

Targeted: TypeAlias = "tuple[Row, Sequence[str]]"
"""A row, and the paths that it may write."""


class Unsupported(Exception):  # noqa: N818 - says which engine runs a plan, no fault
    """A plan is the reference engine's."""


def demand(supported: bool) -> None:  # noqa: FBT001 - an assertion
    if not supported:
        raise Unsupported


def encode_constant(value: Json) -> Part:
    """Texts and numbers may be read by other rows; anything else is only written."""
    if isinstance(value, str):
        return {"text": value}
    if isinstance(value, int) and not isinstance(value, bool):
        demand(value in INTEGERS)
        return {"int": value}
    return {"json": orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()}


def name_of(table: Mapping[str, Any], function: object) -> str:
    found = next((name for name, known in table.items() if known is function), None)
    if found is None:
        raise Unsupported
    return found


def targets_of(row: Row) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(transform, the paths it may write)."""
    for transform in row.transforms:
        name, paths = _target(transform, row.to)
        demand(len(row.inputs) >= INPUTS.get(name, 1))
        yield name, paths


@cache
def _target(transform: Transform, to: str) -> tuple[str, tuple[str, ...]]:
    """Of a transform that writes below `to`; asked for a thousand times while plans are encoded."""
    name = name_of(TRANSFORMS, transform)
    demand(name in SUFFIXES)
    paths = tuple(f"{to}.{suffix}".strip(".") for suffix in SUFFIXES[name])
    demand(all(paths))
    return name, paths


def targeted_rows(ops: Sequence[Op]) -> list[Targeted]:
    return [(row, [path for _, paths in targets_of(row) for path in paths]) for row in rows_of(ops)]


def rows_of(ops: Sequence[Op]) -> Iterator[Row]:
    for op in ops:
        if isinstance(op, Row):
            yield op
        elif isinstance(op, Choice):
            for branch in op.branches:
                yield from rows_of(branch.ops)


def fills_of(ops: Sequence[Op]) -> Iterator[Fill]:
    for op in ops:
        if isinstance(op, Fill):
            yield op
        elif isinstance(op, Choice):
            for branch in op.branches:
                yield from fills_of(branch.ops)


def activities_of(ops: Sequence[Op]) -> Iterator[int]:
    for op in ops:
        if isinstance(op, Choice):
            for branch in op.branches:
                yield from () if branch.activity is None else (branch.activity,)
                yield from activities_of(branch.ops)


def filled_paths(ops: Sequence[Op]) -> Iterator[str]:
    for fill in fills_of(ops):
        yield from fill.constants


def boolean_paths(ops: Sequence[Op], rows: Sequence[Targeted], const: Mapping[str, Json]) -> set[str]:
    """Where a boolean constant of a plan, a fill or a row may come to stand, be it through other paths."""
    found = {path for constants in (const, *(fill.constants for fill in fills_of(ops))) for path, value in constants.items() if isinstance(value, bool)}
    found.update(path for row, paths in rows if isinstance(row.options.value, bool) for path in paths)
    while more := {path for row, paths in rows if not found.isdisjoint(_read_back(row)) for path in paths} - found:
        found |= more
    return found


def _read_back(row: Row) -> Iterator[str]:
    return (source.name for source in row.inputs if source.where is Where.WRITTEN)
