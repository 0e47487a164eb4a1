"""The table: which work, who is measured at it, and what is promised of the ratio."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from receivers import freeradius, python_path, rsyslog, syslog_ng, tidegate
from rounds import Round, accounting, datagrams, read_file, receive, stream
from wef import forward
from workload import Workload, prepare

US: Final = "Tidegate"
PACE: Final = 60_000
EVTX_FEW: Final = 1000
PYTHON_EVTX: Final = "import sys\nfrom Evtx.Evtx import Evtx\nwith Evtx(sys.argv[1]) as log:\n    print(sum(len(record.xml()) for record in log.records()))\n"
EVTX: Final = (
    "import sys\nfrom evtx import PyEvtxParser\nprint(sum(len(record['data']) for record in PyEvtxParser(sys.argv[1], number_of_threads=1).records()))\n"
)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the report.

    work:        in words.
    workload:    its name, and how many messages.
    contenders:  who takes part: a round of each, by name; US is among them.
    bars:        by contender, the ratio that is promised of us and the one that is aimed at; None where the aim is another's.
    """

    work: str
    workload: tuple[str, int]
    contenders: Mapping[str, Callable[[Workload], Round]]
    bars: Mapping[str, tuple[float, float | None]]


def _evtx_link(workload: Workload) -> Path:
    """The file under the ending that replay knows."""
    link = workload.path.with_suffix(".evtx")
    link.unlink(missing_ok=True)
    link.symlink_to(workload.path.name)
    return link


def _replay(workload: Workload) -> Round:
    arguments = [sys.executable, "-m", "gateway", "replay", str(_evtx_link(workload))]
    return read_file(arguments, {"PYTHONPATH": python_path(), "TIDEGATE_ENGINE": "native"}, workload.messages)


def _library(script: str, workload: Workload, *, records: int | None = None) -> Round:
    few = workload if records is None else prepare("evtx", records)
    return read_file([sys.executable, "-c", script, str(few.path)], {}, few.messages)


TCP: Final = partial(tidegate, listener="listeners.syslog tcp")
UDP: Final = partial(tidegate, listener="listeners.syslog udp")
RADIUS: Final = partial(tidegate, listener="listeners.radius udp")

ROWS: Final[Mapping[str, Row]] = {
    "tcp-xml": Row(
        "TCP octet-counted XML, 10% wanted",
        ("xml", 300_000),
        {US: partial(receive, TCP, stream), "rsyslog": partial(receive, rsyslog, stream), "syslog-ng": partial(receive, syslog_ng, stream)},
        {"rsyslog": (8, 12), "syslog-ng": (10, 15)},
    ),
    "tcp-xml-all": Row(
        "the same with every event wanted",
        ("xml-all", 100_000),
        {US: partial(receive, TCP, stream), "rsyslog": partial(receive, rsyslog, stream)},
        {"rsyslog": (3, 5)},
    ),
    "tcp-cef": Row(
        "CEF over TCP, 10% wanted",
        ("cef", 300_000),
        {US: partial(receive, TCP, stream), "syslog-ng": partial(receive, partial(syslog_ng, cef=True), stream)},
        {"syslog-ng": (4, 6)},
    ),
    "udp-xml": Row(
        f"UDP XML, 10% wanted, {PACE:,} a second",
        ("datagrams", 200_000),
        {
            US: partial(receive, UDP, partial(datagrams, rate=PACE)),
            "rsyslog, queue": partial(receive, partial(rsyslog, udp=True), partial(datagrams, rate=PACE)),
        },
        {"rsyslog, queue": (4, 6)},
    ),
    "udp-limit": Row(
        "UDP XML, 10% wanted, as fast as the sender can",
        ("datagrams", 200_000),
        {
            US: partial(receive, UDP, partial(datagrams, rate=None)),
            "rsyslog, queue": partial(receive, partial(rsyslog, udp=True), partial(datagrams, rate=None)),
        },
        {},
    ),
    "radius": Row(
        "RADIUS accounting to OCSF, answered after commit, 512 outstanding (FreeRADIUS: 64, more it loses)",
        ("radius", 60_000),
        {US: partial(receive, RADIUS, partial(accounting, window=512)), "FreeRADIUS": partial(receive, freeradius, partial(accounting, window=64))},
        {"FreeRADIUS": (5, 8)},
    ),
    "evtx": Row(
        "EVTX replay to OCSF, every event wanted",
        ("evtx", 200_000),
        {
            US: _replay,
            "evtx, reading alone": partial(_library, EVTX),
            "python-evtx, reading alone": partial(_library, PYTHON_EVTX, records=EVTX_FEW),
        },
        {"python-evtx, reading alone": (500, None), "evtx, reading alone": (0.5, None)},
    ),
    "wef": Row(
        "WEF over TLS, batches of 200, every event wanted",
        ("wef", 20_000),
        {US: partial(forward, engine="native"), "our reference engine": partial(forward, engine="reference")},
        {"our reference engine": (10, None)},
    ),
}
