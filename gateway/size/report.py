"""What `tidegate size` says: for a person, or as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import orjson

from gateway.size.capacity import Machine, Step
from gateway.size.gateway import GIB, GatewaySize
from gateway.size.sensor import SensorPlan, SensorSize, StandaloneSize
from pipeline.escape import escape_text


@dataclass(frozen=True, slots=True)
class Sizing:
    """Everything that was asked.

    machine:   what a machine under a sensor has at least.
    sensors:   None where no traffic was given.
    gateway:   None where no events were given.
    measured:  where the gateway's figures are from.
    """

    machine: Machine
    sensors: SensorPlan | None
    gateway: GatewaySize | None
    measured: str

    @property
    def fits(self) -> bool:
        """Whether nothing has to be done."""
        sensors = self.sensors is None or (not self.sensors.too_many and all(each.verdict.fits for each in self.sensors.sensors))
        return sensors and (self.gateway is None or self.gateway.verdict.fits)


def encode_sizing(sizing: Sizing) -> str:
    """One JSON object; rates are packets or events a second, times ISO 8601, disk in octets."""
    sensors, gateway = sizing.sensors, sizing.gateway
    found = {
        "fits": sizing.fits,
        "sensors": None
        if sensors is None
        else {
            "profile": sensors.profile,
            "count": sensors.count,
            "limit": sensors.limit,
            "each": [
                {**asdict(each.traffic), "begun": _time(each.traffic.begun), "needs": _needs(each.needs), "verdict": each.verdict, "notes": each.notes}
                for each in sensors.sensors
            ],
            "standalone": {"packets": sensors.standalone.packets, "needs": _needs(sensors.standalone.needs)} if sensors.standalone else None,
        },
        "gateway": None if gateway is None else {**asdict(gateway), "measured": sizing.measured},
    }
    return orjson.dumps(found, option=orjson.OPT_INDENT_2).decode() + "\n"


def _needs(step: Step | None) -> dict[str, float] | None:
    return {"cores": step.cores, "memory_gb": step.memory_gb} if step else None


def render_sizing(sizing: Sizing) -> str:
    """A paragraph for the sensors, one for the gateway."""
    lines = []
    if sizing.sensors:
        lines += [*_sensors(sizing.sensors, sizing.machine)]
    if sizing.gateway:
        lines += [*([""] if lines else []), *_gateway(sizing.gateway, sizing.measured)]
    return "".join(f"{escape_text(line)}\n" for line in lines)


def _sensors(plan: SensorPlan, machine: Machine) -> Iterator[str]:
    yield f"Sensors, by the tables of {plan.profile}"
    for each in plan.sensors:
        yield from _sensor(each)
    if plan.standalone:
        yield _standalone(plan.standalone)
    some = f"{plan.count} of at most {plan.limit} an instance takes"
    yield f"  number: {f'{some}: too many; ask for more, or take another instance' if plan.too_many else some}"
    yield f"  a machine under a sensor has at least {machine.cores} cores, {machine.memory_gb:g} GB and {machine.disk_gb:g} GB of disk;"
    yield f"  {machine.free_share:.0%} of its CPU and memory stay free besides, or the sensor drops traffic"


def _sensor(size: SensorSize) -> Iterator[str]:
    traffic = size.traffic
    needs = f"needs {_machine(size.needs)}" if size.needs else "can't be sized"
    yield f"  {traffic.machine}: {size.verdict}; {needs}"
    times = f"busiest from {_time(traffic.begun)}, mean {traffic.mean:,.0f}, peak {traffic.peak:,.0f}" if traffic.samples > 1 else "as given"
    yield f"    {traffic.busy:,.0f} busy packets/s ({times})"
    for note in size.notes:
        yield f"    {note}"


def _machine(needs: Step) -> str:
    return f"{needs.cores:g} {'core' if needs.cores == 1 else 'cores'}, {needs.memory_gb:g} GB"


def _standalone(size: StandaloneSize) -> str:
    needs = f"a machine of {_machine(size.needs)}" if size.needs else "more than one can take; take several"
    return f"  one standalone sensor for all, {size.packets:,.0f} busy packets/s at most: {needs}"


def _gateway(size: GatewaySize, measured: str) -> Iterator[str]:
    yield f"Gateway, by {measured}"
    machines = "a machine" if size.gateways == 1 else f"{size.gateways} machines, each"
    yield f"  {size.verdict}; {machines} of {size.cores} cores, {size.memory_mb / 1024:g} GB; busy {size.busy_cores:.2f} cores on average"
    yield f'  spool: {_gib(size.spool_octets)}{"" if size.gateways == 1 else " each"}, [spool] max_bytes = "{max(1, -(-size.spool_octets // GIB))} GiB"'
    if size.archive_octets:
        yield f"  archive: {_gib(size.archive_octets)} where a file destination keeps it, as lines of JSON, not compressed"
    for note in size.notes:
        yield f"  {note}"


def _gib(octets: int) -> str:
    return f"{octets / GIB:,.1f} GiB"


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
