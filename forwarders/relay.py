"""The relay: RADIUS accounting passed on to a sensor, or to any other server, packet by packet as it came (docs/forwarders/radius-relay.md).

What was received lies beside the records while a relay is configured (`Spool.originals`). A record is delivered when the next server has answered its packet.

Left out, and counted by reason when the rest of the row was answered:

    no-original   the record came otherwise than by RADIUS, or before there was a relay
    oversize      with a Proxy-State it is longer than a packet may be
    unreadable    what lies there is no packet

An attempt fails where a packet isn't answered in time (`unanswered`; `refused-answers` where answers came that don't count, which mostly is another secret),
where the server is too slow to answer the whole row in half the time of an attempt (`slow`), or by what the system says. What was answered from the first
record on is never sent again; what came behind it may be, as another request.

A packet that the server ignored in each of five attempts, while it answered others, is refused (`ignored`): it is parked, and the others go on. Where nothing
else is answered, nothing is given up.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import trio

from forwarders.destination import Delivered, Limits
from forwarders.relay_exchange import IDENTIFIERS, Original, RelayExchange
from forwarders.sensor_settings import RelaySettings
from forwarders.transports import connect_datagrams, delivery_errors
from pipeline.errors import DeliveryError, Fault, SpoolError
from pipeline.metrics import Metrics
from pipeline.spool.row import Row
from wire.radius.packet import MAX_LENGTH

NO_ORIGINAL: Final = "no-original"
IGNORED: Final = "ignored"
IGNORED_OFTEN: Final = 5
LONGEST_PATIENCE_S: Final = 30.0
"""MRD of RFC 5080 section 2.2.1."""


class Relay:
    """A Destination: one server.

    Args:
        settings: its table.
        metrics: where skipped records, retransmissions and refused answers are counted.
        originals: gives the packets of a row, `b""` for a record without.
        random: from 0.0 to 1.0, for retransmission.
    """

    limits: Final = Limits()

    def __init__(
        self,
        settings: RelaySettings,
        metrics: Metrics,
        *,
        originals: Callable[[Row], Awaitable[Sequence[bytes]]],
        random: Callable[[], float],
    ) -> None:
        self._settings, self._metrics, self._originals, self._random = settings, metrics, originals, random
        self._secret: Final = settings.secret.get_secret_value()
        self._half: Final = settings.retry.timeout * 0.45  # twice that is an attempt, with some time to spare
        self._socket: trio.socket.SocketType | None = None
        self._identifiers: deque[int] = deque()
        self._ignored: Counter[int] = Counter()
        metrics.relay_retransmissions.labels(settings.name)

    async def open(self, state: bytes) -> None:  # noqa: ARG002 - a relay has no memory of its own
        """Begin at a port of its own, where no answer of an earlier attempt arrives.

        Raises:
            DeliveryError: RETRY.
        """
        await self.close()
        self._socket = await connect_datagrams(self._settings.address[1])
        self._identifiers = deque(range(IDENTIFIERS))

    async def deliver(self, row: Row) -> Delivered:
        """Pass on every packet of a row, and wait for all answers. There is no state.

        Raises:
            DeliveryError: RETRY; `taken` counts the records from the first on that were answered or have nothing to pass on. REFUSED where
                a packet is ignored again and again.
        """
        self._ignored = Counter({number: count for number, count in self._ignored.items() if number >= row.numbers[0]})
        if any(self._ignored[number] >= IGNORED_OFTEN for number in row.numbers):
            raise DeliveryError(IGNORED, Fault.REFUSED, detail=f"{self._settings.address[1]} answers others, and never this one")
        try:
            found = await self._originals(row)
        except SpoolError as error:
            raise DeliveryError("spool", Fault.RETRY, detail=str(error)) from error
        places = [place for place, packet in enumerate(found) if packet]
        now = trio.current_time()
        exchange = RelayExchange(
            [Original(row.numbers[place], found[place]) for place in places],
            self._secret,
            identifiers=self._identifiers,
            outstanding=self._settings.outstanding,
            patience=min(self._half, LONGEST_PATIENCE_S),
            stop_at=now + self._half,
            random=self._random,
        )
        try:
            await self._run(exchange)
        except DeliveryError as error:
            self._ignored.update(exchange.ignored)
            taken = places[exchange.answered] if exchange.answered < len(places) else len(found)
            skipped = self._skip(exchange, taken - exchange.answered)
            raise DeliveryError(error.reason, Fault.RETRY, detail=error.detail, taken=taken, skipped=skipped) from error
        finally:
            self._count(exchange)
        return Delivered(skipped=self._skip(exchange, len(found) - len(places)))

    def _skip(self, exchange: RelayExchange, without: int) -> int:
        """Count what can't be passed on of the records that are done with, `without` of them for want of a packet; how many."""
        unfit = Counter(reason for place, reason in exchange.unfit.items() if place < exchange.answered) + Counter({NO_ORIGINAL: without})
        for reason, count in unfit.items():
            self._metrics.skipped.labels(self._settings.name, reason).inc(count)
        return unfit.total()

    async def _run(self, exchange: RelayExchange) -> None:
        if self._socket is None:
            await self.open(b"")
        assert self._socket is not None  # noqa: S101 - it was opened
        address = self._settings.address[1]
        with delivery_errors(address):
            while True:
                now = trio.current_time()
                for request in exchange.due(now):
                    await self._socket.send(request)
                if exchange.is_over:
                    return
                if exchange.is_given_up(now):
                    raise self._failure(exchange)
                with trio.move_on_at(exchange.next_at()):
                    exchange.receive(await self._socket.recv(MAX_LENGTH))

    def _failure(self, exchange: RelayExchange) -> DeliveryError:
        address = self._settings.address[1]
        if not exchange.waiting:
            return DeliveryError("slow", Fault.RETRY, detail=f"{address} answered {exchange.answered} packets in {self._half:.0f} s")
        if exchange.refused:
            rule, count = exchange.refused.most_common(1)[0]
            return DeliveryError("refused-answers", Fault.RETRY, detail=f"{count} of {address}: {rule}; is the secret the same on both sides?")
        return DeliveryError("unanswered", Fault.RETRY, detail=f"{address} is silent; does it know us and our secret?")

    def _count(self, exchange: RelayExchange) -> None:
        name = self._settings.name
        self._metrics.relay_retransmissions.labels(name).inc(exchange.again)
        for rule, count in exchange.refused.items():
            self._metrics.relay_answers_refused.labels(name, rule).inc(count)

    async def close(self) -> None:
        """Let go of the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        await trio.lowlevel.checkpoint()
