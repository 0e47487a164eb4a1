"""What a simulation says at its end: what was sent, for a person or as JSON for a program."""

from __future__ import annotations

import orjson

from gateway.simulate.stream import Sent


def render_sent(sent: Sent, target: str, layout: str) -> str:
    """A few lines, the sum first."""
    lines = [f"sent {sent.messages} messages, {sent.octets} octets, to {target} as {layout} in {sent.seconds:.1f} s: {sent.rate:,.1f}/s"]
    lines += [f"  {event_id:<5} {count}" for event_id, count in _most(sent).items()]
    if sent.oversize:
        lines.append(f"not sent, longer than a datagram may be: {sent.oversize}")
    return "\n".join(lines) + "\n"


def encode_sent(sent: Sent, target: str, layout: str) -> str:
    """One JSON object."""
    facts = {"target": target, "format": layout, "sent": sent.messages, "octets": sent.octets, "oversize": sent.oversize}
    return orjson.dumps({**facts, "seconds": round(sent.seconds, 3), "rate": round(sent.rate, 1), "by_event_id": _most(sent)}).decode() + "\n"


def _most(sent: Sent) -> dict[str, int]:
    return dict(sorted(sent.by_event_id.items(), key=lambda item: (-item[1], item[0])))
