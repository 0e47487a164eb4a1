"""Whose fault it is that a destination refuses records: the records', or its own. No I/O.

A batch is what a destination is given at once. What it refuses as a whole, or finds too large, is halved until the records that are meant stand alone.
Nothing is parked before the whole batch's picture is known:

    of a batch are refused               then
    none                                 it is done
    at most half, or fewer than three    the records are at fault: they are parked
    over half, and at least three        the destination is at fault: nothing is parked
    all, of fewer than three             nobody can say yet: the batch stays in hand until more is known

and of the batches in hand:

    one was taken, be it in part         the refused records of all of them are at fault
    three in a row were refused whole    the destination is at fault

So a lone poison record is parked as soon as the destination takes another, and a destination that refuses everything has nothing parked.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import Final, NamedTuple

from forwarders.destination import Delivered
from pipeline.errors import DeliveryError, Fault
from pipeline.spool.row import Row

IN_A_ROW: Final = 3


class Verdict(Enum):
    """What is known of a batch, or of the batches in hand."""

    OPEN = auto()
    """Something has yet to be sent."""

    UNCLEAR = auto()
    """More has to be sent behind it."""

    DESTINATION = auto()
    """The destination is at fault."""

    RECORDS = auto()
    """Those that were refused, if any, are at fault themselves."""


class Refused(NamedTuple):
    """A record that was refused, as a row of its own."""

    row: Row
    error: DeliveryError


class Parcel:
    """A batch, and what became of each of its records so far.

    Args:
        row: the batch.
    """

    def __init__(self, row: Row) -> None:
        self.row: Final = row
        self._queue = deque([row])
        self._refused: dict[int, Refused] = {}
        self._size = len(row)

    @property
    def next(self) -> Row | None:
        """What is to be sent next: records in order, of which none is settled."""
        return self._queue[0] if self._queue else None

    @property
    def refused(self) -> Sequence[Refused]:
        """What was refused, in order."""
        return [self._refused[number] for number in sorted(self._refused)]

    @property
    def open_from(self) -> int | None:
        """Number of the first record that was neither taken nor given up, None if there is none."""
        waiting = [min(self._refused)] if self._refused else []
        waiting += [self._queue[0].numbers[0]] if self._queue else []
        return min(waiting, default=None)

    @property
    def verdict(self) -> Verdict:
        """What is known by now; the destination is at fault as soon as that is certain."""
        blamed = len(self._refused)
        if blamed >= IN_A_ROW and 2 * blamed > self._size:
            return Verdict.DESTINATION
        if self._queue:
            return Verdict.OPEN
        return Verdict.UNCLEAR if blamed and blamed == self._size else Verdict.RECORDS

    def took(self, delivered: Delivered) -> Row | None:
        """Take a destination's answer to `next`; what it is done with, None if nothing."""
        piece = self._queue.popleft()
        left = {place for place in (*delivered.refused, *delivered.again) if 0 <= place < len(piece)}
        for place, (reason, detail) in delivered.refused.items():
            if place in left:
                self._refuse(piece.pick([place]), DeliveryError(reason, Fault.REFUSED, detail=detail))
        again = sorted(left.difference(delivered.refused))
        if again:
            self._queue.appendleft(piece.pick(again))
        done = [place for place in range(len(piece)) if place not in left] if left else range(len(piece))
        return piece.pick(done) if done else None

    def failed(self, error: DeliveryError) -> Row | None:
        """Take what a destination raised at `next`; what it took before, None if nothing."""
        piece, taken = self._queue.popleft(), None
        if error.taken >= len(piece):
            return piece
        if error.taken > 0:
            taken, piece = piece.split(error.taken)
        if error.fault in (Fault.RETRY, Fault.DENIED):
            self._queue.appendleft(piece)
        elif len(piece) > 1:
            self._queue.extendleft(reversed(piece.split(len(piece) // 2)))
        else:
            self._refuse(piece, error)
        return taken

    def _refuse(self, single: Row, error: DeliveryError) -> None:
        self._refused[single.numbers[0]] = Refused(single, error)

    def settle(self, refused: Refused) -> None:
        """Take that a refused record is parked."""
        del self._refused[refused.row.numbers[0]]

    def retry(self) -> None:
        """Send what was refused once more, with all that waits and in order, as if it had never been sent."""
        if self._refused:
            numbers = {*self._refused, *(number for piece in self._queue for number in piece.numbers)}
            self._queue = deque([self.row.pick([place for place, number in enumerate(self.row.numbers) if number in numbers])])
            self._refused.clear()

    def drop(self, is_dropped: Callable[[Row], bool]) -> bool:
        """Take that what isn't settled was given up, where `is_dropped` says so of a piece; whether nothing is left for that."""
        pieces = [*self._queue]
        self._queue = deque(piece for piece in pieces if not is_dropped(piece))
        refused = [*self._refused.values()]
        self._refused = {each.row.numbers[0]: each for each in refused if not is_dropped(each.row)}
        return self.open_from is None and bool(pieces or refused)


def judge(parcels: Sequence[Parcel]) -> Verdict:
    """What is known of all the batches in hand, of which none is open unless the destination is at fault."""
    verdicts = [parcel.verdict for parcel in parcels]
    if Verdict.DESTINATION in verdicts:
        return Verdict.DESTINATION
    if any(verdict is not Verdict.UNCLEAR for verdict in verdicts):
        return Verdict.RECORDS
    return Verdict.DESTINATION if len(verdicts) >= IN_A_ROW else Verdict.UNCLEAR
