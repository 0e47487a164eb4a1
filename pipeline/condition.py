"""How a destination fares: the state it is in, and the last fault it had."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """What a destination's loop is doing."""

    DELIVERING = "delivering"
    """It takes what there is, or has it all."""

    FAILING = "failing"
    """Attempts fail: tried again, after pauses that grow."""

    DENIED = "denied"
    """It doesn't let us in: the operator has to act."""

    REFUSING = "refusing"
    """It refuses so many records that it must be at fault itself, or nothing but the last ones there are: nothing is parked, the operator should look."""

    DEAD_LETTERS_FULL = "dead-letters-full"
    """It refuses records, and as many are parked as may be: the operator has to requeue or to raise the limit."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Where a destination stands.

    state:        what it is in.
    since_ms:     when it came into it, ms since the Unix epoch.
    failures:     attempts that failed since something was last taken.
    reason, detail, fault_at_ms: of its last fault, however long ago; empty and None if it had none.
    """

    state: State
    since_ms: int
    failures: int = 0
    reason: str = ""
    detail: str = ""
    fault_at_ms: int | None = None
