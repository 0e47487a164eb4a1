"""One event, however it came, is one record: same uid, same verdict, same values, but for what a layout can't carry."""

from __future__ import annotations

import itertools
import json
import random
from array import array

import pytest

from gateway.simulate.events import generate_events
from normalizers.normalizer import Normalizer
from pipeline.model import Batch, Frames, Origin, Transport
from wire.layouts.detect import BY_NAME

NOW_NS = 1_700_000_000_123_456_700
EVENTS = list(itertools.islice(generate_events(random.Random(1), lambda: NOW_NS, noise=0.3), 120))

PATH_DEPENDENT = {"metadata.log_format", "metadata.original_time"}
SECONDS_ONLY = PATH_DEPENDENT | {"time", "metadata.log_version"}
MAY_DIFFER = {
    "leef": PATH_DEPENDENT,
    "snare": SECONDS_ONLY,
    "splunk-classic": SECONDS_ONLY,
    "winlogbeat-json": PATH_DEPENDENT,
    "nxlog-json": PATH_DEPENDENT,
    "flat-json": PATH_DEPENDENT,
}


def normalize(layout: str) -> Batch:
    payloads = [BY_NAME[layout].encode_event(event) for event in EVENTS]
    ends = list(itertools.accumulate(map(len, payloads)))
    spans = array("I", itertools.chain.from_iterable(zip([0, *ends], ends, strict=False)))
    return Normalizer().normalize(Frames(b"".join(payloads), spans, Origin("replay", Transport.FILE, "test", NOW_NS)))


def values(record: object, path: str = "") -> dict[str, object]:
    if not isinstance(record, dict):
        return {path: record}
    return {name: value for key, child in record.items() for name, value in values(child, f"{path}.{key}" if path else key).items()}


@pytest.mark.parametrize("layout", MAY_DIFFER)
def test_same_record_as_from_event_xml(layout: str) -> None:
    came, original = normalize(layout), normalize("event-xml")
    assert (came.received, dict(came.filtered), dict(came.rejected)) == (len(EVENTS), dict(original.filtered), {})
    assert [(entry.uid, entry.weak) for entry in came.index] == [(entry.uid, entry.weak) for entry in original.index]
    for ours, theirs in zip(came.records.splitlines(), original.records.splitlines(), strict=True):
        found, expected = values(json.loads(ours)), values(json.loads(theirs))
        assert {name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name)} <= MAY_DIFFER[layout]
