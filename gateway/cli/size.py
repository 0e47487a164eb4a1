"""`tidegate size`: what sensors and gateways need."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.bench import FolderOption, SecondsOption
from gateway.cli.run import ConfigOption, SetOption, parse_assignments
from gateway.cli.spool import JsonOption

if TYPE_CHECKING:  # what a command needs is imported when it runs
    from gateway.bench.report import Report
    from gateway.config import Config
    from gateway.size.gateway import Demand
    from gateway.size.packets import Traffic

MOST = 1e9
PACKETS = "--packets"
EVENTS = "--events-per-second"
PacketsOption = Annotated[
    list[Path] | None, typer.Option(PACKETS, metavar="CSV", help="Times and packets per second of domain controllers, of 24 hours; may be repeated.")
]
EventsOption = Annotated[
    list[str] | None,
    typer.Option(EVENTS, metavar="KIND=RATE", help="Events a second that a gateway gets, by the rows of `tidegate bench`: wef=300; may be repeated."),
]


def size(
    *,
    packets: PacketsOption = None,
    packets_per_second: Annotated[float | None, typer.Option(help="Instead of a CSV: busy packets/s of one domain controller, as it is known.")] = None,
    decimal: Annotated[
        str | None, typer.Option("--decimal", metavar="point|comma", help="What stands before fractions in the CSV, where that can't be known.")
    ] = None,
    profile: Annotated[str, typer.Option("--profile", help="By whose tables: aatp-2020, or mdi-current.")] = "aatp-2020",
    cores: Annotated[float | None, typer.Option(min=0, help="Physical cores that each domain controller has free when it is busy.")] = None,
    memory: Annotated[str | None, typer.Option(metavar="SIZE", help="Memory that it has free, as '8 GiB'.")] = None,
    sensors: Annotated[int | None, typer.Option(min=0, help="How many sensors there will be altogether.")] = None,
    events_per_second: EventsOption = None,
    destinations: Annotated[int, typer.Option(min=0, max=64, help="How many destinations a gateway forwards to.")] = 1,
    outage: Annotated[str, typer.Option(metavar="DURATION", help="How long a destination may be away without anything being lost.")] = "24 h",
    retention: Annotated[str | None, typer.Option(metavar="DURATION", help="How long an archive (a file destination) keeps events.")] = None,
    measured: Annotated[Path | None, typer.Option(metavar="FILE", help="What `tidegate bench --json` wrote on the gateway's machine.")] = None,
    measure: Annotated[bool, typer.Option("--measure", help="Measure this machine now.")] = False,
    seconds: SecondsOption = 2.0,
    folder: FolderOption = None,
    config: ConfigOption = None,
    assignments: SetOption = None,
    as_json: JsonOption = False,
) -> int:
    r"""Say whether sensors fit their domain controllers, and what gateways need: cores, memory, disk.

    Log a domain controller's packets per second for a day with

    typeperf "\Network Interface(*)\Packets/sec" -si 5 -sc 17280 -o packets.csv

    or export them from anywhere as two columns, time and packets/s. Exit code 1 says that something doesn't fit.
    """
    import os

    from gateway.config import load, locate
    from gateway.size.capacity import load_capacity
    from gateway.size.gateway import size_gateway
    from gateway.size.report import Sizing, encode_sizing, render_sizing
    from gateway.size.sensor import Free, plan_sensors
    from pipeline.settings import parse_duration, parse_size

    def quantity(option: str, text: str) -> float:
        try:
            return parse_size(text) if option == "--memory" else parse_duration(text)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint=option) from error

    capacity = load_capacity()
    free = Free(cores, None if memory is None else quantity("--memory", memory) / 2**30)
    demands = _parse_demands(events_per_second)
    outage_s, retention_s = quantity("--outage", outage), 0.0 if retention is None else quantity("--retention", retention)
    if not (packets or packets_per_second is not None or sensors is not None or demands):
        raise typer.BadParameter(f"there is nothing to size; give {PACKETS}, --packets-per-second or {EVENTS}", param_hint=PACKETS)
    traffics = _read_traffics(packets or (), packets_per_second, decimal)
    named = capacity.profile(profile)
    plan = plan_sensors(traffics, capacity=capacity, profile=named, free=free, count=sensors) if traffics or sensors is not None else None
    gateway, source = None, ""
    if demands:
        if measure == (measured is not None):
            raise typer.BadParameter("say where figures come from: --measured FILE, or --measure", param_hint="--measured")
        report, source = _report(
            measured, demands, load(locate(config, os.environ), os.environ, parse_assignments(assignments)) if measure else None, seconds, folder
        )
        gateway = size_gateway(demands, report, capacity.gateway, destinations=destinations, outage_s=outage_s, retention_s=retention_s)
    sizing = Sizing(capacity.machine, plan, gateway, source)
    typer.echo((encode_sizing if as_json else render_sizing)(sizing), nl=False)
    return 0 if sizing.fits else 1


def _read_traffics(paths: list[Path] | tuple[()], known: float | None, decimal: str | None) -> tuple[Traffic, ...]:
    from gateway.size.capacity import load_capacity
    from gateway.size.numbers import Decimal
    from gateway.size.packets import Traffic, find_busiest, merge_series, parse_packets
    from gateway.size.table import read_table
    from pipeline.errors import ConfigError

    if decimal is not None and decimal not in list(Decimal):
        raise typer.BadParameter(f"{decimal!r} is not point or comma", param_hint="--decimal")
    if known is not None and not 0 <= known <= MOST:
        raise typer.BadParameter("write a number of packets a second", param_hint="--packets-per-second")
    rule, style = load_capacity().busy, Decimal(decimal) if decimal else None
    series = merge_series([each for path in paths for each in parse_packets(read_table(path), style)])
    found = [find_busiest(each, rule) for each in series]
    if None in found:
        lacking = next(each.machine for each, traffic in zip(series, found, strict=True) if traffic is None)
        raise ConfigError(f"packets of {lacking}", "there isn't one value", "see that the counter exists there, and was logged")
    given = [] if known is None else [Traffic("domain controller", known, 0.0, known, known, 1, 0.0, rule.whole_s)]
    return tuple(traffic for traffic in (*found, *given) if traffic is not None)


def _parse_demands(texts: list[str] | None) -> list[Demand]:
    from gateway.size.gateway import Demand

    found = []
    for text in texts or ():
        kind, _, number = text.partition("=")
        try:
            rate = float(number)
        except ValueError:
            rate = -1.0
        if not kind or not 0 < rate <= MOST:
            raise typer.BadParameter(f"{text!r} is not KIND=RATE, as wef=300 is", param_hint=EVENTS)
        found.append(Demand(kind.strip(), rate))
    return found


def _report(measured: Path | None, demands: list[Demand], config: Config | None, seconds: float, folder: Path | None) -> tuple[Report, str]:
    """The figures, and where they are from."""
    from gateway.bench.report import read_report
    from gateway.cli.measuring import run_measurement

    if measured is not None or config is None:
        found = read_report(measured or Path())
        return found, f"what was measured on {found.host.processor or 'another machine'} at {found.at}, in {measured}"
    rows = ",".join(dict.fromkeys(demand.kind for demand in demands))
    return run_measurement(config, rows=rows, seconds=seconds, noise=0.0, folder=folder), "what was measured on this machine now"
