"""The demo's records as lines for a person to read: when, which event, where, what, how it ended, who and whom."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import orjson

from pipeline.escape import escape_text

HEADING: Final = "time      event    computer         what                              status   who"
SHORT: Final = {"Interim-Update": "Interim", "Accounting-On": "On", "Accounting-Off": "Off"}
"""Names of events that fit the column of Windows' event IDs."""


@dataclass(slots=True)
class Reader:
    """Reads the records that a file has grown by.

    shown:  how many it showed.
    """

    path: Path
    offset: int
    shown: int = 0

    def show(self, *, colour: bool) -> None:
        """A line on stdout for each new one."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(self.offset)
            lines = file.read()
        whole = lines[: lines.rfind(b"\n") + 1]
        self.offset += len(whole)
        for line in whole.splitlines():
            sys.stdout.write(f"{describe_record(line, colour=colour)}\n")
            self.shown += 1
        sys.stdout.flush()


def describe_record(line: bytes, *, colour: bool) -> str:
    """One OCSF record as a line."""
    record = orjson.loads(line)
    time = datetime.fromtimestamp(record["time"] / 1000).astimezone()
    status = record.get("status", "")
    tint = {"Failure": "\x1b[31m{}\x1b[0m", "Success": "\x1b[32m{}\x1b[0m"}.get(status, "{}") if colour else "{}"
    event = record["metadata"].get("event_code", "")
    text = f"{time:%H:%M:%S}  {SHORT.get(event, event)[:7]:7}  {_computer(record)[:15]:15}  {record.get('type_name', '')[:32]:32}  "
    return escape_text(text) + tint.format(f"{status:7}") + "  " + escape_text("  ".join(_parties(record)))


def _computer(record: Mapping[str, Mapping[str, str]]) -> str:
    """The computer it happened on: its name without the domain, else its address."""
    device = record.get("device", {})
    return device.get("hostname", "").partition(".")[0] or device.get("ip", "")


def _parties(record: Mapping[str, Mapping[str, object]]) -> Iterator[str]:
    """Who and what the event is about, in words."""
    person = record.get("user", {}).get("ldap_person", {})
    source, actor = record.get("src_endpoint", {}), record.get("actor", {}).get("user", {})
    named = {
        "": _first(record.get("user", {}), "name") or _first(person, "ldap_cn") or _first(record.get("user", {}), "uid"),
        "from ": _first(source, "hostname", "ip"),
        "as ": _first(record.get("tunnel_interface", {}), "ip"),
        "in ": _first(record.get("group", {}), "name", "uid"),
        "service ": _first(record.get("win_service", {}), "name"),
        "by ": _first(actor, "name", "uid"),
    }
    return (f"{word}{name}" for word, name in named.items() if name)


def _first(table: object, *names: str) -> str:
    return next((str(table[name]) for name in names if table.get(name)), "") if isinstance(table, Mapping) else ""
