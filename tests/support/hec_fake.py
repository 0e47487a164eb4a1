"""Splunk's HTTP Event Collector as its documents describe it, strictly: what Splunk would refuse is refused, with its codes.

Documents: Splunk Enterprise, Get Data In: "Format events for HTTP Event Collector", "About HTTP Event Collector Indexer Acknowledgment", "Troubleshoot
HTTP Event Collector"; REST API Reference: services/collector/event, /raw, /ack, /health.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import orjson
from support.http_peer import Asked, Reply

TOKEN: Final = "3f9c2b7e-0000-4000-8000-5a5a5a5a5a5a"
ENVELOPE: Final = frozenset({"time", "host", "source", "sourcetype", "index", "event", "fields"})
CODES: Final = {
    0: (200, "Success"),
    1: (403, "Token disabled"),
    2: (401, "Token is required"),
    3: (401, "Invalid authorization"),
    4: (403, "Invalid token"),
    5: (400, "No data"),
    6: (400, "Invalid data format"),
    7: (400, "Incorrect index"),
    8: (500, "Internal server error"),
    9: (503, "Server is busy"),
    10: (400, "Data channel is missing"),
    11: (400, "Invalid data channel"),
    12: (400, "Event field is required"),
    13: (400, "Event field cannot be blank"),
    14: (400, "ACK is disabled"),
    15: (400, "Error in handling indexed fields"),
    16: (400, "Query string authorization is not enabled"),
    17: (200, "HEC is healthy"),
    18: (503, "HEC is unhealthy, queues are full"),
    19: (503, "HEC is unhealthy, ack service unavailable"),
    20: (503, "HEC is unhealthy, queues are full, ack service unavailable"),
    21: (400, "Invalid token"),
    22: (400, "Token disabled"),
    23: (503, "Server is shutting down"),
    24: (200, "HEC queue is approaching its capacity limit"),
    25: (200, "HEC ACK is approaching its capacity limit"),
    26: (429, "HEC queue is at capacity and cannot process any more requests"),
    27: (429, "HEC ACK channel is at capacity and cannot process any more requests"),
}


def said(code: int, **more: object) -> Reply:
    status, text = CODES[code]
    return Reply(status, orjson.dumps({"text": text, "code": code, **more}), {"content-type": "application/json; charset=UTF-8"})


@dataclass
class HecFake:
    """A collector with one token.

    acknowledges:  whether the token has indexer acknowledgment.
    slow:          how often an acknowledgement is asked for before it is true.
    indexes:       what the token may write to.
    scripted:      codes or replies to give to the next requests in the place of an honest one; None for honesty.
    events:        what was indexed: envelope and event.
    """

    acknowledges: bool = True
    slow: int = 2
    indexes: frozenset[str] = frozenset({"main"})
    scripted: list[int | Reply | None] = field(default_factory=list)
    events: list[dict[str, object]] = field(default_factory=list)
    asked_for: dict[int, int] = field(default_factory=dict)
    channels: dict[int, str] = field(default_factory=dict)

    def answer(self, asked: Asked) -> Reply:
        if asked.path == "/services/collector/health":
            return said(17)
        step = self.scripted.pop(0) if self.scripted else None
        if step is not None:
            return said(step) if isinstance(step, int) else step
        refused = self._authorized(asked)
        if refused is not None:
            return said(refused)
        ways = {"ack": self._acks, "event": self._event, "raw": self._raw}
        way = ways.get(asked.path.removeprefix("/services/collector/"))
        return way(asked) if way else Reply(404, b'{"text":"The requested URL was not found on this server.","code":404}')

    def _authorized(self, asked: Asked) -> int | None:
        credential = asked.headers.get("authorization")
        if "token" in asked.query:
            return 16
        if credential is None:
            return 2
        scheme, _, token = credential.partition(" ")
        if scheme != "Splunk":
            return 3
        return None if token == TOKEN else 4

    def _channel(self, asked: Asked) -> str | int:
        channel = asked.headers.get("x-splunk-request-channel") or asked.query.get("channel")
        if channel is None:
            return 10
        try:
            return str(UUID(channel))
        except ValueError:
            return 11

    def _event(self, asked: Asked) -> Reply:
        found: list[dict[str, object]] = []
        text, at = asked.body.decode(), 0
        while at < len(text):
            try:
                envelope, at = _next(text, at)
            except ValueError:
                return said(6, **{"invalid-event-number": len(found)})
            if set(envelope) - ENVELOPE:
                return said(6, **{"invalid-event-number": len(found)})
            if "event" not in envelope:
                return said(12, **{"invalid-event-number": len(found)})
            if envelope["event"] in ("", {}):
                return said(13, **{"invalid-event-number": len(found)})
            if envelope.get("index", "main") not in self.indexes:
                return said(7, **{"invalid-event-number": len(found)})
            found.append(envelope)
        return self._taken(asked, found)

    def _raw(self, asked: Asked) -> Reply:
        if "channel" not in asked.query and "x-splunk-request-channel" not in asked.headers:
            return said(10)
        if asked.query.get("index", "main") not in self.indexes:
            return said(7)
        return self._taken(asked, [{"event": orjson.loads(line)} for line in asked.body.splitlines()])

    def _taken(self, asked: Asked, found: list[dict[str, object]]) -> Reply:
        if not found:
            return said(5)
        if not self.acknowledges:
            self.events += found
            return said(0)
        channel = self._channel(asked)
        if isinstance(channel, int):
            return said(channel)
        self.events += found
        ack_id = len(self.channels)
        self.channels[ack_id], self.asked_for[ack_id] = channel, 0
        return said(0, ackId=ack_id)

    def _acks(self, asked: Asked) -> Reply:
        if not self.acknowledges:
            return said(14)
        channel = self._channel(asked)
        if isinstance(channel, int):
            return said(channel)
        acks = {}
        for ack_id in orjson.loads(asked.body)["acks"]:
            known = self.channels.get(ack_id) == channel
            self.asked_for[ack_id] = self.asked_for.get(ack_id, 0) + 1
            acks[str(ack_id)] = known and self.asked_for[ack_id] > self.slow
            if acks[str(ack_id)]:
                del self.channels[ack_id]  # an acknowledgement is told once
        return Reply(200, orjson.dumps({"acks": acks}), {"content-type": "application/json"})


def _next(text: str, at: int) -> tuple[dict[str, object], int]:
    """The JSON object at a place, and the place behind it; objects follow one another with or without white space."""
    envelope, end = json.JSONDecoder().raw_decode(text, at)
    if not isinstance(envelope, dict):
        raise ValueError(envelope)  # noqa: TRY004 - as for any other text
    while end < len(text) and text[end].isspace():
        end += 1
    return envelope, end
