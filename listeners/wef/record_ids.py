"""The highest EventRecordID that a batch holds of each computer's channels, read without parsing ([MS-EVEN6] section 2.2.14).

A gap between two batches means something only where a channel is asked for whole: a subscription that filters is full of them. So nothing here judges;
the numbers are kept for whoever asks how far a log was read.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from typing import Final

import kernel
from kernel import Engine

WINDOW: Final = 4096
"""Octets of an event that are looked at."""

MAX_PAIRS: Final = 64
MAX_NAME: Final = 256
MAX_DIGITS: Final = 18


def highest_record_ids(buffer: bytes, spans: array[int], engine: Engine = Engine.NATIVE) -> Mapping[tuple[str, str], int]:
    """EventRecordID by (computer, channel), for no more than 64 pairs; events that don't say all three plainly are passed over. Never raises."""
    if engine is Engine.NATIVE:
        return {(computer, channel): number for computer, channel, number in kernel.highest_record_ids(buffer, spans.tobytes())}
    highest: dict[tuple[str, str], int] = {}
    for start, end in zip(spans[::2], spans[1::2], strict=True):
        limit = min(end, start + WINDOW)
        number, channel, computer = (_text(buffer, start, limit, tag) for tag in (b"EventRecordID", b"Channel", b"Computer"))
        if not (number.isdigit() and len(number) <= MAX_DIGITS and channel and computer):
            continue
        pair = computer.decode("utf-8", "replace"), channel.decode("utf-8", "replace")
        if pair in highest or len(highest) < MAX_PAIRS:
            highest[pair] = max(int(number), highest.get(pair, 0))
    return highest


def _text(buffer: bytes, start: int, limit: int, tag: bytes) -> bytes:
    """The text of the first such element; empty where there is none, or more in it than text."""
    opening = b"<%b>" % tag
    at = buffer.find(opening, start, limit)
    if at < 0:
        return b""
    at += len(opening)
    end = buffer.find(b"<", at, min(limit, at + MAX_NAME + 1))
    return buffer[at:end].strip(b" \t\r\n") if end >= 0 and buffer.startswith(b"</%b>" % tag, end) else b""
