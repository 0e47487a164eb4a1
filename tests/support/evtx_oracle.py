"""EVTX read by a parser that shares nothing with the one Tidegate uses: python-evtx, pure Python."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from Evtx.Evtx import Evtx

NAMESPACE = "{http://schemas.microsoft.com/win/2004/08/events/event}"


@dataclass(frozen=True)
class OracleEvent:
    """What the independent parser says of one event; times to the second, where it is exact."""

    event_id: str
    record_id: str
    computer: str
    channel: str
    provider: str
    seconds: str
    data: tuple[tuple[str, str], ...]


def read_with_oracle(path: Path) -> list[OracleEvent]:
    """Every event that python-evtx can render, in the file's order."""
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Evtx(str(path)) as log:
            for record in log.records():
                try:
                    text = record.xml()
                except Exception:  # noqa: BLE001 - it raises anything at all over what it can't render
                    continue
                found.append(_read(ET.fromstring(text)))
    return found


def _read(event: ET.Element) -> OracleEvent:
    def text(path: str) -> str:
        return event.findtext("/".join(f"{NAMESPACE}{part}" for part in path.split("/"))) or ""

    created = event.find(f"{NAMESPACE}System/{NAMESPACE}TimeCreated")
    provider = event.find(f"{NAMESPACE}System/{NAMESPACE}Provider")
    return OracleEvent(
        event_id=text("System/EventID"),
        record_id=text("System/EventRecordID"),
        computer=text("System/Computer"),
        channel=text("System/Channel"),
        provider="" if provider is None else provider.get("Name", ""),
        seconds="" if created is None else created.get("SystemTime", "")[:19].replace(" ", "T"),
        data=tuple((data.get("Name", ""), data.text or "") for data in event.iterfind(f"{NAMESPACE}EventData/{NAMESPACE}Data")),
    )
