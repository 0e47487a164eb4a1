"""What the Kafka destination makes of the library's reports: a fake library, told what to say of each record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace

import pytest
import trio
from confluent_kafka import KafkaError, KafkaException
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretBytes
from support.batches import batch_of, name_of

from forwarders import kafka
from forwarders.destination import Delivered
from forwarders.kafka import Kafka
from forwarders.kafka_client import FAULTS
from forwarders.kafka_settings import KafkaSettings, parse_connection_string
from pipeline.errors import DeliveryError, Fault
from pipeline.spool.row import Row

Report = Callable[[KafkaError | None, object], None]
SETTINGS = KafkaSettings.model_validate({"name": "hub", "kind": "kafka", "servers": ["127.0.0.1:9092"], "topic": "identity", "retry": {"timeout": 5.0}})


class FakeProducer:
    """Says of each record what it was told, in the order they came."""

    def __init__(self, says: Mapping[int, str], *, full: int = 0, fatal: str = "", never: bool = False) -> None:
        self.says, self.full, self.fatal, self.never = says, full, fatal, never
        self.heard: Callable[[KafkaError], None] = lambda _: None
        self.cause = ""
        self.waiting: list[tuple[int, Report]] = []
        self.closed = False

    def list_topics(self, topic: str, timeout: float) -> object:
        return SimpleNamespace(topics={topic: SimpleNamespace(error=None)}, timeout=timeout)

    def produce(self, _topic: str, value: bytes, _key: bytes | None, *, on_delivery: Report) -> None:
        if self.full:
            self.full -= 1
            raise BufferError
        self.waiting.append((name_of(value), on_delivery))

    def poll(self, _timeout: float) -> int:
        return 0

    def flush(self, _timeout: float) -> int:
        if self.fatal:
            raise KafkaException(error_of(self.fatal))
        if self.cause:
            self.heard(error_of(self.cause))
        if not self.never:
            for name, report in self.waiting:
                report(error_of(self.says[name]) if name in self.says else None, None)
            self.waiting.clear()
        return len(self.waiting)

    def purge(self) -> None:
        self.waiting.clear()

    def close(self) -> None:
        self.closed = True


def error_of(name: str) -> KafkaError:
    return KafkaError(getattr(KafkaError, name), f"said {name}")


def row_of(count: int) -> Row:
    batch = batch_of(range(count))
    return Row.whole(batch.records, batch.index, 0)


async def outcome(monkeypatch: pytest.MonkeyPatch, producer: FakeProducer, count: int = 4) -> Delivered | DeliveryError:
    def make(_: KafkaSettings, heard: Callable[[KafkaError], None]) -> FakeProducer:
        producer.heard = heard
        return producer

    with monkeypatch.context() as patched:
        patched.setattr(kafka, "make_producer", make)
        destination = Kafka(SETTINGS)
        await destination.open(b"")
        try:
            return await destination.deliver(row_of(count))
        except DeliveryError as error:
            return error
        finally:
            with trio.CancelScope(shield=True):
                await destination.close()
            assert producer.closed


@pytest.mark.parametrize(
    ("says", "again", "refused"),
    [
        ({}, (), {}),
        ({1: "NOT_ENOUGH_REPLICAS", 3: "_MSG_TIMED_OUT"}, (1, 3), {}),
        ({2: "INVALID_RECORD", 0: "_INVALID_DIFFERENT_RECORD"}, (0,), {2: "invalid-record"}),
        (
            {0: "INVALID_RECORD", 1: "_INVALID_DIFFERENT_RECORD", 2: "_INVALID_DIFFERENT_RECORD", 3: "_INVALID_DIFFERENT_RECORD"},
            (1, 2, 3),
            {0: "invalid-record"},
        ),
    ],
    ids=["all taken", "some time out", "one is invalid", "one is invalid and none taken"],
)
async def test_what_was_not_taken_is_told_apart(monkeypatch: pytest.MonkeyPatch, says: dict[int, str], again: tuple[int, ...], refused: dict[int, str]) -> None:
    found = await outcome(monkeypatch, FakeProducer(says))
    assert isinstance(found, Delivered)
    assert found.again == again
    assert {place: refusal.reason for place, refusal in found.refused.items()} == refused


@pytest.mark.parametrize(
    ("says", "reason", "fault", "taken"),
    [
        ({0: "_MSG_TIMED_OUT", 1: "_MSG_TIMED_OUT", 2: "_MSG_TIMED_OUT", 3: "_MSG_TIMED_OUT"}, "msg-timed-out", Fault.RETRY, 0),
        ({2: "TOPIC_AUTHORIZATION_FAILED"}, "not-authorized", Fault.DENIED, 2),
        ({1: "INVALID_RECORD", 3: "UNKNOWN_TOPIC_OR_PART"}, "unknown-topic", Fault.DENIED, 1),
        ({3: "MSG_SIZE_TOO_LARGE"}, "message-too-large", Fault.TOO_LARGE, 3),
        ({1: "MSG_SIZE_TOO_LARGE", 2: "_MSG_TIMED_OUT"}, "message-too-large", Fault.TOO_LARGE, 1),
    ],
)
async def test_what_is_not_about_one_record_fails_the_attempt(
    monkeypatch: pytest.MonkeyPatch, says: dict[int, str], reason: str, fault: Fault, taken: int
) -> None:
    found = await outcome(monkeypatch, FakeProducer(says))
    assert isinstance(found, DeliveryError)
    assert (found.reason, found.fault, found.taken) == (reason, fault, taken)


async def test_the_cause_of_a_timeout_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    producer = FakeProducer(dict.fromkeys(range(4), "_MSG_TIMED_OUT"))
    producer.cause = "_AUTHENTICATION"
    found = await outcome(monkeypatch, producer)
    assert isinstance(found, DeliveryError)
    assert (found.reason, found.fault) == ("not-authenticated", Fault.DENIED)


async def test_a_producer_that_is_no_good_any_more_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    found = await outcome(monkeypatch, FakeProducer({}, fatal="OUT_OF_ORDER_SEQUENCE_NUMBER"))
    assert isinstance(found, DeliveryError)
    assert (found.reason, found.fault, found.taken) == ("out-of-order-sequence-number", Fault.RETRY, 0)


async def test_a_full_queue_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await outcome(monkeypatch, FakeProducer({}, full=3)) == Delivered()


async def test_an_attempt_can_be_given_up_while_nothing_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    with trio.move_on_after(0.1) as attempt:
        await outcome(monkeypatch, FakeProducer({}, never=True))
    assert attempt.cancelled_caught


@given(says=st.dictionaries(st.integers(0, 9), st.sampled_from([*sorted(FAULTS), "_MSG_TIMED_OUT", "NOT_ENOUGH_REPLICAS", "_FAIL"])))
async def test_every_record_is_taken_or_accounted_for(says: dict[int, str]) -> None:
    with pytest.MonkeyPatch.context() as patched:
        found = await outcome(patched, FakeProducer(says), count=10)
    bad = set(says)
    if isinstance(found, Delivered):
        assert set(found.again) | set(found.refused) == bad
        assert all(says[place] in {"INVALID_RECORD", "INVALID_TIMESTAMP"} for place in found.refused)
    else:
        assert bad
        assert found.fault is not Fault.REFUSED
        assert found.taken == min(bad)


@given(st.text() | st.from_regex(r"Endpoint=sb://[a-z.]{1,9};SharedAccessKeyName=x;SharedAccessKey=[a-z=]{1,9}(;EntityPath=\w*)?"))
def test_any_text_is_a_connection_string_or_a_mistake(text: str) -> None:
    try:
        found = parse_connection_string(SecretBytes(text.encode("utf-8", "replace")))
    except ValueError:
        return
    assert found.host.count(".") >= 1
