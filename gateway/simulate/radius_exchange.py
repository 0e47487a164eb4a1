"""One client's conversation with an accounting server, sans-I/O: which requests are under way, when each is sent again, and which answer is whose.

    begin()      under an identifier that no other request under way has (RFC 2866 section 3), signed: send it
    due()        what nobody answered in time: the same octets again, or with a new Acct-Delay-Time as another packet (RFC 2866 section 5.2); or given up
    restart()    everything again at once, on a new connection (RFC 6613 section 2.6.1)
    answered()   the request that a holder of the secret answers, once

The time until a request is sent again doubles from the first to the longest (RFC 5080 section 2.2.1, without its randomness: a simulation can be repeated).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Final

from gateway.simulate.radius_sessions import Report
from gateway.simulate.radius_tally import Tally
from pipeline.errors import MessageError
from wire.radius.attributes import Attribute
from wire.radius.authenticators import encode_accounting_request, verify_response
from wire.radius.packet import Code

IDENTIFIERS: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """How a client sends.

    window:                 requests under way at once, 1 to 256.
    first, longest:         seconds until a request is sent again.
    tries:                  how often it is sent altogether, at most; 0 for without end.
    renews_delay:           whether a request that is sent again says for how long it has been tried, and so is another packet.
    message_authenticator:  whether requests carry one.
    """

    window: int = 64
    first: float = 2.0
    longest: float = 16.0
    tries: int = 10
    renews_delay: bool = False
    message_authenticator: bool = False


Describe = Callable[[Report, int], Sequence[Attribute]]
"""The attributes of a request about a report, by its Acct-Delay-Time in seconds."""


@dataclass(slots=True)
class Pending:
    """A request under way.

    report:      what it is about.
    octets:      as last sent.
    begun:       when it was sent first.
    wait:        seconds until it is sent again.
    tries:       how often it was sent.
    """

    report: Report
    octets: bytes
    begun: float
    wait: float
    tries: int = 1


class Exchange:
    """The requests of one source port, or of one stream. Times are seconds on any clock that never goes back."""

    def __init__(self, secret: bytes, describe: Describe, habits: Habits, tally: Tally) -> None:
        self._secret, self._describe, self._habits, self._tally = secret, describe, habits, tally
        self._pending: dict[int, Pending] = {}
        self._due: list[tuple[float, int, Pending]] = []  # of requests long answered too
        self._last = 0

    @property
    def under_way(self) -> int:
        """Requests that nobody answered yet."""
        return len(self._pending)

    @property
    def room(self) -> int:
        """How many more requests may begin."""
        return self._habits.window - len(self._pending)

    @property
    def next_due(self) -> float:
        """When something is to be sent again, or given up; infinite if nothing is under way."""
        while self._due and self._pending.get(self._due[0][1]) is not self._due[0][2]:
            heappop(self._due)
        return self._due[0][0] if self._due else float("inf")

    def begin(self, report: Report, now: float) -> bytes:
        """A new request's octets; only where there is room."""
        identifier = self._free()
        pending = Pending(report, self._encode(identifier, report, 0), now, self._habits.first)
        self._pending[identifier] = pending
        heappush(self._due, (now + pending.wait, identifier, pending))
        self._tally.sent += 1
        return pending.octets

    def due(self, now: float) -> list[bytes]:
        """What is to be sent again; what was tried often enough is given up and counted."""
        again: list[bytes] = []
        while self.next_due <= now:
            _, identifier, pending = heappop(self._due)
            if pending.tries == self._habits.tries:
                del self._pending[identifier]
                self._tally.unanswered += 1
                continue
            if self._habits.renews_delay:
                del self._pending[identifier]
                identifier = self._free()
                pending.octets = self._encode(identifier, pending.report, int(now - pending.begun))
                self._pending[identifier] = pending
            pending.tries += 1
            pending.wait = min(pending.wait * 2, self._habits.longest)
            heappush(self._due, (now + pending.wait, identifier, pending))
            again.append(pending.octets)
        self._tally.resent += len(again)
        return again

    def restart(self) -> list[bytes]:
        """Everything under way, in the order it began."""
        self._tally.resent += len(self._pending)
        return [pending.octets for pending in sorted(self._pending.values(), key=lambda pending: pending.begun)]

    def answered(self, datagram: bytes, now: float) -> Pending | None:
        """The request that this answers; None if it answers none, or nobody who has the secret sent it."""
        pending = self._pending.get(datagram[1]) if len(datagram) > 1 else None
        if pending is None:
            self._tally.stray += 1  # mostly a second answer to what was sent twice
            return None
        try:
            answer = verify_response(datagram, pending.octets, self._secret)
        except MessageError as error:
            self._tally.note(error.rule)
            return None
        if answer.code != Code.ACCOUNTING_RESPONSE:
            self._tally.note("radius-code")
            return None
        del self._pending[datagram[1]]
        self._tally.take(pending.report.status, now - pending.begun)
        return pending

    def abandon(self) -> None:
        """Give up what is under way."""
        self._tally.unanswered += len(self._pending)
        self._pending.clear()

    def _free(self) -> int:
        while (identifier := (self._last + 1) % IDENTIFIERS) in self._pending:
            self._last = identifier
        self._last = identifier
        return identifier

    def _encode(self, identifier: int, report: Report, delay: int) -> bytes:
        attributes = self._describe(report, delay)
        return encode_accounting_request(identifier, attributes, self._secret, message_authenticator=self._habits.message_authenticator)
