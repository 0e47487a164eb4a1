"""What a simulation of domain controllers says at its end: events logged, sent, acknowledged, sent again, for a person or as JSON for a program."""

from __future__ import annotations

import orjson

from gateway.simulate.wef import Delivered


def render_delivered(done: Delivered, target: str) -> str:
    """A few lines, the sum first."""
    tally = done.tally
    lines = [
        f"{tally.acked} events acknowledged by {target} in {done.seconds:.1f} s: {done.rate:,.1f}/s",
        f"  {done.machines} machines logged {done.logged} events, {done.enumerations} enumerations, {tally.batches} batches, {tally.heartbeats} heartbeats",
        f"  sent {tally.sent} = acknowledged {tally.acked} + not acknowledged {tally.unacked} + withdrawn {tally.withdrawn}; sent again {tally.resent}",
    ]
    rarely = {"not sent yet": done.waiting, "overwritten before they were read": tally.overwritten, "larger than an envelope": tally.oversize}
    lines += [f"  {text}: {count}" for text, count in rarely.items() if count]
    lines += [f"  {reason}: {count}" for reason, count in sorted(done.reasons.items())]
    lines += [f"  {event_id:<5} {count}" for event_id, count in _most(done).items()]
    return "\n".join(lines) + "\n"


def encode_delivered(done: Delivered, target: str) -> str:
    """One JSON object."""
    tally = done.tally
    facts = {
        "target": target,
        "machines": done.machines,
        "logged": done.logged,
        "sent": tally.sent,
        "acknowledged": tally.acked,
        "unacknowledged": tally.unacked,
        "withdrawn": tally.withdrawn,
        "waiting": done.waiting,
        "resent": tally.resent,
        "overwritten": tally.overwritten,
        "oversize": tally.oversize,
        "batches": tally.batches,
        "heartbeats": tally.heartbeats,
        "enumerations": done.enumerations,
        "failures": tally.failures,
        "abandonments": tally.abandonments,
        "reasons": dict(sorted(done.reasons.items())),
        "seconds": round(done.seconds, 3),
        "rate": round(done.rate, 1),
        "by_event_id": _most(done),
    }
    return orjson.dumps(facts).decode() + "\n"


def _most(done: Delivered) -> dict[str, int]:
    return dict(sorted(done.by_event_id.items(), key=lambda item: (-item[1], item[0])))
