"""A profile as the one flat document that the native engine loads: names are numbers, paths are leaves, constants are JSON already.

    document     keys that are kept, what all plans share, and the plans by key
    leaf         a path of the record by its number within the plan; a set of paths below some path is a list of leaves
    name         a payload name that some row, test or uid reads, by its number
    layout       how a record is written: fixed text, leaves and optional objects, in the order of sorted keys

A path that ends up the same in every record of a plan, whatever happens, is fixed text in the layout. A plan that asks for something which only
the reference engine does has None in its place: its events are judged by that engine. Nothing in a shipped mapping does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate
from typing import Final

import orjson

from normalizers.compiler import MARKS
from normalizers.engine import UNMAPPED
from normalizers.native_layouts import layout_tables
from normalizers.native_ops import (
    NATIVE_TESTS,
    Part,
    Targeted,
    Unsupported,
    activities_of,
    boolean_paths,
    demand,
    encode_constant,
    filled_paths,
    name_of,
    targeted_rows,
    targets_of,
)
from normalizers.native_radius import SESSION, encode_accounting
from normalizers.native_record import encode_layout
from normalizers.plan import Branch, Choice, Fill, Input, Json, Op, Plan, Plans, Row, Uid, Where
from normalizers.profiles import Profile
from normalizers.radius import CHANNEL
from normalizers.settings import NormalizeSettings
from normalizers.transforms import TESTS
from normalizers.uid import PAYLOAD
from wire.layouts.layout import Mode, Reading

MAX_LEAVES: Final = 128
MAX_NAMES: Final = 64
MAX_DEBUGS: Final = 64
MAX_INPUTS: Final = 4


def encode_profile(profile: Profile, settings: NormalizeSettings, reading: Reading, *, keep_all: bool, packets: bool | None = None) -> bytes:
    """The document; what `settings` switch is in it.

    Args:
        profile: what is kept, and how.
        settings: switches of the output.
        reading: how payloads are read.
        keep_all: map what the profile doesn't want too.
        packets: whether only the plans of RADIUS packets are in it, or only those of events; both unless given.
    """
    plans = profile.plans
    encoded = {key: _encode_plan(plans, plan, settings) if packets in (None, key.channel == CHANNEL) else None for key, plan in plans.by_key.items()}
    return orjson.dumps(
        {
            "keep_all": keep_all,
            "strict": reading.mode is Mode.STRICT,
            "zone_offset_minutes": reading.zone_offset_minutes,
            "keys": [tuple(key) for key in sorted(profile.keys)],
            "uid_namespace": plans.uid_namespace,
            "labels": settings.labels,
            "radius": None if packets is False else encode_accounting(plans),
            "plans": [{"key": tuple(key), "plan": plan} for key, plan in encoded.items()],
            "layouts": layout_tables(),
        }
    )


def _encode_plan(plans: Plans, plan: Plan, settings: NormalizeSettings) -> Part | None:
    try:
        return _Writer(plans, plan, settings).part()
    except Unsupported:
        return None


@dataclass(slots=True)
class _Writer:
    """Numbers the paths, names and debug texts of one plan.

    below:  by a path, or what a path lies within: the leaves whose presence makes it present, in their order.
    """

    plans: Plans
    plan: Plan
    settings: NormalizeSettings
    paths: dict[str, int] = field(default_factory=dict)
    names: dict[str, int] = field(default_factory=dict)
    debugs: dict[str, int] = field(default_factory=dict)
    below: dict[str, list[int]] = field(default_factory=dict)
    rows: list[Targeted] = field(init=False)
    booleans: set[str] = field(init=False)

    def __post_init__(self) -> None:
        self.rows = targeted_rows(self.plan.ops)
        self.booleans = boolean_paths(self.plan.ops, self.rows, self.plan.const)

    def part(self) -> Part:
        plan, ocsf = self.plan, self.plan.ocsf_class
        others, filled = set(self.others()), set(filled_paths(plan.ops))
        written = {path for _, paths in self.rows for path in paths if not path.startswith(UNMAPPED)}
        facts = self.facts()
        numbers = {plan.activity or 0, *activities_of(plan.ops)}
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
        demand(facts.keys().isdisjoint(others | captioned | made) and made.isdisjoint(others | captioned))
        every = {*settled, *plan.const, *changing, *made, *written, *filled, *others, *captioned}
        demand(not any(path.startswith(UNMAPPED) or path == "unmapped" for path in every))
        self.number({*every, "unmapped"})
        ops = [self.op(op) for op in plan.ops]
        index = {"status_id": "status_id", "event_code": "metadata.event_code", "computer": "device.hostname", "address": "device.ip"}
        needed = {*index.values(), *SESSION.values(), *(path for path, _ in self.plans.observables), *(path for path, _, _ in captions)}
        self.read_as_number("time")
        uids = [self.uid(uid) for uid in plan.uids]
        demand(bool(uids) and plan.uids[-1].need is None)
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
            "session": {name: self.paths.get(path) for name, path in SESSION.items()},
            "made": {path.rpartition(".")[2]: self.paths[path] for path in (*made, "unmapped")},
            "layout": encode_layout(self.paths, settled),
            "names": [{"name": name, "mapped": name in plan.mapped} for name in self.names],
            "debugs": [f"filled: {debug}" for debug in self.debugs],
        }
        demand(len(self.paths) <= MAX_LEAVES and len(self.names) <= MAX_NAMES and len(self.debugs) <= MAX_DEBUGS)
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
            self.paths[path] = leaf = len(self.paths)
            for within in _withins(path):
                self.below.setdefault(within, []).append(leaf)
        demand(all(len(self.below[path]) == 1 for path in paths))  # none lies within another

    def any_below(self, paths: Iterable[str]) -> list[int]:
        return sorted({leaf for path in paths for leaf in self.below.get(path, ())})

    def debug(self, path: str) -> int:
        return self.debugs.setdefault(path, len(self.debugs))

    def constants(self, values: Mapping[str, Json]) -> list[tuple[int, Part]]:
        return [(self.paths[path], encode_constant(value)) for path, value in values.items()]

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
        demand(path not in self.booleans)

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
                        "test": self.test(branch),
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
                        "when": self.below.get(op.when, []) if op.when else None,
                        "debug": self.debug(op.debug) if op.debug else None,
                        "constants": self.constants(op.constants),
                    }
                }

    def test(self, branch: Branch) -> str | None:
        if branch.test is None:
            return None
        name = name_of(TESTS, branch.test)
        demand(name in NATIVE_TESTS)
        return name

    def row(self, row: Row) -> Part:
        demand(len(row.inputs) <= MAX_INPUTS)
        options = row.options
        demand(not (isinstance(options.value, list) and row.to.startswith(UNMAPPED)))  # leftovers would join the constant
        return {
            "transforms": [{"name": name, "to": [self.target(path, name) for path in paths]} for name, paths in targets_of(row)],
            "inputs": [self.input(source) for source in row.inputs],
            "unless": self.any_below(row.unless),
            "table": {text: encode_constant(value) for text, value in options.table.items()},
            "value": None if options.value is None else encode_constant(options.value),
            "default": options.default,
            "dollar": options.dollar,
        }

    def target(self, path: str, transform: str) -> Part:
        if path.startswith(UNMAPPED):
            return {"unmapped": path.removeprefix(UNMAPPED)}
        return {"leaf": self.paths[path], "other": self.paths[path.removesuffix("_id")] if transform == "enum" else None}

    def others(self) -> Iterator[str]:
        """The captions that `enum` may write."""
        for row, _ in self.rows:
            for name, paths in targets_of(row):
                if name == "enum":
                    demand(all(path.endswith("_id") and not path.startswith(UNMAPPED) for path in paths))
                    yield from (path.removesuffix("_id") for path in paths)


@cache
def _steps(path: str) -> list[bytes]:
    return [step.encode() for step in path.split(".")]


@cache
def _withins(path: str) -> list[str]:
    """A path, and all that it lies within."""
    return list(accumulate(path.split("."), "{}.{}".format))
