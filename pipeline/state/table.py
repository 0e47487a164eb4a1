"""What the table of VPN sessions does: the specification of `kernel.SessionTable`, by which `pipeline.state.sessions` does it.

Bounded in number and age. A session that has ended leaves some time later; one that falls silent counts as ended, unless it is heard of again in that time.
Where there are too many, what ended longest ago leaves first, and then what was silent longest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice, takewhile
from typing import Final, TypeVar

from pipeline.model import SessionChange, SessionEvent
from pipeline.state.session import UNNUMBERED, Id, Session, fold_account, follow, timed
from pipeline.state.settings import SessionSettings

AGED_AT_ONCE: Final = 1000
"""Sessions that may leave, or end by silence, with one commit."""

Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class SessionPlan:
    """What a commit changes in the table.

    saved:    sessions that are new or changed, by number.
    silent:   numbers of those that count as ended now.
    gone:     numbers of those that leave.
    evicted:  how many of them leave because there are too many.
    """

    saved: Mapping[int, Session]
    silent: tuple[int, ...]
    gone: tuple[int, ...]
    evicted: int


class SessionTable:
    """The table.

    Args:
        settings: how many, and for how long.
    """

    def __init__(self, settings: SessionSettings) -> None:
        self._max: Final = settings.max
        self._idle_ms, self._keep_ms = int(settings.idle * 1000), int(settings.keep_closed * 1000)
        self._open: Final[dict[int, Session]] = {}  # in the order in which they were last heard of
        self._closed: Final[dict[int, Session]] = {}  # ended or silent, in the order in which they came to be so
        self._newest: Final[dict[Id, int]] = {}
        self._of_nas: Final[dict[str, set[int]]] = {}  # those without an end
        self._of_account: Final[dict[bytes, set[int]]] = {}
        self._of_address: Final[dict[str, set[int]]] = {}
        self._next_number = UNNUMBERED + 1

    def __len__(self) -> int:
        return len(self._open) + len(self._closed)

    def __iter__(self) -> Iterator[Session]:
        return chain(self._closed.values(), self._open.values())

    @property
    def open(self) -> int:
        """How many haven't ended, nor fallen silent."""
        return len(self._open)

    def of_account(self, name: str, domain: str | None, at_ms: int) -> Sequence[Session]:
        """The sessions of an account that were open at a time, in the order in which they began.

        Args:
            name: of the user; compared without case (ASCII).
            domain: of the account, likewise; empty for sessions that were told without one, None for any.
            at_ms: the event's time, ms since the Unix epoch.
        """
        found = self._were_open(self._of_account.get(fold_account(name), ()), at_ms)
        return found if domain is None else [session for session in found if fold_account(session.domain) == fold_account(domain)]

    def of_address(self, address: str, at_ms: int) -> Sequence[Session]:
        """The sessions that had a tunnel address at a time, in the order in which they began.

        Args:
            address: as records have it.
            at_ms: the event's time, ms since the Unix epoch.
        """
        return self._were_open(self._of_address.get(address, ()), at_ms)

    def _were_open(self, numbers: Iterable[int], at_ms: int) -> list[Session]:
        sessions = (self.session(number) for number in numbers)
        return sorted((each for each in sessions if each and each.was_open(at_ms, self._idle_ms)), key=lambda each: (each.begun_at_ms, each.number))

    def session(self, number: int) -> Session | None:
        """The session of this number, if it is still known."""
        return self._open.get(number) or self._closed.get(number)

    def _sure(self, number: int) -> Session:
        return self._open[number] if number in self._open else self._closed[number]

    def newest(self, key: Id) -> Session | None:
        """The newest session with this ID."""
        return self.session(self._newest.get(key, UNNUMBERED))

    def load(self, stored: Iterable[Session]) -> None:
        """Take in what was stored, in the order in which it was last heard of."""
        for session in stored:
            self._put(session)

    def plan(self, changes: Sequence[SessionChange], now_ms: int) -> SessionPlan:
        """What these words, and the time, change in the table; nothing is changed yet.

        Args:
            changes: in order.
            now_ms: our clock.
        """
        draft = _Draft(self, self._next_number, now_ms)
        for change in changes:
            draft.hear(timed(change, now_ms))
        if draft.restarts:
            untold = (self._sure(number) for nas in draft.restarts for number in sorted(self._of_nas.get(nas, ())) if number not in draft.saved)
            before = [session for session in untold if session.begun_at_ms < draft.restarts[session.nas][-1]]
            for session in (*before, *draft.saved.values()):
                draft.keep(session.ended_by(draft.restarts.get(session.nas, ())), session)
        saved = draft.saved
        silent = self._aged(self._open, saved, lambda session: now_ms - session.heard_at_ms > self._idle_ms)
        gone = self._aged(self._closed, saved, lambda session: now_ms - session.heard_at_ms > self._keep_ms + (self._idle_ms if session.is_open else 0))
        excess = len(self) + sum(self.session(number) is None for number in saved) - len(gone) - self._max
        if excess <= 0:
            return SessionPlan(saved, silent, gone, 0)
        evicted = dict.fromkeys(islice(self._leaving(saved, frozenset(gone)), excess))
        left = {number: session for number, session in saved.items() if number not in evicted}
        return SessionPlan(left, silent, (*gone, *evicted), len(evicted))

    def _aged(self, known: Mapping[int, Session], saved: Mapping[int, Session], is_old: Callable[[Session], bool]) -> tuple[int, ...]:
        """Numbers of the first sessions that are old, and were not heard of just now."""
        first = takewhile(lambda item: is_old(item[1]), islice(known.items(), AGED_AT_ONCE))
        return tuple(number for number, _ in first if number not in saved)

    def _leaving(self, saved: Mapping[int, Session], gone: frozenset[int]) -> Iterator[int]:
        """Numbers of those that leave where there are too many, first to last."""
        for known in (self._closed, self._open):
            yield from (number for number in known if number not in gone and number not in saved)
        for is_open in (False, True):
            yield from (number for number, session in saved.items() if session.is_open is is_open)

    def take(self, plan: SessionPlan) -> None:
        """Change what a plan says, which is durable now."""
        for number in plan.gone:
            self._remove(number)
        for number in plan.silent:
            silent = self._open.pop(number, None)
            if silent is not None:
                self._closed[number] = silent
        for session in plan.saved.values():
            self._put(session)

    def _put(self, session: Session) -> None:
        self._remove(session.number)
        number = session.number
        if session.is_open:
            self._open[number] = session
            self._of_nas.setdefault(session.nas, set()).add(number)
        else:
            self._closed[number] = session
        newest = self.newest(session.key)
        if newest is None or session.is_newer(newest):
            self._newest[session.key] = number
        if session.user:
            self._of_account.setdefault(fold_account(session.user), set()).add(number)
        if session.address:
            self._of_address.setdefault(session.address, set()).add(number)
        self._next_number = max(self._next_number, number + 1)

    def _remove(self, number: int) -> None:
        session = self._open.pop(number, None) or self._closed.pop(number, None)
        if session is None:
            return
        if self._newest.get(session.key) == number:
            del self._newest[session.key]
        _discard(self._of_nas, session.nas, number)
        _discard(self._of_account, fold_account(session.user), number)
        _discard(self._of_address, session.address, number)


def _discard(index: dict[Key, set[int]], key: Key, number: int) -> None:
    numbers = index.get(key)
    if numbers is not None:
        numbers.discard(number)
        if not numbers:
            del index[key]


class _Draft:
    """A plan in the making: the table as it will be, laid over the table as it is.

    saved:     sessions that are new or changed, by number.
    restarts:  when servers that began anew in this commit did so, and the last time before that; ascending.
    """

    def __init__(self, table: SessionTable, next_number: int, now_ms: int) -> None:
        self._table, self._next_number, self._now_ms = table, next_number, now_ms
        self.saved: Final[dict[int, Session]] = {}
        self.restarts: Final[dict[str, list[int]]] = {}
        self._newest: Final[dict[Id, int]] = {}
        self._former: Final[dict[str, Sequence[int]]] = {}

    def hear(self, change: SessionChange) -> None:
        """Take in one word; one without an ID says nothing."""
        if change.event is SessionEvent.RESTART:
            self._restart(change)
        elif change.session_id:
            restarts = self._restarts_of(change.nas)
            known = self._known((change.nas, change.session_id))
            for session in follow(known.ended_by(restarts) if known and restarts else known, change, self._now_ms):
                self.keep(session.ended_by(restarts[-1:]) if restarts else session, known)

    def _restart(self, change: SessionChange) -> None:
        """A server began anew: what ends by that is seen to when it is heard of, and of all others when the plan is made.

        One that comes late finds ended what it could have ended.
        """
        at_ms, restarts = change.at_ms, self._restarts_of(change.nas)
        if restarts and at_ms <= restarts[-1]:
            return
        known = self._known((change.nas, ""))
        self.restarts.setdefault(change.nas, [*restarts]).append(at_ms)
        self.keep(Session(known.number if known else UNNUMBERED, change.nas, "", "", "", "", "", at_ms, at_ms, at_ms, self._now_ms), known)

    def _restarts_of(self, nas: str) -> Sequence[int]:
        known = self.restarts.get(nas) or self._former.get(nas)
        if known is None:
            server = self._table.newest((nas, ""))
            known = self._former[nas] = () if server is None else (server.last_at_ms,)
        return known

    def _known(self, key: Id) -> Session | None:
        number = self._newest.get(key)
        return self._table.newest(key) if number is None else self.saved[number]

    def keep(self, session: Session, known: Session | None) -> None:
        """Save a session if it isn't what is known of it."""
        if session == known:
            return
        if session.number == UNNUMBERED:
            session = Session(self._next_number, *session[1:])
            self._next_number += 1
        self.saved[session.number] = session
        key = session.key
        newest = self._known(key)
        if newest is None or newest is session or session.is_newer(newest):
            self._newest[key] = session.number
