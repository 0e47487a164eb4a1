"""Every counter and gauge of the gateway, in one typed registry.

Rules: `_total` counters, base units, low-cardinality labels (listener, reason, destination), never a host or a user.
Accounting per listener always reconciles (design section 3):

    received = normalized + duplicate + filtered + rejected + control
"""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
COMMIT_BOUNDS: Final = (0.0005, 0.001, 0.0015, 0.002, 0.003, 0.004, 0.006, 0.008, 0.012, 0.016, 0.024, 0.032, 0.05, 0.075, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds: a commit takes from half a millisecond to a few, and on a disk that is in trouble, seconds."""


class Metrics:
    """One instance per process, handed to whoever counts; tests make their own."""

    def __init__(self) -> None:  # noqa: PLR0915 - a table, one line each
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series beside every counter, which nobody asks for
        self.registry: Final = CollectorRegistry(auto_describe=True)

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"tidegate_{name}", text, labels, registry=self.registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"tidegate_{name}", text, labels, registry=self.registry)

        # what came in; moved by the intake alone, per listener
        self.received: Final = counter("received", "Messages received.", "listener")
        self.normalized: Final = counter("normalized", "Messages that became a record.", "listener")
        self.duplicate: Final = counter("duplicate", "Messages whose record was already kept.", "listener")
        self.filtered: Final = counter("filtered", "Messages understood and not wanted.", "listener", "event_code")
        self.rejected: Final = counter("rejected", "Messages not understood, by the rule they broke.", "listener", "rule")
        self.control: Final = counter("control", "Messages about the conversation that carry no event.", "listener")
        self.uncommitted: Final = counter("uncommitted", "Messages read and lost: the spool hadn't taken them when the gateway had to stop.", "listener")
        self.judged: Final = gauge("judged", "Messages that the native engine was given, since start.")
        self.left: Final = gauge("left_to_reference", "Those of them that it left to the reference engine.")
        self.warned: Final = counter("warned", "Accepted messages that bent a rule.", "listener", "rule")
        self.log_lines: Final = counter("log_lines", "Lines of the gateway's own log, by level; a fault of its own is an error.", "level")
        self.reloads: Final = counter("reloads", "Times the configuration was read again, by what became of it.", "result")
        self.reload_refused: Final = gauge("reload_refused", "1 while what runs isn't what the configuration says: it was read again last, and refused.")
        # the doors
        self.received_bytes: Final = counter("received_bytes", "Octets read from peers.", "listener", "transport")
        self.connections: Final = gauge("connections", "Open connections.", "listener", "transport")
        self.connections_refused: Final = counter("connections_refused", "Connections not served, by reason.", "listener", "reason")
        self.connections_ended: Final = counter("connections_ended", "Connections that ended other than by the peer's orderly close.", "listener", "reason")
        self.http_responses: Final = counter("http_responses", "HTTP requests answered, by status.", "listener", "status")
        self.requests_refused: Final = counter("requests_refused", "HTTP requests understood as such and not done, by reason.", "listener", "reason")
        self.wef_messages: Final = counter("wef_messages", "Messages of Windows Event Forwarding, by kind.", "listener", "message")
        self.wef_sources: Final = gauge("wef_sources", "Sources heard since start, by the last they said.", "listener", "subscription", "state")
        self.position_resets: Final = counter("position_resets", "Sources that began anew (event 111): at first, or past what they had.", "listener", "kind")
        self.http_bodies_bytes: Final = gauge("http_bodies_bytes", "Octets of HTTP request bodies in flight.", "listener")
        self.datagrams_refused: Final = counter("datagrams_refused", "Datagrams not looked at, by reason.", "listener", "reason")
        self.kernel_drops: Final = counter("udp_kernel_drops", "Datagrams the kernel dropped because the socket's buffer was full.", "listener", "address")
        self.radius_dropped: Final = counter("radius_dropped", "RADIUS packets that met silence, by the rule they broke.", "listener", "client", "reason")
        self.radius_answered: Final = counter("radius_answered", "RADIUS requests answered, by kind.", "listener", "client", "request")
        self.radius_unanswered: Final = counter("radius_unanswered", "RADIUS requests that were read and not answered.", "listener", "client", "reason")
        # the spool
        self.committed: Final = counter("committed", "Records committed to the spool.")
        self.commits: Final = counter("commits", "Transactions committed.")
        self.commit_seconds: Final = Histogram("tidegate_commit_seconds", "Time one group commit took.", buckets=COMMIT_BOUNDS, registry=self.registry)
        self.spool_bytes: Final = gauge("spool_bytes", "Compressed octets of rows in the spool.")
        self.spool_rows: Final = gauge("spool_rows", "Rows in the spool.")
        self.spool_full: Final = gauge("spool_full", "1 while the spool takes nothing in.")
        self.duplicate_keys: Final = gauge("duplicate_keys", "Keys in the duplicate table.")
        self.duplicate_keys_evicted: Final = counter("duplicate_keys_evicted", "Keys that left the duplicate table because it was full.")
        self.rejects_dropped: Final = counter("rejects_dropped", "Stored rejects that left to make room for newer ones.")
        self.quarantined: Final = counter("quarantined", "Records set aside because their row in the spool was damaged.")
        self.originals_damaged: Final = counter("originals_damaged", "Rows whose messages, kept for a relay, were damaged.")
        self.sessions: Final = gauge("sessions", "VPN sessions that are open.")
        self.sessions_evicted: Final = counter("sessions_evicted", "VPN sessions forgotten before their time because there were too many.")
        # the destinations
        self.delivered: Final = counter("delivered", "Records a destination took.", "destination")
        self.skipped: Final = counter("skipped", "Records a destination's filter or layout left out, by reason.", "destination", "reason")
        self.shortened: Final = counter("shortened", "Records whose longest value was cut to fit a destination's transport.", "destination")
        self.delivery_failures: Final = counter("delivery_failures", "Attempts a destination refused, by reason.", "destination", "reason")
        self.resent: Final = counter("resent", "Messages sent again to a receiver that may not have read them.", "destination")
        self.relay_retransmissions: Final = counter("relay_retransmissions", "RADIUS packets sent again to the next server.", "destination")
        self.relay_answers_refused: Final = counter(
            "relay_answers_refused", "Answers of the next RADIUS server that don't count, by rule.", "destination", "rule"
        )
        self.lost: Final = counter("lost", "Records given up because a destination's quota was full (drop-oldest).", "destination")
        self.parked: Final = counter("parked", "Records a destination refused for good, kept as dead letters.", "destination", "reason")
        self.redelivered: Final = counter("redelivered", "Dead letters a destination took once they were requeued.", "destination")
        self.dead_letters: Final = gauge("dead_letters", "Dead letters kept for a destination.", "destination")
        self.destination_state: Final = gauge("destination_state", "1 for the state a destination is in, 0 for the others.", "destination", "state")
        self.lag_bytes: Final = gauge("lag_bytes", "Spool octets between a destination's cursor and the head.", "destination")
        self.lag_seconds: Final = gauge("lag_seconds", "Age of the oldest record a destination hasn't taken.", "destination")

    def show_listener(self, listener: str) -> None:
        """Show a listener's accounting from the start, at 0: what is absent can't be alerted on, and its first message would be no increase."""
        for shown in (self.received, self.normalized, self.duplicate, self.control, self.uncommitted):
            shown.labels(listener)

    def exposition(self) -> bytes:
        """The registry in Prometheus' text format, for GET /metrics; send with CONTENT_TYPE."""
        return generate_latest(self.registry)

    def value(self, name: str, **labels: str) -> float:
        """One sample's value, 0.0 if it never moved: `value("tidegate_received_total", listener="listeners.syslog")`."""
        return self.registry.get_sample_value(name, labels) or 0.0
