"""What the native engine has of a plan's ops: which transforms and tests, which values, and what they may write.

Whatever else a plan asks for is `Unsupported`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final, TypeAlias

import orjson

from normalizers.engine import UNMAPPED
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


def written_paths(ops: Sequence[Op]) -> Iterator[str]:
    for row in rows_of(ops):
        for _, paths in targets_of(row):
            yield from (path for path in paths if not path.startswith(UNMAPPED))


def filled_paths(ops: Sequence[Op]) -> Iterator[str]:
    for fill in fills_of(ops):
        yield from fill.constants


class Constants:
    """Every constant of a plan, a fill or a row, by the path at which it may come to stand, be it through other paths."""

    def __init__(self, ops: Sequence[Op], const: Mapping[str, Json]) -> None:
        self._values: Final = defaultdict[str, list[Json]](list)
        self._sources: Final = defaultdict[str, list[str]](list)
        for constants in (const, *(fill.constants for fill in fills_of(ops))):
            for path, constant in constants.items():
                self._values[path].append(constant)
        for row in rows_of(ops):
            value, sources = row.options.value, [source.name for source in row.inputs if source.where is Where.WRITTEN]
            for path in {path for _, paths in targets_of(row) for path in paths}:
                self._values[path] += () if value is None else (value,)
                self._sources[path] += sources

    def at(self, path: str) -> Iterator[Json]:
        """None of those that may not stand there."""
        reached, waiting = {path}, [path]
        while waiting:
            path = waiting.pop()
            yield from self._values.get(path, ())
            sources = set(self._sources.get(path, ())) - reached
            reached |= sources
            waiting += sources
