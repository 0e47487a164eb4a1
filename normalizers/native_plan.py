"""A profile as the one flat document that the native engine loads: names are numbers, paths are leaves, constants are JSON already.

    document     keys that are kept, what all plans share, and the plans by key
    leaf         a path of the record by its number within the plan; a set of paths below some path is a list of leaves
    name         a payload name that some row, test or uid reads, by its number
    layout       how a record is written: fixed text, leaves and optional objects, in the order of sorted keys

A path that ends up the same in every record of a plan, whatever happens, is fixed text in the layout. A plan that asks for something which only
the reference engine does has None in its place: its events are judged by that engine. Nothing in a shipped mapping does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import orjson

from normalizers.compiler import MARKS
from normalizers.engine import UNMAPPED
from normalizers.native_layouts import layout_tables
from normalizers.plan import Choice, Fill, Input, Json, Op, Plan, Plans, Row, Uid, Where
from normalizers.profiles import Profile
from normalizers.settings import NormalizeSettings
from normalizers.transforms import TESTS, TRANSFORMS
from normalizers.uid import PAYLOAD
from wire.layouts.layout import Mode, Reading

MAX_LEAVES: Final = 128
MAX_NAMES: Final = 64
MAX_DEBUGS: Final = 64
MAX_INPUTS: Final = 4
INTEGERS: Final = range(-(2**63), 2**63)

SUFFIXES: Final[Mapping[str, tuple[str, ...]]] = {
    "account": ("name", "domain"),
    "const": ("",),
    "copy": ("",),
    "dn": ("ldap_person.ldap_dn", "ldap_person.ldap_cn", "domain"),
    "dn_group": ("name", "domain"),
    "enum": ("",),
    "guid": ("",),
    "host": ("ip", "hostname"),
    "image_path": ("cmd_line", "service_file.path", "service_file.name", "service_file.type_id"),
    "keywords": ("",),
    "logon_id": ("",),
    "name": ("",),
    "ntstatus": ("status_id", "status_code", "status_detail"),
    "sid": ("",),
    "text": ("",),
    "unc": ("",),
    "user_type": ("",),
    "words": ("",),
}
"""What the transforms that have a native twin write below `to`, in the places that the twin gives it. Those of RADIUS have none."""

INPUTS: Final[Mapping[str, int]] = {"const": 0, "user_type": 2}
"""How many inputs a transform needs, where it isn't one."""

Part: TypeAlias = "dict[str, Any]"
"""A piece of the document: JSON, which has no other type."""


class _Unsupported(Exception):  # noqa: N818 - says which engine runs a plan, no fault
    """A plan is the reference engine's."""


def encode_profile(profile: Profile, settings: NormalizeSettings, reading: Reading, *, keep_all: bool) -> bytes:
    """The document; what `settings` switch is in it."""
    plans = profile.plans
    return orjson.dumps(
        {
            "keep_all": keep_all,
            "strict": reading.mode is Mode.STRICT,
            "zone_offset_minutes": reading.zone_offset_minutes,
            "keys": [tuple(key) for key in sorted(profile.keys)],
            "uid_namespace": plans.uid_namespace,
            "labels": settings.labels,
            "plans": [{"key": tuple(plan.key), "plan": _encode_plan(plans, plan, settings)} for plan in plans.by_key.values()],
            "layouts": layout_tables(),
        }
    )


def _encode_plan(plans: Plans, plan: Plan, settings: NormalizeSettings) -> Part | None:
    try:
        return _Writer(plans, plan, settings).part()
    except _Unsupported:
        return None


@dataclass(slots=True)
class _Writer:
    """Numbers the paths, names and debug texts of one plan."""

    plans: Plans
    plan: Plan
    settings: NormalizeSettings
    paths: dict[str, int] = field(default_factory=dict)
    names: dict[str, int] = field(default_factory=dict)
    debugs: dict[str, int] = field(default_factory=dict)

    def part(self) -> Part:
        plan, ocsf = self.plan, self.plan.ocsf_class
        others, filled, written = set(self.others(plan.ops)), set(_filled(plan.ops)), set(_written(plan.ops))
        facts = self.facts()
        numbers = {plan.activity or 0, *_activities(plan.ops)}
        activities = {number: self.activity(number) for number in sorted(numbers) if number in ocsf.activities or not self.settings.captions}
        own_name = not {"activity_name"}.isdisjoint((*written, *filled, *plan.const))  # which then holds
        if len(activities) == 1 and not own_name:
            (only,) = activities
            facts, activities = facts | activities[only], {only: {}}
        names = {number: {path: values.pop(path) for path in ("activity_name",) if path in values and own_name} for number, values in activities.items()}
        changing = {path for values in (*activities.values(), *names.values()) for path in values}
        made = {"time", "metadata.logged_time", "metadata.uid", "metadata.debug", "metadata.labels", "observables"}
        settled: dict[str, Json] = {path: value for path, value in plan.const.items() if path not in filled | others | changing | made | facts.keys()}
        captions = self.captions(settled, facts, written | filled | changing | plan.const.keys())
        captioned = {path for _, path, _ in captions}
        settled = {path: value for path, value in settled.items() if path not in captioned} | facts
        _demand(facts.keys().isdisjoint(others | captioned | made) and made.isdisjoint(others | captioned))
        every = {*settled, *plan.const, *changing, *made, *written, *filled, *others, *captioned}
        _demand(not any(path.startswith(UNMAPPED) or path == "unmapped" for path in every))
        self.number({*every, "unmapped"})
        ops = [self.op(op) for op in plan.ops]
        index = {"status_id": "status_id", "event_code": "metadata.event_code", "computer": "device.hostname", "address": "device.ip"}
        needed = {*index.values(), *(path for path, _ in self.plans.observables), *(path for path, _, _ in captions)}
        self.read_as_number("time")
        uids = [self.uid(uid) for uid in plan.uids]
        _demand(bool(uids) and plan.uids[-1].need is None)
        for name in sorted(plan.mapped):
            self.names.setdefault(name, len(self.names))
        time_debug = self.debug("time")
        part = {
            "missing": sorted(plan.missing),
            "start": self.constants(plan.const),
            "ops": ops,
            "class_uid": ocsf.uid,
            "activity": plan.activity or 0,
            "activities": [
                {"activity": number, "constants": self.constants(values), "defaults": self.constants(names[number])} for number, values in activities.items()
            ],
            "facts": self.constants({path: value for path, value in facts.items() if path in needed}),
            "captions": [{"of": self.paths[of], "to": self.paths[to], "names": sorted(names.items())} for of, to, names in captions],
            "observables": self.observables() if self.settings.observables else [],
            "uids": uids,
            "time_debug": time_debug,
            "index": {name: self.paths.get(path) for name, path in index.items()},
            "made": {path.rpartition(".")[2]: self.paths[path] for path in (*made, "unmapped")},
            "layout": _layout(self.paths, settled),
            "names": [{"name": name, "mapped": name in plan.mapped} for name in self.names],
            "debugs": [f"filled: {debug}" for debug in self.debugs],
        }
        _demand(len(self.paths) <= MAX_LEAVES and len(self.names) <= MAX_NAMES and len(self.debugs) <= MAX_DEBUGS)
        return part

    # ---- what every record of the plan says ----

    def facts(self) -> dict[str, Json]:
        """What the engine writes at the end, the same in every record."""
        ocsf = self.plan.ocsf_class
        facts: dict[str, Json] = {
            "category_uid": ocsf.category_uid,
            "class_uid": ocsf.uid,
            "severity_id": self.plans.severity_id,
            "metadata.version": self.plans.version,
        }
        if self.plan.message:
            facts["message"] = self.plan.message
        if self.settings.tenant_uid:
            facts["metadata.tenant_uid"] = self.settings.tenant_uid
        if self.settings.captions:
            facts |= {"category_name": ocsf.category_name, "class_name": ocsf.name}
        return facts

    def activity(self, activity: int) -> dict[str, Json]:
        ocsf = self.plan.ocsf_class
        values: dict[str, Json] = {"activity_id": activity, "type_uid": ocsf.uid * 100 + activity}
        if self.settings.captions:
            label = ocsf.activities[activity]
            values |= {"activity_name": label, "type_name": f"{ocsf.name}: {label}"}
        return values

    def captions(self, settled: Mapping[str, Json], facts: dict[str, Json], paths: Iterable[str]) -> list[tuple[str, str, Mapping[int, str]]]:
        """(path of an id, path of its caption, captions) of ids that change; captions of settled ones become facts."""
        found = []
        known = {*paths, *settled}
        for path, names in self.plans.captions.items() if self.settings.captions else ():
            self.read_as_number(path)
            number, to = {**settled, **facts}.get(path), path.removesuffix("_id")
            if number is None:
                if path in known:
                    found.append((path, to, names))
            elif isinstance(number, int) and number in names:
                facts[to] = names[number]
        return found

    def observables(self) -> list[Part]:
        names = self.plans.captions["observables.type_id"]
        found = []
        for path, type_id in self.plans.observables:
            if path in self.paths:
                head = orjson.dumps({"name": path, "type": names[type_id], "type_id": type_id})[:-1] + b',"value":'
                found.append({"of": self.paths[path], "type_id": type_id, "head": head.decode(), "debug": self.debugs.get(path)})
        return found

    # ---- numbers ----

    def number(self, paths: set[str]) -> None:
        for path in sorted(paths, key=_steps):
            above = path.split(".")[:-1]
            _demand(not any(".".join(above[: depth + 1]) in paths for depth in range(len(above))))
            self.paths[path] = len(self.paths)

    def below(self, path: str) -> list[int]:
        """The leaves whose presence makes `path` present."""
        return [leaf for other, leaf in self.paths.items() if other == path or other.startswith(path + ".")]

    def any_below(self, paths: Iterable[str]) -> list[int]:
        return sorted({leaf for path in paths for leaf in self.below(path)})

    def debug(self, path: str) -> int:
        return self.debugs.setdefault(path, len(self.debugs))

    def constants(self, values: Mapping[str, Json]) -> list[tuple[int, Part]]:
        return [(self.paths[path], _constant(value)) for path, value in values.items()]

    def input(self, source: Input) -> Part:
        match source.where:
            case Where.PAYLOAD | Where.PEEKED:
                return {"payload": self.names.setdefault(source.name, len(self.names)), "takes": source.where is Where.PAYLOAD}
            case Where.ENVELOPE:
                return {"envelope": source.name}
            case Where.WRITTEN:
                self.read_as_number(source.name)
                return {"written": self.paths.get(source.name)}

    def read_as_number(self, path: str) -> None:
        """In Python a boolean is a number too, in the kernel it is JSON."""
        constants = (*_constants(self.plan.ops, path), self.plan.const.get(path))
        _demand(not any(isinstance(value, bool) for value in constants))

    def uid(self, uid: Uid) -> Part:
        parts: list[Part] = []
        for part in uid.parts:
            if part.startswith("'"):
                parts.append({"literal": part[1:]})
            elif part == PAYLOAD:
                parts.append({"payload": True})
            else:
                parts.append({"first_of": [self.spelled(*alternative.partition("|")) for alternative in part.split("/")]})
        return {"parts": parts, "need": self.input(uid.need) if uid.need else None, "weak": uid.weak}

    def spelled(self, source: str, _: str, how: str) -> Part:
        where = MARKS.get(source[:1], Where.PAYLOAD)
        return {"input": self.input(Input(where, source[len(where.value) :])), "how": how}

    # ---- ops ----

    def op(self, op: Op) -> Part:
        match op:
            case Row():
                return {"row": self.row(op)}
            case Choice():
                branches = [
                    {
                        "test": _name_of(TESTS, branch.test) if branch.test else None,
                        "of": self.input(branch.of) if branch.test else None,
                        "values": branch.values,
                        "activity": branch.activity,
                        "ops": [self.op(inner) for inner in branch.ops],
                    }
                    for branch in op.branches
                ]
                return {"choice": branches}
            case Fill():
                return {
                    "fill": {
                        "unless": self.any_below(op.unless),
                        "when": self.below(op.when) if op.when else None,
                        "debug": self.debug(op.debug) if op.debug else None,
                        "constants": self.constants(op.constants),
                    }
                }

    def row(self, row: Row) -> Part:
        _demand(len(row.inputs) <= MAX_INPUTS)
        options = row.options
        _demand(not (isinstance(options.value, list) and row.to.startswith(UNMAPPED)))  # leftovers would join the constant
        return {
            "transforms": [{"name": name, "to": [self.target(path, name) for path in paths]} for name, paths in _targets(row)],
            "inputs": [self.input(source) for source in row.inputs],
            "unless": self.any_below(row.unless),
            "table": {text: _constant(value) for text, value in options.table.items()},
            "value": None if options.value is None else _constant(options.value),
            "default": options.default,
            "dollar": options.dollar,
        }

    def target(self, path: str, transform: str) -> Part:
        if path.startswith(UNMAPPED):
            return {"unmapped": path.removeprefix(UNMAPPED)}
        return {"leaf": self.paths[path], "other": self.paths[path.removesuffix("_id")] if transform == "enum" else None}

    def others(self, ops: Sequence[Op]) -> Iterator[str]:
        """The captions that `enum` may write."""
        for row in _rows(ops):
            for name, paths in _targets(row):
                if name == "enum":
                    _demand(all(path.endswith("_id") and not path.startswith(UNMAPPED) for path in paths))
                    yield from (path.removesuffix("_id") for path in paths)


def _demand(supported: bool) -> None:  # noqa: FBT001 - an assertion
    if not supported:
        raise _Unsupported


def _constant(value: Json) -> Part:
    """Texts and numbers may be read by other rows; anything else is only written."""
    if isinstance(value, str):
        return {"text": value}
    if isinstance(value, int) and not isinstance(value, bool):
        _demand(value in INTEGERS)
        return {"int": value}
    return {"json": orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()}


def _name_of(table: Mapping[str, Any], function: object) -> str:
    found = next((name for name, known in table.items() if known is function), None)
    if found is None:
        raise _Unsupported
    return found


def _targets(row: Row) -> Iterator[tuple[str, list[str]]]:
    """(transform, the paths it may write)."""
    for transform in row.transforms:
        name = _name_of(TRANSFORMS, transform)
        _demand(name in SUFFIXES and len(row.inputs) >= INPUTS.get(name, 1))
        paths = [f"{row.to}.{suffix}".strip(".") for suffix in SUFFIXES[name]]
        _demand(all(paths))
        yield name, paths


def _rows(ops: Sequence[Op]) -> Iterator[Row]:
    for op in ops:
        if isinstance(op, Row):
            yield op
        elif isinstance(op, Choice):
            for branch in op.branches:
                yield from _rows(branch.ops)


def _fills(ops: Sequence[Op]) -> Iterator[Fill]:
    for op in ops:
        if isinstance(op, Fill):
            yield op
        elif isinstance(op, Choice):
            for branch in op.branches:
                yield from _fills(branch.ops)


def _activities(ops: Sequence[Op]) -> Iterator[int]:
    for op in ops:
        if isinstance(op, Choice):
            for branch in op.branches:
                yield from () if branch.activity is None else (branch.activity,)
                yield from _activities(branch.ops)


def _written(ops: Sequence[Op]) -> Iterator[str]:
    for row in _rows(ops):
        for _, paths in _targets(row):
            yield from (path for path in paths if not path.startswith(UNMAPPED))


def _filled(ops: Sequence[Op]) -> Iterator[str]:
    for fill in _fills(ops):
        yield from fill.constants


def _constants(ops: Sequence[Op], path: str) -> Iterator[Json]:
    """Every constant that may come to stand at a path."""
    for fill in _fills(ops):
        yield from (value for filled, value in fill.constants.items() if filled == path)
    for row in _rows(ops):
        if row.options.value is not None:
            yield row.options.value


def _steps(path: str) -> list[bytes]:
    return [step.encode() for step in path.split(".")]


# ---- the layout ----

_Tree: TypeAlias = "dict[str, int | _Tree]"


def _layout(paths: Mapping[str, int], settled: Mapping[str, Json]) -> list[Part]:
    """Steps of writing a record: `text`, `leaf` behind its `key`, or `leaves` inside an object of which nothing may be present."""
    tree: _Tree = {}
    for path, leaf in paths.items():
        node: Any = tree
        *above, last = path.split(".")
        for step in above:
            node = node.setdefault(step, {})
        node[last] = leaf
    return _Layout({paths[path]: value for path, value in settled.items()}).object(tree)


@dataclass(frozen=True, slots=True)
class _Layout:
    settled: Mapping[int, Json]

    def object(self, tree: _Tree) -> list[Part]:
        """An object's members, each followed by a comma; the last comma becomes the object's end as it is written."""
        steps: list[Part] = []
        for name, node in sorted(tree.items(), key=lambda item: item[0].encode()):
            key = orjson.dumps(name).decode() + ":"
            if isinstance(node, int):
                if node in self.settled:
                    steps.append({"text": key + orjson.dumps(self.settled[node], option=orjson.OPT_SORT_KEYS).decode() + ","})
                else:
                    steps.append({"leaf": node, "key": key})
                continue
            leaves = list(_leaves(node))
            if self.settled.keys().isdisjoint(leaves):
                steps.append({"key": key + "{", "leaves": leaves, "inside": [*self.object(node), {"end": True}]})
            else:
                steps += [{"text": key + "{"}, *self.object(node), {"end": True}]
        return _joined(steps)


def _leaves(tree: _Tree) -> Iterator[int]:
    for node in tree.values():
        yield from (node,) if isinstance(node, int) else _leaves(node)


def _joined(steps: list[Part]) -> list[Part]:
    """Neighbouring texts in one, and an end behind a text within it."""
    joined: list[Part] = []
    for step in steps:
        before = joined[-1] if joined and "text" in joined[-1] else None
        if before is None:
            joined.append(step)
        elif "text" in step:
            joined[-1] = {"text": before["text"] + step["text"]}
        elif "end" in step:
            joined[-1] = {"text": before["text"][:-1] + "},"}
        else:
            joined.append(step)
    return joined
