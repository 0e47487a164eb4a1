"""The Kafka destination with the cluster of three mock brokers that librdkafka brings along: what needs no broker of Kafka's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from confluent_kafka import Producer
from support.batches import batch_of, name_of
from support.kafka import read_topic

from forwarders.destination import Delivered
from forwarders.encoders.leef import encode_leef
from forwarders.kafka import Kafka
from forwarders.kafka_settings import KafkaSettings
from forwarders.payload import parse_record
from pipeline.errors import DeliveryError, Fault
from pipeline.spool.row import Row


@pytest.fixture(scope="module")
def servers() -> Iterator[str]:
    cluster = Producer({"bootstrap.servers": "none", "test.mock.num.brokers": 3, "log_level": 0})
    yield ",".join(f"{broker.host}:{broker.port}" for broker in cluster.list_topics(timeout=60).brokers.values())
    cluster.close()


def destination(servers: str, topic: str, **given: object) -> Kafka:
    table: dict[str, object] = {"name": "hub", "kind": "kafka", "servers": servers.split(","), "topic": topic, "retry": {"timeout": 30.0}}
    return Kafka(KafkaSettings.model_validate(table | given))


def row_of(*names: int, computer: str = "dc1.contoso.example", octets: int = 0) -> Row:
    batch = batch_of(names, computer=computer, octets=octets)
    return Row.whole(batch.records, batch.index, names[0])


def make_topic(servers: str, topic: str) -> None:
    """The mock makes it for whoever may ask that."""
    maker = Producer({"bootstrap.servers": servers, "log_level": 0})
    while maker.list_topics(topic, timeout=60).topics[topic].error is not None:
        maker.flush(0.01)
    maker.close()


async def delivered(servers: str, topic: str, row: Row, **given: object) -> Delivered:
    make_topic(servers, topic)
    made = destination(servers, topic, **given)
    await made.open(b"")
    try:
        return await made.deliver(row)
    finally:
        await made.close()


async def test_records_arrive_with_their_computer_as_key(servers: str) -> None:
    assert await delivered(servers, "plain", row_of(*range(50))) == Delivered()
    found = [message for messages in read_topic(servers, "plain").values() for message in messages]
    assert {key for key, _ in found} == {b"dc1.contoso.example"}
    assert [name_of(value) for _, value in found] == list(range(50))


async def test_no_computer_is_no_key(servers: str) -> None:
    await delivered(servers, "keyless", row_of(1, computer=""))
    ((key, _),) = (message for messages in read_topic(servers, "keyless").values() for message in messages)
    assert key is None


async def test_another_payload(servers: str) -> None:
    row = row_of(1)
    await delivered(servers, "leef", row, payload="leef")
    ((_, value),) = (message for messages in read_topic(servers, "leef").values() for message in messages)
    assert value == encode_leef(parse_record(next(row.texts())))


async def test_a_damaged_record_is_parked_alone(servers: str) -> None:
    row = row_of(1)
    broken = Row.whole(b"[" + row.records[1:], row.index, 0)
    found = await delivered(servers, "damaged", broken, payload="cef")
    assert {place: refusal.reason for place, refusal in found.refused.items()} == {0: "unreadable-record"}


async def test_what_is_too_large_is_parked_alone(servers: str) -> None:
    found = await delivered(servers, "large", row_of(1, octets=5000), max_message="2 KiB")
    assert {place: refusal.reason for place, refusal in found.refused.items()} == {0: "message-too-large"}


async def test_call_after_call(servers: str) -> None:
    make_topic(servers, "many")
    made = destination(servers, "many")
    await made.open(b"")
    for first in range(0, 4000, 1000):
        assert await made.deliver(row_of(*range(first, first + 1000))) == Delivered()
    await made.close()
    assert sum(map(len, read_topic(servers, "many").values())) == 4000


async def test_nobody_there_may_come() -> None:
    made = destination("127.0.0.1:1", "none", retry={"timeout": 1.0})
    with pytest.raises(DeliveryError) as refused:
        await made.open(b"")
    await made.close()
    assert refused.value.fault is Fault.RETRY
    assert "127.0.0.1:1" in refused.value.detail
