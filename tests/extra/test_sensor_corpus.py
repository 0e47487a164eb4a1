"""Real events to the sensor's layouts and back: every required event of the extra corpus comes back as the record it was."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import orjson
import pytest

from forwarders.encoders.windows_event import restore
from normalizers.normalizer import Normalizer
from pipeline.model import Frames, Origin, Transport
from wire.layouts import qradar, splunk
from wire.layouts.layout import Layout, Mode, Reading

ORIGIN: Final = Origin("listeners.syslog", Transport.UDP, "192.0.2.1", 1_700_000_000_000_000_000)
PATH_FACTS: Final = frozenset({"log_format", "log_level", "log_version", "logged_time", "original_time", "correlation_uid"})
INSTALLER: Final = ("actor", "observables", "metadata.uid")


def events(extra_corpus: Path) -> Iterator[bytes]:
    for file in sorted((extra_corpus / "corpus" / "events").glob("[0-9]*.ndjson")):
        for line in file.read_bytes().splitlines():
            yield orjson.loads(line)["xml"].encode()


@cache
def normalizer() -> Normalizer:
    return Normalizer(reading=Reading(mode=Mode.STRICT))


def record_of(message: bytes) -> tuple[dict[str, Any], bytes]:
    batch = normalizer().normalize(Frames(message, array("I", (0, len(message))), ORIGIN))
    assert len(batch.index) == 1, (batch.rejected, batch.filtered)
    return orjson.loads(batch.records), batch.records[:-1]


def meaning(record: dict[str, Any]) -> dict[str, Any]:
    """The record without the facts about its path; 7045's actor is a SID, which neither layout carries."""
    kept = {key: value for key, value in record.items() if not (record["class_uid"] == 201004 and key in INSTALLER)}
    return kept | {"metadata": {key: value for key, value in record["metadata"].items() if key not in PATH_FACTS}}


@pytest.mark.parametrize(("layout", "header"), [(splunk.LAYOUT, b""), (qradar.LAYOUT, b"<13>Feb 11 00:00:00 gw1 ")], ids=["splunk", "qradar"])
def test_real_events_come_back(extra_corpus: Path, layout: Layout, header: bytes) -> None:
    seen = 0
    for xml in events(extra_corpus):
        record, raw = record_of(xml)
        back, _ = record_of(header + layout.encode_event(restore(raw)))
        assert meaning(back) == meaning(record)
        seen += 1
    assert seen
