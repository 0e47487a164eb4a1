"""Passing RADIUS accounting on: requests that go out, answers that come in, and what is sent again when (RFC 2866, RFC 2865, RFC 5080). No I/O, no clock.

A request leaves with the attributes it came with, all of them and in their order; a Message-Authenticator is made anew where it stands. New are Identifier and
Authenticator, and behind all others one Proxy-State (RFC 2865 section 5.33), the record's number. Acct-Delay-Time stays as the NAS wrote it, though time
passes here: RFC 2866 section 2.3 has a proxy change nothing else, and another value would make another request of each retransmission.

An answer counts if it is an Accounting-Response with the Identifier of a request that waits, signed for it with the secret, and returns every Proxy-State, ours
the last; the others are the NAS's and end here, since the NAS has an answer of our own. One that returns none at all counts too: it is signed for this very
request, and some servers leave Proxy-State out.

    rule            the answer
    radius-code     is none to an Accounting-Request
    proxy-state     returns other Proxy-States than were sent
    (others)        `wire.radius.authenticators.verify_response`; `radius-authenticator` is another secret, or an answer that came too late

Retransmission is RFC 5080 section 2.2.1's: after IRT, then twice as long each time up to MRT, each a tenth longer or shorter by chance, and octet for octet the
same, so that the server knows it again. Requests are sent in the order of their records; where one is lost, later ones may arrive before it.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from pipeline.errors import MessageError
from wire.radius.attributes import Attribute
from wire.radius.authenticators import PROXY_STATE, encode_accounting_request, verify_response
from wire.radius.packet import HEADER, Code, parse_packet

IRT_S: Final = 2.0
MRT_S: Final = 16.0
JITTER: Final = 0.1
IDENTIFIERS: Final = 256
STATE_OCTETS: Final = 8

OTHER_PROXY_STATE: Final = "proxy-state"
OVERSIZE: Final = "oversize"
UNREADABLE: Final = "unreadable"


class Original(NamedTuple):
    """A request to pass on.

    number:  of its record; no other has it.
    packet:  as it was received and verified.
    """

    number: int
    packet: bytes


def encode_relayed(original: Original, identifier: int, secret: bytes) -> bytes:
    """The request as it goes to the next server.

    Raises:
        ValueError: with its Proxy-State it is longer than a packet may be.
        MessageError: it is no packet.
    """
    attributes = parse_packet(original.packet).attributes
    return encode_accounting_request(identifier, (*attributes, Attribute(PROXY_STATE, original.number.to_bytes(STATE_OCTETS))), secret)


def check_answer(datagram: bytes, request: bytes, secret: bytes) -> None:
    """See that a datagram answers a request of ours.

    Raises:
        MessageError: a rule above.
    """
    answer = verify_response(datagram, request, secret)
    if answer.code != Code.ACCOUNTING_RESPONSE:
        raise MessageError("radius-code", document="RFC 2866 section 4.2", detail=str(answer.code))
    returned = answer.values(PROXY_STATE)
    if returned and returned != parse_packet(request).values(PROXY_STATE):
        raise MessageError(OTHER_PROXY_STATE, document="RFC 2865 section 5.33", detail=f"{len(returned)} returned")


@dataclass(slots=True)
class _Sent:
    """A request that waits for its answer.

    number:    of its record.
    place:     among the requests of its exchange.
    answers:   how many had come when it left.
    again_at:  when it is sent again; `wait` is the pause before that.
    until:     when it is given up.
    """

    number: int
    place: int
    answers: int
    request: bytes
    again_at: float
    wait: float
    until: float


class RelayExchange:
    """Requests to one server until each is answered, or one of them is given up. Times are seconds of any clock that only goes on.

    again:     how often something was sent again.
    refused:   answers that don't count, by rule.
    unfit:     why requests can't be passed on, by place.
    """

    def __init__(
        self,
        originals: Sequence[Original],
        secret: bytes,
        *,
        identifiers: deque[int],
        outstanding: int,
        patience: float,
        stop_at: float,
        random: Callable[[], float],
    ) -> None:
        """Make ready; nothing is sent yet.

        Args:
            originals: what to pass on, in order.
            secret: shared with the server.
            identifiers: those that are free on the socket, the one used longest ago first; goes from exchange to exchange of that socket.
            outstanding: how many requests may wait at once, up to IDENTIFIERS.
            patience: seconds after which an unanswered request is given up.
            stop_at: when to begin no more requests, so that what was answered by then is told before somebody loses patience with us.
            random: from 0.0 to 1.0.
        """
        self._secret, self._free, self._outstanding = secret, identifiers, outstanding
        self._patience, self._stop_at, self._random = patience, stop_at, random
        self._queue: Final = deque(enumerate(originals))
        self._waiting: Final[dict[int, _Sent]] = {}
        self._open: Final = set(range(len(originals)))
        self._count: Final = len(originals)
        self.unfit: Final = dict[int, str]()
        self.refused: Final = Counter[str]()
        self.again = 0
        self._answers = 0

    @property
    def answered(self) -> int:
        """How many, from the first on without gap, need nothing more."""
        return min(self._open, default=self._count)

    @property
    def ignored(self) -> list[int]:
        """Records' numbers of the requests that wait although the server has answered others since they left."""
        return [sent.number for sent in self._waiting.values() if self._answers > sent.answers]

    @property
    def waiting(self) -> int:
        """How many wait for an answer."""
        return len(self._waiting)

    @property
    def is_over(self) -> bool:
        """Whether nothing waits, and nothing is to be sent any more."""
        return not self._waiting and not self._queue

    def due(self, now: float) -> Iterator[bytes]:
        """What is to be sent now, first what is sent again."""
        for sent in self._waiting.values():
            if sent.again_at <= now:
                sent.wait = self._jittered(min(2 * sent.wait, MRT_S))
                sent.again_at = now + sent.wait
                self.again += 1
                yield sent.request
        while self._queue and self._free and len(self._waiting) < self._outstanding and now < self._stop_at:
            place, original = self._queue.popleft()
            try:
                request = encode_relayed(original, self._free[0], self._secret)
            except (ValueError, MessageError) as error:
                self.unfit[place] = UNREADABLE if isinstance(error, MessageError) else OVERSIZE
                self._open.discard(place)
                continue
            wait = self._jittered(IRT_S)
            self._waiting[self._free.popleft()] = _Sent(original.number, place, self._answers, request, now + wait, wait, now + self._patience)
            yield request

    def _jittered(self, wait: float) -> float:
        return wait * (1 + JITTER * (2 * self._random() - 1))

    def receive(self, datagram: bytes) -> None:
        """Take what came from the server's address."""
        identifier = datagram[1] if len(datagram) >= HEADER else -1
        sent = self._waiting.get(identifier)
        if sent is None:
            return
        try:
            check_answer(datagram, sent.request, self._secret)
        except MessageError as error:
            self.refused[error.rule] += 1
            return
        del self._waiting[identifier]
        self._free.append(identifier)
        self._open.discard(sent.place)
        self._answers += 1

    def next_at(self) -> float:
        """When something is due again, if no answer comes before."""
        return min((min(sent.again_at, sent.until) for sent in self._waiting.values()), default=float("-inf"))

    def is_given_up(self, now: float) -> bool:
        """Whether a request waited for too long, or time is up with requests left."""
        return any(sent.until <= now for sent in self._waiting.values()) or (bool(self._queue) and not self._waiting and now >= self._stop_at)
