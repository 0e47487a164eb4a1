"""What a replay says at its end: a reconciled summary for a person, or as JSON for a program."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields
from typing import Final

import orjson

from gateway.replay.course import Summary

SHOWN: Final = 40


def render_summary(summary: Summary) -> str:
    """A few lines, the sum first:

    files 31, damaged 2, skipped 0
    received 3401 = normalized 120 + duplicate 3 + filtered 3278 + rejected 0 + control 0
      normalized  4776 35, 7045 68 ...
      damage      chunk-magic 2
    """  # noqa: D415 - what follows is what is written
    counts = {name: tally.total() for name, tally in (("normalized", summary.normalized), ("duplicate", summary.duplicate), ("filtered", summary.filtered))}
    sums = " + ".join(f"{name} {count}" for name, count in {**counts, "rejected": summary.rejected.total(), "control": summary.control}.items())
    lines = [f"files {summary.files}, damaged {summary.damaged}, skipped {summary.skipped}", f"received {summary.received} = {sums}"]
    rows = (
        ("normalized", summary.normalized),
        ("duplicate", summary.duplicate),
        ("filtered", summary.filtered),
        ("rejected", summary.rejected),
        ("warnings", summary.warnings),
        ("damage", summary.damages),
    )
    lines += [f"  {name:<11} {_tally(tally)}" for name, tally in rows if tally]
    if summary.damages["record-header"]:
        lines.append("behind a broken record header nothing is read unless --salvage searches for it")
    if summary.closed:
        lines.append("the reader of the output closed it early")
    return "\n".join(lines) + "\n"


def encode_summary(summary: Summary) -> str:
    """One JSON object."""
    return (
        orjson.dumps(
            {**{row.name: getattr(summary, row.name) for row in fields(summary)}, "reconciled": summary.reconciled}, option=orjson.OPT_SORT_KEYS
        ).decode()
        + "\n"
    )


def _tally(tally: Counter[str]) -> str:
    most = sorted(tally.items(), key=lambda item: (-item[1], item[0]))
    more = len(most) - SHOWN
    return ", ".join(f"{name} {count}" for name, count in most[:SHOWN]) + (f" and {more} kinds more" if more > 0 else "")
