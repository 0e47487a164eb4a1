"""How a running listener takes new settings: what may fail comes first, and what puts them in force can't.

    prepare   reads files, and raises where one can't be used; nothing has changed then
    apply     at once, without an await: whatever comes next meets the new settings

So several listeners change together or not at all. Connections stay: whoever is connected keeps what the beginning of the connection gave it, and
what is asked per message is asked of the new settings.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

Settings = TypeVar("Settings")

Apply = Callable[[], None]
"""Puts prepared settings in force. Doesn't raise."""


class Renewal(Generic[Settings]):
    """One listener's way to take new settings; it offers one as soon as it has what they change."""

    def __init__(self) -> None:
        self._prepare: Callable[[Settings], Apply] | None = None

    def offer(self, prepare: Callable[[Settings], Apply]) -> None:
        """Say how settings are prepared, from now on."""
        self._prepare = prepare

    def prepare(self, settings: Settings) -> Apply:
        """Get ready to take new settings; of a listener that doesn't run yet, nothing has to be changed.

        Raises:
            ConfigError: a file they name can't be used.
        """
        return _nothing if self._prepare is None else self._prepare(settings)


def _nothing() -> None:
    pass
