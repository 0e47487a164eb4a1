"""metadata.uid: a UUID version 5 (RFC 9562 section 5.5) of what identifies an event wherever it came through.

Strong uids are made of computer, channel, event ID, record ID and whole seconds: relays drop fractions, and record IDs restart when a log is
cleared. An event without record ID has a weak one of its data: different events may share it, so nobody may take it for a duplicate.
Those of RADIUS accounting are made of NAS, session, status type, time and session time: a packet sent again has another Identifier and Authenticator once
its Acct-Delay-Time changed, and where it carries no time of its own, arrival less that delay is the same up to a few seconds: hence steps of ten.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Final
from uuid import UUID, uuid5

from normalizers.plan import Input, Scalar, Uid, Where

UNIT_SEPARATOR: Final = "\x1f"
PAYLOAD: Final = "@payload"

_LOWER: Final = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
_MARKS: Final = {where.value: where for where in Where if where.value}


def make_uid(
    namespace: str, ways: Sequence[Uid], read: Callable[[Input], Scalar | None], payload: Sequence[tuple[str, str]], *, timed: bool
) -> tuple[UUID, bool]:
    """(uid, weak) by the first way whose need is present; `timed` is False where the event's time was invented."""
    way = next(way for way in ways if way.need is None or read(way.need) is not None)
    texts = [_part(part, read, payload, timed=timed) for part in way.parts]
    return uuid5(UUID(namespace), UNIT_SEPARATOR.join(texts)), way.weak


def _part(part: str, read: Callable[[Input], Scalar | None], payload: Sequence[tuple[str, str]], *, timed: bool) -> str:
    if part.startswith("'"):
        return part[1:]
    if part == PAYLOAD:
        return hashlib.sha256(UNIT_SEPARATOR.join(sorted(f"{name}={text}" for name, text in payload)).encode()).hexdigest()
    for alternative in part.split("/"):
        source, _, how = alternative.partition("|")
        where = _MARKS.get(source[:1], Where.PAYLOAD)
        value = read(Input(where, source[len(where.value) :]))
        if value is not None:
            return _spelled(value, how, timed=timed)
    return ""


def _spelled(value: Scalar, how: str, *, timed: bool) -> str:
    match how, value:
        case "seconds", int():
            return str(value // 1000) if timed else ""
        case "tens", int():
            return str(value // 10_000 * 10)
        case "lower", str():
            return value.translate(_LOWER)
    return str(value)
