"""What a simulation of network access servers says at its end, for a person or as JSON; and of every answered request, as a line to compare with."""

from __future__ import annotations

import orjson

from gateway.simulate.radius import Accounted
from gateway.simulate.radius_flavours import STATUS_NAMES, Flavour, describe_facts, session_id
from gateway.simulate.radius_sessions import Nas, Report

MEDIAN, TAIL = 0.5, 0.99


def render_accounted(done: Accounted, target: str) -> str:
    """A few lines, the sum first."""
    tally = done.tally
    median, tail = (_milliseconds(done, share) for share in (MEDIAN, TAIL))
    times = f"answers took {median} ms in the median, 99 of 100 at most {tail} ms"
    took = times if tally.answered else "no answer: is the secret the same, and this address a client's?"
    lines = [
        f"{tally.answered} requests answered by {target} in {done.seconds:.1f} s: {done.rate:,.1f}/s",
        f"  {done.servers} servers, {done.open} sessions still open; {took}",
        f"  sent {tally.sent} = answered {tally.answered} + not answered {tally.unanswered}; sent again {tally.resent}, answered again {tally.stray}",
    ]
    lines += [f"  {reason}: {count}" for reason, count in sorted(tally.reasons.items())]
    lines += [f"  {name:<15} {count}" for name, count in _by_status(done).items()]
    return "\n".join(lines) + "\n"


def encode_accounted(done: Accounted, target: str) -> str:
    """One JSON object."""
    tally = done.tally
    facts = {
        "target": target,
        "servers": done.servers,
        "open": done.open,
        "sent": tally.sent,
        "answered": tally.answered,
        "unanswered": tally.unanswered,
        "resent": tally.resent,
        "stray": tally.stray,
        "reasons": dict(sorted(tally.reasons.items())),
        "seconds": round(done.seconds, 3),
        "rate": round(done.rate, 1),
        "p50_ms": _milliseconds(done, MEDIAN),
        "p99_ms": _milliseconds(done, TAIL),
        "by_status": _by_status(done),
    }
    return orjson.dumps(facts).decode() + "\n"


def encode_answered(flavour: Flavour, nas: Nas, report: Report) -> bytes:
    """A request that was answered, as a line of JSON: which NAS, which session and what about it is enough to find its one record in the gateway's output."""
    facts = {"nas": str(nas.address), "session": session_id(flavour, nas, report), "status": STATUS_NAMES[report.status], "seconds": report.seconds}
    user = describe_facts(nas, report, 0).get("user")
    return orjson.dumps(facts | ({"user": user} if user else {}), option=orjson.OPT_APPEND_NEWLINE)


def _milliseconds(done: Accounted, share: float) -> float:
    return round(done.tally.latencies.quantile(share) * 1000, 1)


def _by_status(done: Accounted) -> dict[str, int]:
    return {STATUS_NAMES[status]: count for status, count in sorted(done.tally.by_status.items(), key=lambda item: (-item[1], item[0]))}
