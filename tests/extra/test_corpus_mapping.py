"""Events of real machines: every one becomes a valid record of its own, nothing is lost, and the counts are those of the files."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from support.ocsf import complaints

from normalizers.normalizer import Normalizer
from normalizers.settings import NormalizeSettings
from pipeline.model import Batch, Frames, Origin, Transport
from wire.event_xml import parse_event

ORIGIN = Origin("replay", Transport.FILE, "corpus", 1_710_504_001_000_000_000)


@pytest.fixture(scope="module")
def events(extra_corpus: Path) -> dict[str, list[bytes]]:
    """Event XML by file name."""
    return {
        path.stem: [json.loads(line)["xml"].encode() for line in path.read_text("utf-8").splitlines()]
        for path in sorted((extra_corpus / "corpus" / "events").glob("*.ndjson"))
    }


def normalized(messages: list[bytes], *, keep_all: bool) -> Batch:
    spans, buffer = array("I"), b"".join(messages)
    for message in messages:
        start = spans[-1] if spans else 0
        spans.extend((start, start + len(message)))
    return Normalizer("aatp-2020", NormalizeSettings(), keep_all=keep_all).normalize(Frames(buffer, spans, ORIGIN))


def test_every_event_becomes_a_valid_record(events: dict[str, list[bytes]]) -> None:
    messages = [message for group in events.values() for message in group]
    batch = normalized(messages, keep_all=True)
    assert batch.rejected == {}
    records = [json.loads(line) for line in batch.records.splitlines()]
    assert len(records) == len(messages)
    assert [found for record in records if (found := complaints(record))] == []
    uids = Counter(entry.uid for entry in batch.index if not entry.weak)
    assert max(uids.values()) == 1
    assert normalized(messages, keep_all=True).records == batch.records


def test_counts_are_those_of_the_files(events: dict[str, list[bytes]]) -> None:
    for name, messages in events.items():
        batch = normalized(messages, keep_all=False)
        if name.isdecimal():
            assert (len(batch.index), batch.filtered) == (len(messages), {}), name
        else:
            assert len(batch.index) == 0, name


def test_no_value_is_lost(events: dict[str, list[bytes]]) -> None:
    """Of every name whose value isn't missing: taken by a row of its plan, or under `unmapped`."""
    normalizer = Normalizer(keep_all=True)
    for message in (message for group in events.values() for message in group):
        event = parse_event(message)
        plan = normalizer.profile.plan(event.key)
        record: dict[str, Any] = json.loads(normalizer.explain(message, ORIGIN).record)
        unmapped = record.get("unmapped", {})
        lost = [
            name
            for name, text in event.data
            if (bare := text.strip(" \t\r\n")) and bare not in ("-", "N/A", "NULL") and name not in plan.mapped and name not in unmapped
        ]
        assert lost == [], event.key
