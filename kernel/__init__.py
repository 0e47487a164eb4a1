"""The native kernel's typed face: pure functions over buffers, with the GIL released, no Python object per message.

What each function means is written in its readable twin (`wire.syslog_framing`, `wire.sldc`); tests hold the two equal.
"""

from __future__ import annotations

from enum import StrEnum


class Engine(StrEnum):
    """Which implementation runs where there are two: TIDEGATE_ENGINE, `replay --engine`."""

    NATIVE = "native"
    REFERENCE = "reference"
