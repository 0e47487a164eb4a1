"""What the metrics say of a transaction, once it is durable."""

from __future__ import annotations

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
