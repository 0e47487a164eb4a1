"""The accounting's labels: whatever peers call their rules and events, a counter has so many series and no more, and loses no count."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from support.batches import batch_of, spool_in

from pipeline.intake import MAX_LABELS, Intake
from pipeline.metrics import Metrics
from pipeline.rejects import Rejects


async def test_a_peer_cannot_make_series_without_end(tmp_path: Path) -> None:
    spool, metrics = spool_in(tmp_path, []), Metrics()
    intake = Intake(spool, metrics, Rejects())
    for number in range(MAX_LABELS + 50):
        await intake.submit(replace(batch_of([]), received=2, rejected={f"rule-{number}": 1}, filtered={str(number): 1}))
    series = [sample for family in metrics.registry.collect() for sample in family.samples if sample.name == "tidegate_rejected_total"]
    assert len(series) == MAX_LABELS + 1
    assert sum(sample.value for sample in series) == MAX_LABELS + 50
    assert metrics.value("tidegate_filtered_total", listener="listeners.syslog", event_code="other") == 50
    await spool.close()
