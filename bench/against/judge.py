"""Whether a receiver did the work: its output against the workload, read by another parser (expat, through ElementTree).

Of peers: as many lines as events were wanted. Of Tidegate: every wanted event once in the spool, told by computer, channel and record ID
(RADIUS: by session and status), and of a sample, every value of its EventData found in the record.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

import orjson
import trio
from receivers import count_lines
from workload import Workload

from gateway.simulate.events import REQUIRED_IDS
from pipeline.metrics import Metrics
from pipeline.spool.settings import Consumer, SpoolSettings
from pipeline.spool.sqlite import open_spool

SAMPLE: Final = 200
XMLNS: Final = "{http://schemas.microsoft.com/win/2004/08/events/event}"
EVENT: Final = re.compile(rb"<Event .*?</Event>", re.DOTALL)
AS_IT_IS: Final = ("TargetUserName", "SubjectUserName", "SubjectUserSid", "MemberSid", "TargetSid", "ServiceName", "ImagePath", "SChannelName", "MemberName")
"""Values that a record holds unchanged."""


class WrongError(Exception):
    """A receiver didn't do the work."""


def check_lines(output: Path, wanted: int) -> None:
    """A peer's file.

    Raises:
        WrongError: it holds another number of lines.
    """
    if (lines := count_lines(output)) != wanted:
        raise WrongError(f"{lines} lines for {wanted} events")


def check_spool(state_dir: Path, workload: Workload, *, lossy: bool = False) -> None:
    """Tidegate's spool after it has stopped.

    Raises:
        WrongError: an event is missing, twice there or changed.
    """
    records = trio.run(_read, state_dir)
    if not lossy and len(records) != workload.wanted:
        raise WrongError(f"{len(records)} records for {workload.wanted} events")
    strong = [record for record in records if "uid:weak" not in _text(record, "metadata", "labels")]
    if len({_text(record, "metadata", "uid") for record in strong}) != len(strong):
        raise WrongError("a uid stands twice")
    if workload.path.name.startswith(("xml", "datagrams")) and not lossy:
        _check_sample(records, workload)


async def _read(state_dir: Path) -> list[dict[str, object]]:
    spool = open_spool(state_dir, SpoolSettings(), [Consumer("unreachable")], Metrics())
    found: list[dict[str, object]] = []
    try:
        while (row := await spool.read("unreachable")) is not None:
            found += map(orjson.loads, row.texts())
            spool.advance("unreachable", row.end, b"")
    finally:
        await spool.close()
    return found


def _check_sample(records: list[dict[str, object]], workload: Workload) -> None:
    by_id = {_text(record, "metadata", "original_event_uid"): record for record in records}
    for number, event in enumerate(_wanted(workload)):
        if number % max(1, workload.wanted // SAMPLE):
            continue
        system = event.find(f"{XMLNS}System")
        assert system is not None  # noqa: S101 - the generator writes it
        record = by_id.get(system.findtext(f"{XMLNS}EventRecordID") or "")
        if record is None or _text(record, "device", "hostname") != system.findtext(f"{XMLNS}Computer"):
            raise WrongError(f"no record of event {ET.tostring(system)!r}")
        values = set(_strings(record))
        for data in event.iter(f"{XMLNS}Data"):
            if data.get("Name") in AS_IT_IS and data.text not in {None, "-", "S-1-0-0"} and data.text not in values:
                raise WrongError(f"{data.get('Name')} {data.text!r} isn't in {record}")


def _wanted(workload: Workload) -> Iterator[ET.Element]:
    data = workload.path.read_bytes()
    for found in EVENT.finditer(data):
        head = found[0][:1024]
        at = head.index(b"<EventID")
        if head[head.index(b">", at) + 1 : head.index(b"</EventID>", at)].decode() in REQUIRED_IDS:
            yield ET.fromstring(found[0])  # noqa: S314 - written by us a moment ago


def _strings(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for inner in value.values():
                yield from _strings(inner)
        case list():
            for inner in value:
                yield from _strings(inner)


def _text(record: dict[str, object], *path: str) -> str:
    value: object = record
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return str(value)
