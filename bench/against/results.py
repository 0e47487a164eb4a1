"""The report: medians and ratios of interleaved rounds, with the facts of the machine they were measured on."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Final

from rounds import Round
from rows import US, Row
from support import peers

HEAD: Final = """# What the same work costs Tidegate and its peers

`make bench` wrote this file; `bench/against/` says how, docs/performance.md what it means. CPU microseconds per message are those of the receiver's
processes, user and system, over a whole run; the figure is the median of the rounds, which were run in turn. The ratio is the median of each round's
own. Tidegate runs whole: headers parsed, OCSF written, every record in the spool at synchronous=FULL; the peers filter, extract fields and write a
file of JSON. Memory is the peak resident set.

"""


def render(rows: Mapping[str, Row], measured: Mapping[str, Mapping[str, Sequence[Round]]]) -> str:
    """The Markdown page."""
    lines = [HEAD, *(f"- {fact}\n" for fact in _machine()), "\n"]
    lines += ["| work | receiver | CPU us/message | MB | ratio | promised | aim | |\n", "|---|---|---|---|---|---|---|---|\n"]
    for name, rounds in measured.items():
        row = rows[name]
        for contender, found in rounds.items():
            lines.append(_line(row, contender, found, rounds[US]))
    return "".join(lines)


def _line(row: Row, contender: str, found: Sequence[Round], ours: Sequence[Round]) -> str:
    cost, peak, note = median(one.us_per_message for one in found), max(one.cost.peak_mb for one in found), found[-1].note
    least, aim = row.bars.get(contender, (None, None))
    ratio = "" if contender == US else f"**{_ratio(found, ours):.1f}x**"
    promised = "" if least is None else f"{least:g}x"
    aimed = "" if aim is None else f"{aim:g}x"
    work = f"{row.work} ({row.workload[1]:,} messages, {len(found)} rounds)" if contender == US else ""
    return f"| {work} | {contender} | {cost:.2f} | {peak:.0f} | {ratio} | {promised} | {aimed} | {note} |\n"


def _ratio(theirs: Sequence[Round], ours: Sequence[Round]) -> float:
    return median(their.us_per_message / our.us_per_message for their, our in zip(theirs, ours, strict=True))


def missed(rows: Mapping[str, Row], measured: Mapping[str, Mapping[str, Sequence[Round]]]) -> list[str]:
    """What is promised and wasn't reached, in words."""
    found = []
    for name, rounds in measured.items():
        for contender, (least, _) in rows[name].bars.items():
            if (ratio := _ratio(rounds[contender], rounds[US])) < least:
                found.append(f"{name}: {ratio:.1f}x {contender}, promised {least:g}x")
    return found


def _machine() -> list[str]:
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())
    cores = f"{os.cpu_count()} cores of {cpu[1] if cpu else platform.machine()}"
    gigabytes = f"{int(memory[1]) / (1 << 20) if memory else 0:.0f} GB"
    syslog = f"rsyslog {_version(peers.rsyslogd(), '-v', r'rsyslogd +([0-9.]+)')}, syslog-ng {_syslog_ng()}"
    radius = f"FreeRADIUS {_version(peers.freeradius(), '-v', r'Version ([0-9.]+)')}"
    return [
        f"{datetime.now(UTC):%Y-%m-%d}; {cores}, {gigabytes}; sender and receiver share them",
        f"Linux {platform.release()}, CPython {platform.python_version()}, trio {version('trio')}, SQLite of apsw {version('apsw')}",
        f"{syslog}, {radius}, evtx {version('evtx')}, python-evtx {version('python-evtx')}",
    ]


def _version(peer: peers.Peer, option: str, pattern: str) -> str:
    out = subprocess.run([*peer.command, option], env=peer.environment, capture_output=True, text=True, check=False).stdout  # noqa: S603 - a peer
    found = re.search(pattern, out)
    return found[1] if found else "?"


def _syslog_ng() -> str:
    return _version(peers.Peer((str(peers.ROOT / "usr/sbin/syslog-ng"),), peers.unpacked_environment()), "-V", r"\(([0-9.]+)\)")
