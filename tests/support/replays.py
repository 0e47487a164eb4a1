"""Replaying files in tests, and the events they are made of."""

from __future__ import annotations

import io
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import orjson

from gateway.replay.course import Replay, Summary, gather
from gateway.simulate.events import generate_events
from kernel import Engine
from normalizers.normalizer import Normalizer

NOW_NS = 1_714_979_289_123_456_700
ARRIVAL_NS = 1_714_979_300_000_000_000
EVENTS = tuple(islice(generate_events(Random(23), lambda: NOW_NS, noise=0.3), 200))
NORMALIZER = Normalizer()


def replay(*paths: Path, normalizer: Normalizer = NORMALIZER, engine: Engine = Engine.NATIVE) -> tuple[list[dict[str, Any]], Summary, list[str]]:
    """(records, summary, lines told) of a run over `paths`, checked to reconcile."""
    output, lines = io.BytesIO(), list[str]()
    run = Replay(normalizer, output, tell=lines.append, clock=lambda: ARRIVAL_NS, engine=engine)
    summary = run.run(gather(paths)[0])
    assert summary.reconciled
    records = [orjson.loads(line) for line in output.getvalue().splitlines()]
    assert len(records) == summary.normalized.total()
    return records, summary, lines
