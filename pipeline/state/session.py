"""A VPN session as RADIUS accounting tells it (RFC 2866), and what one more word on it makes of it.

Words come late, twice, out of order or not at all, and a server may use an ID again. So:

    word                                       then
    the first on an ID, whatever it says       makes a session; a Stop makes one that has ended
    says it began after all that was heard     another session with the same ID; the one before has ended by then
    a Stop from before it began                the end of an earlier session with the same ID, which makes a closed one
    on a session that has ended                never opens it again, and adds only what wasn't known
    older than what was heard last             adds only what wasn't known
    Accounting-On or Off                       ends every session of that server which began before it, also one that is told of later
    of a time that can't be                    is of now: a server's clock isn't set yet when it says that it began anew

A session that nobody says a word about for as long as the idle timeout has ended by then.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final, NamedTuple

from pipeline.model import SessionChange, SessionEvent

Id = tuple[str, str]
"""NAS and Acct-Session-Id."""

UNNUMBERED: Final = 0

SLACK_MS: Final = 10_000
"""How much earlier than its beginning a session may end: servers without a clock have times of arrival and Acct-Delay-Time, which is in whole seconds."""


DAY_MS: Final = 86_400_000

BEHIND_MS: Final = 30 * DAY_MS
"""How old a word may be: one that waited in some proxy's file is days old, one of a clock that isn't set is of 1970 or of the year of its firmware."""

AHEAD_MS: Final = DAY_MS
"""How far ahead of our clock a word may be: by a time zone, taken for UTC."""


class Session(NamedTuple):
    """One session; times in ms since the Unix epoch.

    number:       in the order in which sessions came to be known, from 1; UNNUMBERED before it has one.
    nas:          the server: its address, else its name.
    session_id:   Acct-Session-Id. Empty for what is kept of the server itself: the last time it began anew, as `ended_at_ms`.
    user, domain: the account, case preserved; empty where not told.
    address:      the tunnel address given to the client; empty where not told.
    client:       the client's own address; empty where not told.
    begun_at_ms:  when it began, as far as is known.
    last_at_ms:   of the latest word on it.
    ended_at_ms:  when it ended; None while it is open.
    heard_at_ms:  our clock when it was last changed.
    """

    number: int
    nas: str
    session_id: str
    user: str
    domain: str
    address: str
    client: str
    begun_at_ms: int
    last_at_ms: int
    ended_at_ms: int | None
    heard_at_ms: int

    @property
    def key(self) -> Id:
        return self.nas, self.session_id

    @property
    def is_open(self) -> bool:
        """Whether no word has ended it."""
        return self.ended_at_ms is None

    def is_newer(self, other: Session) -> bool:
        """Whether it is the newer of two with the same ID, or the same one later."""
        return (self.last_at_ms, self.number) >= (other.last_at_ms, other.number)

    def was_open(self, at_ms: int, idle_ms: int) -> bool:
        """Whether it was open at a time, both ends included."""
        end = self.last_at_ms + idle_ms if self.ended_at_ms is None else self.ended_at_ms
        return self.begun_at_ms <= at_ms <= end

    def ended_by(self, restarts: Sequence[int]) -> Session:
        """Itself, closed if it is open and its server began anew behind its beginning.

        Args:
            restarts: times of that, ascending.
        """
        if self.ended_at_ms is not None:
            return self
        place = bisect_right(restarts, self.begun_at_ms)
        return self._replace(ended_at_ms=restarts[place]) if place < len(restarts) else self


def fold_account(name: str) -> bytes:
    """A user's or domain's name without case, ASCII alone."""
    return name.encode("utf-8", "surrogatepass").lower()


def timed(change: SessionChange, now_ms: int) -> SessionChange:
    """A word by our clock, if its server's can't be right."""
    if now_ms - BEHIND_MS <= change.at_ms <= now_ms + AHEAD_MS:
        return change
    started = change.started_at_ms
    return change._replace(at_ms=now_ms, started_at_ms=None if started is None else started - change.at_ms + now_ms)


def follow(known: Session | None, change: SessionChange, now_ms: int) -> tuple[Session, ...]:
    """What a word makes of the newest session with its ID.

    Args:
        known: that session; None if there is none.
        change: the word; any but RESTART.
        now_ms: our clock.

    Returns:
        The sessions that are new or changed, the newest with this ID last.
    """
    at_ms, stopped = change.at_ms, change.event is SessionEvent.STOP
    begun = at_ms if change.started_at_ms is None else min(change.started_at_ms, at_ms)
    if known is None:
        return (_made_by(change, begun, now_ms),)
    says_begun = change.event is SessionEvent.START or change.started_at_ms is not None
    if says_begun and begun > known.last_at_ms:
        fresh = _made_by(change, begun, now_ms)
        return (known._replace(ended_at_ms=begun, heard_at_ms=now_ms), fresh) if known.is_open else (fresh,)
    if stopped and at_ms < known.begun_at_ms - SLACK_MS:
        return (_made_by(change, begun, now_ms), known)
    return (_changed_by(change, begun, now_ms, known),)


def _made_by(change: SessionChange, begun: int, now_ms: int) -> Session:
    at_ms, ended = change.at_ms, change.at_ms if change.event is SessionEvent.STOP else None
    return Session(UNNUMBERED, change.nas, change.session_id, change.user, change.domain, change.address, change.client, begun, at_ms, ended, now_ms)


def _changed_by(change: SessionChange, begun: int, now_ms: int, known: Session) -> Session:
    """A session after one word more on it: what the later word tells counts, the earlier one fills what it leaves out."""
    is_later = known.is_open and change.at_ms >= known.last_at_ms
    first, second = (change, known) if is_later else (known, change)
    account = first if first.user else second
    last = change.at_ms if is_later else known.last_at_ms
    was_open = known.ended_at_ms is None
    return Session(
        known.number,
        known.nas,
        known.session_id,
        account.user,
        account.domain,
        first.address or second.address,
        first.client or second.client,
        min(known.begun_at_ms, begun),
        last,
        last if was_open and change.event is SessionEvent.STOP else known.ended_at_ms,
        now_ms if was_open else known.heard_at_ms,
    )
