"""The table of VPN sessions: who had which address when, fed by the commits that made the words on it durable.

A commit plans what its words change, stores the plan with them (`pipeline.state.stored_sessions`), and has the table take it over once it is durable. So the
table is what a restart would load, always.

The kernel holds it (`kernel.SessionTable`), at about 0.4 kB a session; what it does is written in `pipeline.state.table`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import starmap
from typing import Final

from kernel import SessionPlan, SessionTable
from pipeline.state.session import Id, Session, fold_account
from pipeline.state.settings import SessionSettings


class Sessions:
    """The table. Any thread may ask while another one plans.

    Args:
        settings: how many, and for how long.
    """

    def __init__(self, settings: SessionSettings) -> None:
        self._table: Final = SessionTable(settings.max, int(settings.idle * 1000), int(settings.keep_closed * 1000))

    def __len__(self) -> int:
        return len(self._table)

    def __iter__(self) -> Iterator[Session]:
        return starmap(Session, self._table.sessions())

    @property
    def open(self) -> int:
        """How many haven't ended, nor fallen silent."""
        return self._table.open

    def of_account(self, name: str, domain: str | None, at_ms: int) -> Sequence[Session]:
        """The sessions of an account that were open at a time, in the order in which they began.

        Args:
            name: of the user; compared without case (ASCII).
            domain: of the account, likewise; empty for sessions that were told without one, None for any.
            at_ms: the event's time, ms since the Unix epoch.
        """
        found = [Session(*each) for each in self._table.of_account(fold_account(name), at_ms)]
        return found if domain is None else [session for session in found if fold_account(session.domain) == fold_account(domain)]

    def of_address(self, address: str, at_ms: int) -> Sequence[Session]:
        """The sessions that had a tunnel address at a time, in the order in which they began.

        Args:
            address: as records have it.
            at_ms: the event's time, ms since the Unix epoch.
        """
        return [Session(*each) for each in self._table.of_address(address, at_ms)]

    def newest(self, key: Id) -> Session | None:
        """The newest session with this ID."""
        found = self._table.newest(*key)
        return None if found is None else Session(*found)

    def load(self, stored: Iterable[Session]) -> None:
        """Take in what was stored, in the order in which it was last heard of."""
        for session in stored:
            self._table.put(session)

    def plan(self, changes: bytes, now_ms: int) -> SessionPlan:
        """What these words, and the time, change in the table; nothing is changed yet.

        Args:
            changes: packed (`pipeline.state.changes`), in order.
            now_ms: our clock.
        """
        return self._table.plan(changes, now_ms)

    def take(self, plan: SessionPlan) -> None:
        """Change what a plan says, which is durable now."""
        self._table.take(plan)
