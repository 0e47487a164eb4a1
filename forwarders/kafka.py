"""The Kafka destination: every record one message of a topic, its key the computer it is about (docs/forwarders/kafka.md).

A record is taken when the cluster says so: acknowledged by all in-sync replicas, written once however often the library tries. Records of one
computer stay in order, since they have one partition. Records in flight are at most those of one call: the library's thread sends them, a thread of
ours waits for its reports as long as the call lasts, and none runs between calls.

    report                           what follows
    a record is too large, alone     it is parked
    several are too large together   fewer are sent at once
    a record is invalid              it is parked, its neighbours are sent again
    unknown topic, not authorized    nothing is given up until the operator acts
    anything else                    what wasn't taken is sent again
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

import trio

from forwarders.destination import Delivered, Limits, Refusal
from forwarders.kafka_client import OF_TIMEOUT, check_installed, failure, make_producer
from forwarders.kafka_settings import KafkaSettings
from forwarders.payload import ENCODERS, parse_record
from pipeline.errors import DeliveryError, Fault
from pipeline.spool.row import Row

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Producer

SLICE_S: Final = 0.1
"""How long a thread waits before it looks whether the attempt was given up."""

ALL_DOWN: Final = "_ALL_BROKERS_DOWN"
PATIENCE_S: Final = 3.0
"""How long a broker that was heard to be down may come up again, or have another address."""

OVERSIZE: Final = "message-too-large"
UNREADABLE: Final = "unreadable-record"
LIMITS: Final = Limits(octets=1 << 20)


@dataclass(slots=True)
class _Reports:
    """What became of the records of one call, by their places."""

    taken: set[int] = field(default_factory=set)
    failed: dict[int, KafkaError] = field(default_factory=dict)
    refused: dict[int, Refusal] = field(default_factory=dict)

    def note(self, place: int, error: KafkaError | None, _message: object) -> None:
        if error is None:
            self.taken.add(place)
        else:
            self.failed[place] = error

    @property
    def prefix(self) -> int:
        """How many from the first on were taken."""
        return next(place for place in range(len(self.taken) + 1) if place not in self.taken)


class Kafka:
    """A Destination: one topic.

    Args:
        settings: its table.

    Raises:
        ConfigError: the extra `kafka` isn't installed.
    """

    limits: Final = LIMITS

    def __init__(self, settings: KafkaSettings) -> None:
        check_installed(settings)
        self._settings: Final = settings
        self._encode: Final = ENCODERS[settings.payload]
        self._producer: Producer | None = None
        self._heard: KafkaError | None = None

    async def open(self, state: bytes) -> None:  # noqa: ARG002 - the cluster has no memory of us
        """Connect, and see that the topic is there.

        Raises:
            DeliveryError: RETRY; DENIED where the topic is unknown or we are.
        """
        await self.close()
        await trio.to_thread.run_sync(self._connect)

    def _connect(self) -> None:
        from confluent_kafka import KafkaException  # noqa: PLC0415 - an extra

        self._heard = None
        producer = self._producer = make_producer(self._settings, self._hear)
        started = time.monotonic()
        while True:
            try:
                found = producer.list_topics(self._settings.destined, timeout=SLICE_S).topics[self._settings.destined]
            except KafkaException as error:
                trio.from_thread.check_cancelled()
                with suppress(KafkaException):  # a fatal error was heard as well
                    producer.poll(0)
                said = self._reason(error.args[0])
                limit = self._settings.retry.timeout * OF_TIMEOUT
                if said.fault is Fault.DENIED or time.monotonic() - started > (min(limit, PATIENCE_S) if self._heard else limit):
                    raise said from error
                time.sleep(SLICE_S / 10)
            else:
                if found.error is not None:
                    raise failure(found.error, self._settings)
                return

    def _hear(self, error: KafkaError) -> None:
        """The cause of what goes wrong later; that all brokers are down isn't one."""
        if error.name() != ALL_DOWN or self._heard is None:
            self._heard = error

    def _reason(self, error: KafkaError, *, taken: int = 0) -> DeliveryError:
        """An error, or the cause of it that was heard before: records only time out, whatever the connection suffers from."""
        said = failure(error, self._settings, taken=taken)
        return failure(self._heard, self._settings, taken=taken) if said.fault is Fault.RETRY and self._heard is not None else said

    async def deliver(self, row: Row) -> Delivered:
        """Send all records, and wait for their reports. There is no state.

        Raises:
            DeliveryError: as the table above says.
        """
        self._heard = None
        reports = await trio.to_thread.run_sync(self._produce, row)
        failures = {place: self._reason(error, taken=reports.prefix) for place, error in reports.failed.items()}
        for fault in (Fault.DENIED, Fault.TOO_LARGE):
            for error in failures.values():
                if error.fault is fault:
                    raise error
        refused = reports.refused | {place: Refusal(error.reason, error.detail) for place, error in failures.items() if error.fault is Fault.REFUSED}
        again = tuple(sorted(place for place, error in failures.items() if error.fault is Fault.RETRY))
        if again and not (reports.taken or refused):
            raise failures[again[0]]
        return Delivered(refused=refused, again=again)

    def _produce(self, row: Row) -> _Reports:
        """Hand over to the library and wait for its reports; in a thread of its own."""
        from confluent_kafka import KafkaException  # noqa: PLC0415 - an extra

        assert self._producer is not None, "open comes first"  # noqa: S101 - our own invariant
        producer, reports = self._producer, _Reports()
        try:
            self._queue_all(producer, row, reports)
            while producer.flush(SLICE_S):
                trio.from_thread.check_cancelled()
        except KafkaException as error:  # a fatal one: this producer is no good any more
            raise failure(error.args[0], self._settings, taken=reports.prefix) from error
        return reports

    def _queue_all(self, producer: Producer, row: Row, reports: _Reports) -> None:
        from confluent_kafka import KafkaException  # noqa: PLC0415 - an extra

        for place, (entry, text) in enumerate(zip(row.entries(), row.texts(), strict=True)):
            try:
                value = text if self._encode is None else self._encode(parse_record(text))
            except ValueError as error:
                reports.refused[place] = Refusal(UNREADABLE, str(error)[:200])
                continue
            key = entry.computer.encode("utf-8", "replace") or None
            try:
                _queue(producer, self._settings.destined, value, key, partial(reports.note, place))
            except KafkaException as error:
                said = failure(error.args[0], self._settings)
                if said.fault is Fault.TOO_LARGE:
                    reports.refused[place] = Refusal(OVERSIZE, f"{len(value)} octets are more than a message may have, {self._settings.max_message}")
                else:
                    raise

    async def close(self) -> None:
        """Let go of the connections, and of whatever is on its way."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await trio.to_thread.run_sync(_let_go, producer)
        await trio.lowlevel.checkpoint()


def _queue(producer: Producer, topic: str, value: bytes, key: bytes | None, report: partial[None]) -> None:
    """Hand over one record, once there is room."""
    while True:
        try:
            producer.produce(topic, value, key, on_delivery=report)
        except BufferError:
            trio.from_thread.check_cancelled()
            producer.poll(SLICE_S)
        else:
            return


def _let_go(producer: Producer) -> None:
    from confluent_kafka import KafkaException  # noqa: PLC0415 - an extra

    for step in (producer.purge, partial(producer.flush, SLICE_S), producer.close):
        with suppress(KafkaException):  # one that failed for good says so once more
            step()
