"""Watch: how one destination fares, told where people look: one log line a change, a metric, `tidegate spool status`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Final

from pipeline.condition import Condition, State
from pipeline.errors import DeliveryError
from pipeline.log import Log
from pipeline.metrics import Metrics

MAX_DETAIL: Final = 1024

SAID: Final = {
    State.FAILING: "destination fails, records wait for it",
    State.DENIED: "destination denies us, records wait until its key, its name or its rights are right",
    State.REFUSING: "destination refuses what it should take, records wait until it takes them again",
    State.DEAD_LETTERS_FULL: "destination has as many dead letters as it may, records wait: requeue them, or raise dead_letters",
}
FOR_THE_OPERATOR: Final = frozenset(State) - {State.DELIVERING, State.FAILING}


class Watch:
    """One destination's condition.

    Args:
        name: of the forwarder.
        metrics: where its state is shown.
        log: bound to the destination.
        clock_ms: wall clock, ms since the Unix epoch.
    """

    def __init__(self, name: str, metrics: Metrics, log: Log, clock_ms: Callable[[], int]) -> None:
        self._name, self._metrics, self._log, self._clock_ms = name, metrics, log, clock_ms
        self.condition = Condition(State.DELIVERING, clock_ms())
        self._show()

    def fault(self, state: State, error: DeliveryError) -> None:
        """It isn't well: `error` says why."""
        now, old = self._clock_ms(), self.condition
        self.condition = Condition(
            state, old.since_ms if state is old.state else now, old.failures + 1, error.reason, error.detail[:MAX_DETAIL], fault_at_ms=now
        )
        if (state, error.reason) != (old.state, old.reason) or old.state is State.DELIVERING:
            say = self._log.error if state in FOR_THE_OPERATOR else self._log.warning
            say(SAID[state], reason=error.reason, detail=error.detail)
            self._show()

    def progress(self) -> None:
        """It took something, and isn't well for that."""
        self.condition = replace(self.condition, failures=0)

    def recovered(self) -> None:
        """It takes records; its last fault stays in memory."""
        if self.condition.state is not State.DELIVERING:
            self._log.info("destination takes records again", failures=self.condition.failures)
            self.condition = replace(self.condition, state=State.DELIVERING, since_ms=self._clock_ms())
            self._show()
        self.progress()

    def forget(self) -> None:
        """Take its state out of the metrics."""
        for state in State:
            with suppress(KeyError):
                self._metrics.destination_state.remove(self._name, state)

    def _show(self) -> None:
        for state in State:
            self._metrics.destination_state.labels(self._name, state).set(state is self.condition.state)
