"""How many gateways events need, and what machine and disk each: their rates against what `tidegate bench` measured.

cores     CPU a measured event, and for each destination what handing it on takes (which isn't measured), times the rate; and what commits cost besides
memory    what a gateway took idle, and what each kind of event added at its peak
spool     what waits while a destination is away: the rate, for as long, as a record takes when it comes alone
archive   what a file destination writes: the rate, for as long, as lines of JSON

yes       it has been measured at such rates, and half a core is enough
maybe     more than was measured, or more than half a core: one gateway may do it, with nothing to spare
no        more than one core has: divide the senders among gateways
..., with more resources    this machine has less than that
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.bench.report import Measured, Report
from gateway.size.capacity import GatewayPlan
from gateway.size.sensor import JUDGED, Verdict
from pipeline.errors import ConfigError

ONE_CORE: Final = 1.0
MIB: Final = 1 << 20
GIB: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class Demand:
    """So many events a second of a kind, which is the name of a row of `tidegate bench`."""

    kind: str
    rate: float


@dataclass(frozen=True, slots=True)
class GatewaySize:
    """What events need.

    busy_cores:     that all of it keeps busy on average.
    gateways:       to divide them among.
    cores:          of the machine of each.
    memory_mb:      likewise.
    spool_octets:   disk of each, for what waits while a destination is away.
    archive_octets: disk for what a file destination keeps, altogether.
    notes:          why, and what else one has to know.
    """

    busy_cores: float
    gateways: int
    cores: int
    memory_mb: int
    spool_octets: int
    archive_octets: int
    verdict: Verdict
    notes: tuple[str, ...]


def size_gateway(demands: Sequence[Demand], report: Report, plan: GatewayPlan, *, destinations: int, outage_s: float, retention_s: float) -> GatewaySize:
    """Plan for these rates, and so many destinations.

    Raises:
        ConfigError: a kind wasn't measured.
    """
    pairs = [(demand.rate, _measured(demand.kind, report)) for demand in demands]
    busy = sum(rate * (row.cpu_us + destinations * plan.destination_us) for rate, row in pairs) / 1e6 + plan.commits_cores
    gateways = max(1, math.ceil(busy / ONE_CORE))
    if gateways > 1:
        gateways = math.ceil(busy / plan.core_share)
    each = busy / gateways
    cores = max(plan.cores, math.ceil(each / plan.core_share))
    grown = max(row.idle_mb for _, row in pairs) + sum({row.row: max(0.0, row.peak_mb - row.idle_mb) for _, row in pairs}.values())
    memory_mb = max(plan.memory_mb, _round_up(grown + plan.system_mb, 256))
    records = sum(rate * row.record_octets for rate, row in pairs)
    spool = int(records / gateways * outage_s * plan.stored_share * plan.slack) + plan.beside_mb * MIB
    notes = list(_notes(pairs, busy, gateways, plan))
    unsure = len(notes) > 0
    short = list(_shortages(cores, memory_mb, report))
    verdict = Verdict.NO if gateways > 1 else JUDGED[unsure, bool(short)]
    return GatewaySize(round(busy, 3), gateways, cores, memory_mb, spool, int(records * retention_s), verdict, (*notes, *short))


def _measured(kind: str, report: Report) -> Measured:
    found = next((row for row in report.rows if row.row == kind), None)
    if found is None:
        raise ConfigError(
            f"--events-per-second {kind}", "wasn't measured", f"choose of {', '.join(row.row for row in report.rows) or 'nothing'}, or measure it"
        )
    if not found.events or found.rejected:
        raise ConfigError(f"--events-per-second {kind}", "was measured without success", "measure it again")
    return found


def _notes(pairs: Sequence[tuple[float, Measured]], busy: float, gateways: int, plan: GatewayPlan) -> list[str]:
    notes = []
    if gateways > 1:
        notes.append(f"{busy:.1f} cores are more than one gateway's event loop has: divide the senders among {gateways}")
    elif busy > plan.core_share:
        notes.append(f"{busy:.2f} of a core is more than the {plan.core_share:.2f} that leave room for bursts")
    for row in {row.row: row for _, row in pairs}.values():
        rate = sum(rate for rate, other in pairs if other is row)
        if rate > row.rate:
            notes.append(f"{row.row}: {rate:,.0f} events/s are more than the {row.rate:,.0f} that were measured, with the sender beside it")
    return notes


def _shortages(cores: int, memory_mb: int, report: Report) -> list[str]:
    host, found = report.host, []
    if host.cores < cores:
        found.append(f"the machine that was measured has {host.cores:g} cores")
    if host.memory_mb and host.memory_mb < memory_mb:
        found.append(f"the machine that was measured has {host.memory_mb / 1024:.1f} GB of memory")
    return found


def _round_up(amount: float, step: int) -> int:
    return math.ceil(amount / step) * step
