"""A simulated machine: it asks for its subscriptions at every refresh, and keeps one connection open for each that it delivers to.

Enumerate ─▶ subscriptions ─▶ as it runs already: goes on     changed: begins anew, where the collector's bookmark says
     ▲                        new: begins                     gone: ends
     └── refresh ◀── End      abandoned: begins anew
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Final
from uuid import UUID

import trio

from gateway.simulate.wef_connection import Connection, Way, connect
from gateway.simulate.wef_delivery import Delivery, Post, State, Wait
from gateway.simulate.wef_log import EventLog
from gateway.simulate.wef_manager import Manager
from gateway.simulate.wef_tally import Account
from listeners.wef.settings import Url, parse_url
from pipeline.errors import DeliveryError, Fault, MessageError
from wire.wef.messages import End, Enumerate, SubscriptionEnd
from wire.wef.namespaces import ANONYMOUS
from wire.wef.responses import Ack, EnumerateResponse
from wire.wef.subscribe import uuid_uri
from wire.wef.subscription import MAX_ENVELOPE, Offer

MAX_ELEMENTS: Final = 32_000  # of an Enumerate, as Windows has it
OPERATION_TIMEOUT_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Habits:
    """What machines do otherwise than they are told.

    refresh:      seconds between enumerations, in place of the manager's.
    retry_after:  seconds between attempts to deliver, in place of the subscription's.
    address:      host and port to connect to, whatever name the collector has.
    patient:      whether a collector that isn't there at first, or has no subscriptions, is waited for.
    """

    refresh: float | None = None
    retry_after: float | None = None
    address: tuple[str, int] | None = None
    patient: bool = False


TOLD: Final = Habits()
"""What machines do if nothing else is said: as they are told."""


@dataclass(slots=True)
class _Running:
    delivery: Delivery
    scope: trio.CancelScope


class Machine:
    """One machine of a simulation.

    Args:
        name: its fully qualified name.
        way: how it authenticates.
        manager: where it enumerates.
        account: what it is counted in.
        habits: what it does otherwise.
        random: source of message IDs.
        clock: nanoseconds since the Unix epoch.
        on_ack: called with every message of events that was acknowledged.
        on_read: called whenever it may have read on in its log.
    """

    def __init__(
        self,
        name: str,
        way: Way,
        manager: Manager,
        account: Account,
        *,
        habits: Habits = TOLD,
        random: Random,
        clock: Callable[[], int] = time.time_ns,
        on_ack: Callable[[Machine, Post], None] = lambda _machine, _post: None,
        on_read: Callable[[], object] = lambda: None,
    ) -> None:
        self.name: Final = name
        self.log: Final = EventLog()
        self.subscribed: Final = trio.Event()
        """Set once it has a subscription."""
        self._way, self._manager, self._account, self._habits = way, manager, account, habits
        self._random, self._clock, self._on_ack, self._on_read = random, clock, on_ack, on_read
        self._running: dict[str, _Running] = {}
        self._finishing = trio.Event()
        self._over: Final = trio.lowlevel.ParkingLot()
        self._session = self._mint()

    @property
    def deliveries(self) -> list[Delivery]:
        """Of the subscriptions it has."""
        return [running.delivery for running in self._running.values()]

    def finish(self) -> None:
        """Deliver what there is without delay, then end."""
        self._finishing.set()

    async def run(self) -> None:
        """Be a machine until finished.

        Raises:
            DeliveryError: the first enumeration failed or found nothing, and it isn't patient.
        """
        refresh = self._habits.refresh or self._manager.refresh
        async with trio.open_nursery() as nursery:
            while True:
                await self._refresh(nursery)
                with trio.move_on_after(refresh) as due:
                    await self._finishing.wait()
                    for delivery in self.deliveries:
                        delivery.finish()
                    self.log.stir()
                    while any(delivery.state is not State.ENDED for delivery in self.deliveries):
                        await self._over.park()
                if not due.cancelled_caught:
                    return

    async def _refresh(self, nursery: trio.Nursery) -> None:
        try:
            answer = await self._enumerate()
        except DeliveryError as error:
            self._account.note(error.reason)
            if not self.subscribed.is_set() and not self._habits.patient:
                raise
            return
        self._account.enumerations += 1
        self._subscribe(answer.offers, nursery)
        if self._running:
            self.subscribed.set()
        elif not self.subscribed.is_set() and not self._habits.patient:
            raise DeliveryError("no-subscription", Fault.RETRY, detail=f"{self._manager.url} has none that {self.name} could deliver to")

    async def _enumerate(self) -> EnumerateResponse:
        """Ask for the subscriptions, and end the operation."""
        async with connect(self._manager.url, self._way, self._habits.address) as connection:
            operation = self._mint()
            answer = await connection.ask(
                Enumerate(
                    message_id=self._mint(),
                    to=str(self._manager.url),
                    machine_id=self.name,
                    max_envelope_size=MAX_ENVELOPE,
                    operation_id=operation,
                    session_id=self._session,
                    operation_timeout=OPERATION_TIMEOUT_S,
                    locale="en-US",
                    max_elements=MAX_ELEMENTS,
                )
            )
            if not isinstance(answer, EnumerateResponse):
                raise DeliveryError("not-an-answer", Fault.RETRY, detail="to an Enumerate")
            await self._end(connection, operation)
            return answer

    def _subscribe(self, offers: tuple[Offer, ...], nursery: trio.Nursery) -> None:
        """Run what is offered, and nothing else."""
        wanted = {offer.subscription.name: offer for offer in offers if self._suits(offer)}
        for name, running in list(self._running.items()):
            offer = wanted.get(name)
            if offer and offer.version == running.delivery.offer.version and running.delivery.state is not State.ABANDONED:
                del wanted[name]
            else:
                running.scope.cancel()
                running.delivery.withdraw()
                del self._running[name]
        for name, offer in wanted.items():
            try:
                delivery = Delivery(
                    offer,
                    self.log,
                    self.name,
                    self._mint,
                    self._account.tally,
                    now=trio.current_time(),
                    unix_ns=self._clock(),
                    retry_after=self._habits.retry_after,
                )
                url = parse_url(offer.address)
            except (MessageError, ValueError) as error:
                self._account.note(error.rule if isinstance(error, MessageError) else "bad-address")
                continue
            for _refused in delivery.filter.refused:
                self._account.note("query-refused")
            scope = trio.CancelScope()
            self._running[name] = _Running(delivery, scope)
            nursery.start_soon(self._deliver, delivery, url, scope)

    def _suits(self, offer: Offer) -> bool:
        """Whether the machine has the certificate that the subscription asks for; Windows then connects, enumerates, and never delivers."""
        issuer = self._way.issuer or self._manager.issuer
        if not offer.thumbprint or not issuer or offer.thumbprint.lower() == issuer:
            return True
        self._account.note("other-issuer")
        return False

    async def _deliver(self, delivery: Delivery, url: Url, scope: trio.CancelScope) -> None:
        """Keep a connection while there is something to deliver on it."""
        with scope:
            while delivery.state not in (State.ABANDONED, State.ENDED):
                await trio.sleep_until(delivery.retry_at)
                try:
                    async with connect(url, self._way, self._habits.address) as connection:
                        await self._converse(connection, delivery)
                except DeliveryError as error:
                    self._account.note(error.reason)
                    delivery.failed(trio.current_time())
        self._over.unpark_all()

    async def _converse(self, connection: Connection, delivery: Delivery) -> None:
        """Send what is due, one message after the other's answer, until the subscription has ended."""
        while (step := delivery.next(trio.current_time())) is not None:
            self._on_read()
            if isinstance(step, Wait):
                with trio.move_on_at(step.until):
                    await self.log.grown()
                continue
            answer = await connection.ask(step.request, compress=delivery.offer.subscription.compressed)
            ending = isinstance(step.request, SubscriptionEnd)
            if not isinstance(answer, Ack) and not (ending and answer is None):
                raise DeliveryError("not-an-answer", Fault.RETRY, detail="to a delivery")
            delivery.acknowledged(trio.current_time())
            self._account.by_event_id.update(logged.event_id for _, logged in step.events)
            self._on_ack(self, step)
            if ending:
                await self._end(connection, step.request.operation_id)

    async def _end(self, connection: Connection, operation: str) -> None:
        """Say that an operation is over; nothing depends on the answer."""
        with suppress(DeliveryError):
            await connection.ask(End(message_id=self._mint(), to=ANONYMOUS, operation_id=operation))

    def _mint(self) -> str:
        return uuid_uri(UUID(int=self._random.getrandbits(128), version=4))
