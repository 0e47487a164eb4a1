"""How many examples a property gets that costs more than others: a part of what the profile asks for, so that the deep one goes deep here too."""

from __future__ import annotations

from typing import Final

from hypothesis import settings

LEAST: Final = 25


def one_in(parts: int) -> settings:
    """A `parts`th of the profile's examples, but no fewer than 25."""
    return settings(max_examples=max(LEAST, settings().max_examples // parts))
