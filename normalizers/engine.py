"""The reference engine: runs a plan over one source. This is the specification of what mapping rows mean.

    1. Rows run in order. One with no input present does nothing; its transforms are tried in order, and the first that accepts is written.
    2. The first write to a path holds; a row that would write any path twice is refused as a whole, and takes nothing.
    3. Of names that repeat in the payload, rows read the first. What no row took goes to `unmapped` under its own name, missing values never.
    4. Fills run last and set constants where none of some paths, nor anything below them, is present; `debug` says what was invented.

Numbers of the class, captions, observables, metadata.uid and times of arrival come from here, not from rows. An `activity_name` that a row wrote holds: OCSF
wants that of activity 99 in the source's words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from normalizers.plan import Choice, Fill, Input, Json, Op, Other, Plan, Plans, Row, Scalar, Where
from normalizers.settings import NormalizeSettings
from normalizers.source import Source
from normalizers.transforms.texts import OTHER_ID
from normalizers.uid import make_uid

BLANK: Final = " \t\r\n"
UNMAPPED: Final = "unmapped."
MAX_RAW: Final = 64 * 1024
CONTINUATION: Final = 0x80

_INSERT: Final = re.compile(r"%%[0-9]+")


@dataclass(frozen=True, slots=True)
class Mapped:
    """One record and what its index entry says of it.

    record:     the OCSF event.
    uid:        metadata.uid, 16 octets.
    weak:       the uid may be shared by different events.
    computer:   device.hostname, else device.ip.
    """

    record: Mapping[str, Json]
    uid: bytes
    weak: bool
    class_uid: int
    event_code: str
    status_id: int
    time_ms: int
    computer: str


def map_event(plans: Plans, plan: Plan, source: Source, settings: NormalizeSettings, raw: bytes = b"") -> Mapped:
    """Map one event to one record.

    Args:
        plans: what all plans share.
        plan: the event's own.
        source: the event.
        settings: switches of the output.
        raw: the message, for `raw_data`.
    """
    return _Run(plans, plan, source, settings).mapped(raw)


class _Run:
    """One event's way through its plan: `out` by path, the names taken, what was invented, captions that must be written."""

    __slots__ = ("activity", "filled", "first", "others", "out", "plan", "plans", "settings", "source", "taken", "unmapped")

    def __init__(self, plans: Plans, plan: Plan, source: Source, settings: NormalizeSettings) -> None:
        self.plans, self.plan, self.source, self.settings = plans, plan, source, settings
        self.activity = plan.activity
        self.out: dict[str, Json] = dict(plan.const)
        self.others: dict[str, str] = {}
        self.unmapped: dict[str, Json] = {}
        self.filled: list[str] = []
        self.taken: set[str] = set()
        self.first: dict[str, int] = {}
        for index, (name, _) in enumerate(source.payload):
            self.first.setdefault(name, index)

    def is_missing(self, text: str, *, mapped: bool) -> bool:
        bare = text.strip(BLANK)
        return not bare or bare in self.plan.missing or (mapped and _INSERT.fullmatch(bare) is not None)

    def read(self, source: Input) -> Scalar | None:
        match source.where:
            case Where.WRITTEN:
                written = self.out.get(source.name)
                return written if isinstance(written, str | int) else None
            case Where.ENVELOPE:
                value = self.source.envelope.get(source.name)
            case _:
                index = self.first.get(source.name)
                value = None if index is None else self.source.payload[index][1]
        return None if isinstance(value, str) and self.is_missing(value, mapped=True) else value

    def present(self, path: str) -> bool:
        return path in self.out or any(other.startswith(path + ".") for other in self.out)

    def run(self, ops: Sequence[Op]) -> None:
        for op in ops:
            match op:
                case Row():
                    self.row(op)
                case Choice():
                    self.choice(op)
                case Fill():
                    self.fill(op)

    def choice(self, choice: Choice) -> None:
        for branch in choice.branches:
            if branch.test is not None:
                value = self.read(branch.of)
                if value is None or not branch.test(str(value), branch.values):
                    continue
            self.activity = self.activity if branch.activity is None else branch.activity
            self.run(branch.ops)
            return

    def fill(self, fill: Fill) -> None:
        if any(map(self.present, fill.unless)) or (fill.when and not self.present(fill.when)):
            return
        self.out |= fill.constants
        if fill.debug:
            self.filled.append(fill.debug)

    def row(self, row: Row) -> None:
        values = [self.read(source) for source in row.inputs]
        if (values and all(value is None for value in values)) or any(map(self.present, row.unless)):
            return
        written = next((written for transform in row.transforms if (written := transform(values, row.options)) is not None), None)
        if written is None:
            return
        paths = {f"{row.to}.{suffix}".strip("."): value for suffix, value in written.items()}
        if not paths.keys().isdisjoint(self.out):
            return
        self.taken.update(source.name for source in row.inputs if source.where is Where.PAYLOAD)
        for path, value in paths.items():
            self.write(path, value)

    def write(self, path: str, value: Json | Other) -> None:
        if isinstance(value, Other):
            self.out[path], self.others[path] = OTHER_ID, value.text
        elif path.startswith(UNMAPPED):
            self.unmapped[path.removeprefix(UNMAPPED)] = value
        else:
            self.out[path] = value

    def mapped(self, raw: bytes) -> Mapped:
        self.run(self.plan.ops)
        time = self.out.get("time")
        if not isinstance(time, int):
            time = self.source.arrival_ms
            self.filled.append("time")
        ocsf, activity = self.plan.ocsf_class, self.activity or 0
        uid, weak = make_uid(self.plans.uid_namespace, self.plan.uids, self.read, self.source.payload, timed="time" not in self.filled)
        self.out |= {
            "time": time,
            "activity_id": activity,
            "category_uid": ocsf.category_uid,
            "class_uid": ocsf.uid,
            "severity_id": self.plans.severity_id,
            "type_uid": ocsf.uid * 100 + activity,
            "metadata.logged_time": self.source.arrival_ms,
            "metadata.uid": str(uid),
            "metadata.version": self.plans.version,
        }
        if self.plan.message:
            self.out["message"] = self.plan.message
        if self.filled:
            self.out["metadata.debug"] = [f"filled: {path}" for path in self.filled]
        self.configured(weak=weak, raw=raw)
        self.captions(activity)
        self.leftovers()
        if self.settings.observables and (found := self.observables()):
            self.out["observables"] = found
        record = _tree(self.out)
        if self.unmapped:
            record["unmapped"] = self.unmapped
        status = self.out.get("status_id")
        return Mapped(
            record=record,
            uid=uid.bytes,
            weak=weak,
            class_uid=ocsf.uid,
            event_code=str(self.out.get("metadata.event_code", "")),
            status_id=status if isinstance(status, int) else 0,
            time_ms=time,
            computer=str(self.out.get("device.hostname") or self.out.get("device.ip", "")),
        )

    def configured(self, *, weak: bool, raw: bytes) -> None:
        labels = [*self.settings.labels, *self.source.labels, *(["uid:weak"] if weak else [])]
        if labels:
            self.out["metadata.labels"] = labels
        if self.settings.tenant_uid:
            self.out["metadata.tenant_uid"] = self.settings.tenant_uid
        if self.settings.raw_data and raw:
            self.out |= _raw_data(raw)

    def captions(self, activity: int) -> None:
        """The name beside each number; that of 99 always, since it carries the source's value."""
        for path, text in self.others.items():
            self.out[path.removesuffix("_id")] = text
        if not self.settings.captions:
            return
        ocsf = self.plan.ocsf_class
        label = ocsf.activities[activity]
        self.out.setdefault("activity_name", label)
        self.out |= {"category_name": ocsf.category_name, "class_name": ocsf.name, "type_name": f"{ocsf.name}: {label}"}
        for path, names in self.plans.captions.items():
            number = self.out.get(path)
            if isinstance(number, int) and number in names:
                self.out[path.removesuffix("_id")] = names[number]

    def leftovers(self) -> None:
        """Rule 3: whatever no row took."""
        for index, (name, text) in enumerate(self.source.payload):
            bound = name in self.taken and self.first[name] == index
            if bound or self.is_missing(text, mapped=name in self.plan.mapped):
                continue
            before = self.unmapped.get(name)
            if before is None:
                self.unmapped[name] = text
            elif isinstance(before, list):
                self.unmapped[name] = [*before, text]  # anew: the list may be a constant of the plan
            else:
                self.unmapped[name] = [before, text]

    def observables(self) -> list[Json]:
        seen: set[tuple[int, str]] = set()
        found: list[Json] = []
        names = self.plans.captions["observables.type_id"]
        for path, type_id in self.plans.observables:
            value = self.out.get(path)
            if not isinstance(value, str) or path in self.filled or (type_id, value) in seen:
                continue
            seen.add((type_id, value))
            found.append({"name": path, "type": names[type_id], "type_id": type_id, "value": value})
        return found


def _raw_data(raw: bytes) -> dict[str, Json]:
    """The message as text, cut between characters; `raw_data_size` counts the octets before the cut."""
    cut = min(len(raw), MAX_RAW)
    while cut < len(raw) and cut > MAX_RAW - 4 and raw[cut] & 0xC0 == CONTINUATION:
        cut -= 1
    found: dict[str, Json] = {"raw_data": raw[:cut].decode("utf-8", "replace"), "raw_data_size": len(raw)}
    return {**found, "metadata.is_truncated": True} if cut < len(raw) else found


def _tree(paths: Mapping[str, Json]) -> dict[str, Json]:
    """Dotted paths to nested objects."""
    tree: dict[str, Json] = {}
    for path, value in paths.items():
        node = tree
        *above, leaf = path.split(".")
        for step in above:
            node = cast("dict[str, Json]", node.setdefault(step, {}))
        node[leaf] = value
    return tree
