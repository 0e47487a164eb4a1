"""Compiling mapping documents to plans: parts are put in their places, names of transforms, tables and classes resolved, order fixed.

Within an event: the parts it uses, then its cases, then its rows, and all fills last (a branch's own fills end the branch). A constant
of the event holds before its parts', one of its class before both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from normalizers.document import CaseSpec, Constant, Document, EventSpec, PartSpec, RowSpec
from normalizers.plan import Branch, Choice, Fill, Input, OcsfClass, Op, Options, Plan, Plans, Row, Uid, Where
from normalizers.transforms import TESTS, TRANSFORMS
from pipeline.errors import ConfigError
from wire.event import EventKey

MARKS: Final = {where.value: where for where in Where if where.value}

Found = TypeVar("Found")


def compile_plans(document: Document) -> Plans:
    """One plan per event key.

    Raises:
        ConfigError: an activity, part, class, table, transform or test that isn't there, or a key mapped twice.
    """
    by_key: dict[EventKey, Plan] = {}
    for event in document.event:
        for plan in _plans(document, event):
            if plan.key in by_key:
                raise ConfigError(f"event {plan.key.event_id}", f"is mapped twice for provider {plan.key.provider}")
            by_key[plan.key] = plan
    return Plans(document.version, document.severity_id, document.uid_namespace, document.captions, document.observables, by_key)


def _plans(document: Document, event: EventSpec) -> Iterator[Plan]:
    what = f"event {event.id}"
    found = _known(what, "class", document.classes, event.class_name)
    like = _known(what, "default", document.defaults, event.like) if event.like else None
    channel, providers = event.channel or (like.channel if like else ""), event.provider or (like.provider if like else ())
    if not channel or not providers:
        raise ConfigError(what, "has no channel or no provider", "write them, or like = a [defaults] table that has them")
    flat = _flatten(document, event, what, ())
    for activity in _activities(event.activity, flat.steps):
        if activity not in found.activities:
            raise ConfigError(what, f"activity {activity} is none of class {event.class_name}")
    for provider in providers:
        yield Plan(
            key=EventKey(channel, provider, event.id),
            ocsf_class=OcsfClass(found.uid, *found.category, found.name, found.activities),
            activity=event.activity,
            message=event.message,
            const={**flat.const, **found.const},
            ops=(*flat.steps, *flat.fills),
            uids=flat.uids,
            missing=frozenset((*document.missing, *event.missing)),
            mapped=frozenset(_payload_names(flat.steps)),
        )


@dataclass(frozen=True, slots=True)
class _Flat:
    steps: tuple[Row | Choice, ...]
    fills: tuple[Fill, ...]
    const: Mapping[str, Constant]
    uids: tuple[Uid, ...]


def _flatten(document: Document, part: PartSpec, what: str, within: tuple[str, ...]) -> _Flat:
    const: dict[str, Constant] = {}
    steps: list[Row | Choice] = []
    fills: list[Fill] = []
    uids: tuple[Uid, ...] = tuple(Uid(uid.parts, _input(uid.need) if uid.need else None, uid.weak) for uid in part.uid)
    for name in part.use:
        if name in within:
            raise ConfigError(what, f"part {name} uses itself")
        used = _flatten(document, _known(what, "part", document.parts, name), what, (*within, name))
        const |= used.const
        steps += used.steps
        fills += used.fills
        uids = uids or used.uids
    if part.case:
        steps.append(Choice(tuple(_branch(document, case, what, within) for case in part.case)))
    steps += [_row(document, row, what) for row in part.rows]
    fills += [Fill(fill.unless, fill.when, fill.debug, fill.constants) for fill in part.fill]
    return _Flat(tuple(steps), tuple(fills), {**const, **part.const}, uids)


def _branch(document: Document, case: CaseSpec, what: str, within: tuple[str, ...]) -> Branch:
    flat = _flatten(document, case, what, within)
    test = _known(what, "test", TESTS, case.test) if case.test else None
    ops: tuple[Op, ...] = (*flat.steps, *flat.fills)
    return Branch(test, _input(case.of), case.values, case.activity, ops)


def _row(document: Document, row: RowSpec, what: str) -> Row:
    transforms = tuple(_known(what, "transform", TRANSFORMS, name) for name in row.transforms)
    table = _known(what, "table", document.tables, row.table) if row.table else {}
    return Row(transforms, tuple(map(_input, row.sources)), row.to, row.unless, Options(table, row.value, row.default, row.dollar))


def _input(text: str) -> Input:
    where = MARKS.get(text[:1], Where.PAYLOAD)
    return Input(where, text[len(where.value) :])


def _activities(activity: int | None, steps: tuple[Row | Choice, ...]) -> Iterator[int | None]:
    """Every activity an event may come to have; None if it may end without one."""
    chosen = [branch.activity for step in steps if isinstance(step, Choice) for branch in step.branches if branch.activity is not None]
    if activity is not None or not chosen:
        yield activity
    yield from chosen


def _payload_names(ops: tuple[Op, ...]) -> Iterator[str]:
    for op in ops:
        if isinstance(op, Row):
            yield from (source.name for source in op.inputs if source.where is Where.PAYLOAD)
        elif isinstance(op, Choice):
            for branch in op.branches:
                yield from _payload_names(branch.ops)


def _known(what: str, kind: str, table: Mapping[str, Found], name: str) -> Found:
    if name not in table:
        raise ConfigError(what, f"{kind} {name!r} isn't defined")
    return table[name]
