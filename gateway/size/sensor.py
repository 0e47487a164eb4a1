"""Whether sensors fit their machines: busy packets/s against the product's tables, in the words of its sizing tool.

    missing traffic data          less than one window was logged
    no                            beyond the table
    missing core data, RAM data   what the machine has free wasn't said
    maybe                         above 60,000 packets/s, or the busiest window is far above the mean: what ran then may be kept from running
    ..., with more resources      the machine has less free than the sensor needs
    yes                           it fits

The tool looks at the operating system too ("missing OS data"); nothing here knows it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gateway.size.capacity import Capacity, Profile, Step, find_step
from gateway.size.packets import WHOLE_ENOUGH, Traffic


class Verdict(StrEnum):
    """What the product's sizing tool says, and so do we, of a gateway too."""

    YES = "yes"
    YES_WITH_MORE = "yes, with more resources"
    MAYBE = "maybe"
    MAYBE_WITH_MORE = "maybe, with more resources"
    NO = "no"
    NO_TRAFFIC = "missing traffic data"
    NO_MEMORY = "missing RAM data"
    NO_CORES = "missing core data"

    @property
    def fits(self) -> bool:
        """Whether nothing has to be done, as far as is known: what a machine has free needn't be said."""
        return self in (Verdict.YES, Verdict.MAYBE, Verdict.NO_MEMORY, Verdict.NO_CORES)


JUDGED: Final = {
    (False, False): Verdict.YES,
    (False, True): Verdict.YES_WITH_MORE,
    (True, False): Verdict.MAYBE,
    (True, True): Verdict.MAYBE_WITH_MORE,
}
"""By whether it is unsure, and whether the machine has too little."""


@dataclass(frozen=True, slots=True)
class Free:
    """What a machine has left at its busiest, None where that wasn't said: physical cores, GB of memory."""

    cores: float | None = None
    memory_gb: float | None = None


@dataclass(frozen=True, slots=True)
class SensorSize:
    """A sensor on a domain controller.

    traffic:  what it sees.
    needs:    by the table; None beyond it, or where nothing is known.
    notes:    what else one has to know.
    """

    traffic: Traffic
    needs: Step | None
    verdict: Verdict
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StandaloneSize:
    """One standalone sensor that sees all of it: packets/s together, and the machine for it; None where one can't."""

    packets: float
    needs: Step | None


@dataclass(frozen=True, slots=True)
class SensorPlan:
    """All sensors.

    count:       how many there are to be, one for each domain controller.
    limit:       of an instance.
    sensors:     those whose traffic is known.
    standalone:  instead of them.
    """

    profile: str
    count: int
    limit: int
    sensors: tuple[SensorSize, ...]
    standalone: StandaloneSize | None

    @property
    def too_many(self) -> bool:
        return self.count > self.limit


def plan_sensors(traffics: tuple[Traffic, ...], *, capacity: Capacity, profile: Profile, free: Free, count: int | None) -> SensorPlan:
    """Size each; `count` is how many there are altogether, those whose traffic is known if None."""
    sizes = tuple(size_sensor(traffic, capacity, profile, free) for traffic in traffics)
    together = sum(traffic.busy for traffic in traffics)
    standalone = StandaloneSize(together, find_step(capacity.standalone.steps, together)) if traffics else None
    return SensorPlan(profile.name, max(count or 0, len(sizes)), profile.sensors, sizes, standalone)


def size_sensor(traffic: Traffic, capacity: Capacity, profile: Profile, free: Free) -> SensorSize:
    """One of them."""
    rule, busy = capacity.busy, traffic.busy
    if traffic.seconds < rule.window_s:
        note = (
            f"{traffic.seconds / 60:.1f} minutes were logged, of {rule.whole_s / 3600:.0f} hours: the busiest {rule.window_s / 60:.0f} minutes can't be known"
        )
        return SensorSize(traffic, None, Verdict.NO_TRAFFIC, (note,))
    needs, notes = find_step(profile.steps, busy), list(_doubts(traffic, capacity))
    if needs is None:
        notes.append(f"the table ends at {profile.steps[-1].up_to:,.0f} packets/s; see what ran then, or divide the traffic among more domain controllers")
        return SensorSize(traffic, None, Verdict.NO, tuple(notes))
    unsure = busy > capacity.maybe.packets or busy > capacity.maybe.peak_factor * traffic.mean
    if unsure:
        why = f"more than {capacity.maybe.packets:,.0f}" if busy > capacity.maybe.packets else f"far above the mean of {traffic.mean:,.0f}"
        notes.append(f"{busy:,.0f} packets/s are {why}: see what ran then, and whether it has to")
    if free.cores is None or free.memory_gb is None:
        notes.append("--cores and --memory say what the domain controller has free")
    return SensorSize(traffic, needs, _judge(needs, free, unsure=unsure), tuple(notes))


def _judge(needs: Step, free: Free, *, unsure: bool) -> Verdict:
    if free.cores is None:
        return Verdict.NO_CORES
    if free.memory_gb is None:
        return Verdict.NO_MEMORY
    return JUDGED[unsure, free.cores < needs.cores or free.memory_gb < needs.memory_gb]


def _doubts(traffic: Traffic, capacity: Capacity) -> list[str]:
    rule, doubts = capacity.busy, []
    if traffic.seconds < WHOLE_ENOUGH * rule.whole_s:
        doubts.append(f"{traffic.seconds / 3600:.1f} hours were logged of {rule.whole_s / 3600:.0f}: there may be a busier time")
    if traffic.interval > rule.window_s / 10:
        doubts.append(f"a sample every {traffic.interval:.0f} s is coarse; every 5 s is usual")
    return doubts
