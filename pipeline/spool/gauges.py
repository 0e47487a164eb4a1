"""What the metrics say of a transaction, once it is durable, and of consumers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from pipeline.metrics import Metrics
from pipeline.spool.ledger import Head, Outcome


def show_outcome(metrics: Metrics, before: Head, outcome: Outcome) -> None:
    """Move what counts records, rows and keys; what concerns one destination is moved where its cursor is."""
    metrics.quarantined.inc(outcome.head.quarantined - before.quarantined)
    metrics.committed.inc(outcome.head.number - before.number)
    metrics.spool_rows.set(outcome.head.rows)
    metrics.spool_bytes.set(outcome.octets)
    metrics.duplicate_keys.set(outcome.known)
    metrics.duplicate_keys_evicted.inc(outcome.evicted)
    metrics.rejects_dropped.inc(outcome.dropped)
    metrics.sessions_evicted.inc(outcome.sessions.evicted)


def show_consumer(metrics: Metrics, name: str, lag_seconds: Callable[[], float]) -> None:
    """Show a consumer's gauges and counters from the start."""
    metrics.lag_bytes.labels(name)
    metrics.lag_seconds.labels(name).set_function(lag_seconds)
    metrics.lost.labels(name)


def hide_consumer(metrics: Metrics, name: str) -> None:
    """Show the gauges of a consumer no more."""
    for gauge in (metrics.lag_seconds, metrics.lag_bytes):
        with suppress(KeyError):
            gauge.remove(name)
