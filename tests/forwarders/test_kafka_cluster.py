"""The Kafka destination with a real Kafka: what is kept where, what is refused and by whom, and a broker that is killed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import trio
from confluent_kafka.admin import AclOperation
from support.batches import batch_of, name_of
from support.kafka import USERS, KafkaNode, read_topic

from forwarders.kafka import Kafka
from forwarders.kafka_settings import KafkaSettings
from pipeline.errors import DeliveryError, Fault
from pipeline.spool.row import Row, join_rows

COMPUTERS: Final = ("dc1.contoso.example", "dc2.contoso.example", "")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaNode]:
    folder = tmp_path_factory.mktemp("kafka")
    with KafkaNode(folder).running() as running:
        yield running


def settings(node: KafkaNode, topic: str, **given: object) -> KafkaSettings:
    table: dict[str, object] = {"name": "hub", "kind": "kafka", "servers": [node.plain], "topic": topic, "retry": {"timeout": 20.0}}
    return KafkaSettings.model_validate(table | given)


def secure(node: KafkaNode, topic: str, user: str, *, mechanism: str = "PLAIN", password: str | None = None, ca: Path | None = None) -> KafkaSettings:
    sasl = {"mechanism": mechanism, "username": user, "password": (password or USERS.get(user, "none")).encode()}
    return settings(node, topic, servers=[node.secure], sasl=sasl, tls={"ca": [str(ca or node.authority)]})


def row_of(first: int, count: int, computer: str = COMPUTERS[0], octets: int = 300) -> Row:
    batch = batch_of(range(first, first + count), computer=computer, octets=octets)
    return Row.whole(batch.records, batch.index, first)


async def deliver_once(table: KafkaSettings, row: Row) -> object:
    destination = Kafka(table)
    try:
        await destination.open(b"")
        return await destination.deliver(row)
    finally:
        with trio.CancelScope(shield=True):
            await destination.close()


async def refusal(table: KafkaSettings, row: Row | None = None) -> DeliveryError:
    """What a delivery comes to; a fatal error, which may come before the library says its cause, is tried again with a new producer, as the loop does."""
    for _ in range(5):
        with pytest.raises(DeliveryError) as refused:
            await deliver_once(table, row or row_of(0, 1))
        if refused.value.reason != "fatal":
            break
    return refused.value


async def test_records_of_a_computer_are_in_one_partition_in_order(node: KafkaNode) -> None:
    topic = node.make_topic("order", partitions=4)
    rows = [row_of(first, 20, COMPUTERS[first // 20 % 3]) for first in range(0, 240, 20)]
    assert await deliver_once(settings(node, topic), join_rows(rows)) is not None
    found = read_topic(node.plain, topic)
    assert sorted(name_of(value) for messages in found.values() for _, value in messages) == list(range(240))
    for computer in COMPUTERS[:2]:
        (messages,) = [messages for messages in found.values() if any(key == computer.encode() for key, _ in messages)]
        names = [name_of(value) for key, value in messages if key == computer.encode()]
        assert names == sorted(names)
        assert len(names) == 80


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
async def test_a_user_over_tls(node: KafkaNode, mechanism: str) -> None:
    topic = node.make_topic(f"secure-{mechanism}")
    node.allow("tidegate", topic, AclOperation.WRITE)
    await deliver_once(secure(node, topic, "tidegate", mechanism=mechanism), row_of(0, 5))
    assert sum(map(len, read_topic(node.plain, topic).values())) == 5


async def test_who_may_not_is_for_the_operator(node: KafkaNode, tmp_path: Path) -> None:
    topic = node.make_topic("guarded")
    node.allow("stranger", topic, AclOperation.DESCRIBE)
    another = KafkaNode(tmp_path)
    cases = {
        "not-authenticated": secure(node, topic, "tidegate", password="wrong"),
        "unknown-topic": settings(node, "nowhere"),
        "tls-certificate": secure(node, topic, "tidegate", ca=another.authority),
    }
    for reason, table in cases.items():
        error = await refusal(table)
        assert (error.reason, error.fault) == (reason, Fault.DENIED), error
        assert "wrong" not in str(error)
    for table in (secure(node, "order", "stranger"), secure(node, topic, "stranger")):
        error = await refusal(table)  # the one may not even look, the other not write
        assert (error.reason, error.fault) == ("not-authorized", Fault.DENIED), error


async def test_what_is_too_large_for_us_is_parked_and_its_neighbours_kept(node: KafkaNode) -> None:
    topic = node.make_topic("large")
    row = join_rows([row_of(0, 1), row_of(1, 1, octets=5000), row_of(2, 1)])
    delivered = await deliver_once(settings(node, topic, max_message=2048), row)
    assert {place: refusal.reason for place, refusal in delivered.refused.items()} == {1: "message-too-large"}  # type: ignore[attr-defined]
    assert sorted(name_of(value) for messages in read_topic(node.plain, topic).values() for _, value in messages) == [0, 2]


async def test_what_is_too_large_for_the_topic_is_sent_in_smaller_numbers(node: KafkaNode) -> None:
    topic = node.make_topic("small", max_message_bytes="3000")
    error = await refusal(settings(node, topic, compression="none"), row_of(0, 20))
    assert (error.reason, error.fault) == ("message-too-large", Fault.TOO_LARGE)
    await deliver_once(settings(node, topic), row_of(0, 5))
    error = await refusal(settings(node, topic, compression="none"), row_of(9, 1, octets=4000))
    assert (error.reason, error.fault, error.taken) == ("message-too-large", Fault.TOO_LARGE, 0)


async def test_a_broker_that_is_killed_gets_everything_when_it_is_back(node: KafkaNode) -> None:
    topic = node.make_topic("outage")
    destination = Kafka(settings(node, topic, retry={"timeout": 60.0}))
    await destination.open(b"")
    await destination.deliver(row_of(0, 50))
    await trio.to_thread.run_sync(node.kill)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(destination.deliver, row_of(50, 50))
        await trio.to_thread.run_sync(node.start)
    await destination.close()
    found = Counter(name_of(value) for messages in read_topic(node.plain, topic).values() for _, value in messages)
    assert found == Counter(range(100))


async def test_an_attempt_given_up_leaves_nothing_behind(node: KafkaNode) -> None:
    topic = node.make_topic("given-up")
    destination = Kafka(settings(node, topic))
    await destination.open(b"")
    await trio.to_thread.run_sync(node.kill)
    with trio.move_on_after(0.3) as attempt:
        await destination.deliver(row_of(0, 10))
    assert attempt.cancelled_caught
    await destination.close()
    error = await refusal(settings(node, topic, retry={"timeout": 1.0}))
    assert error.fault is Fault.RETRY
    await trio.to_thread.run_sync(node.start)
    await deliver_once(settings(node, topic), row_of(0, 10))
    found = Counter(name_of(value) for messages in read_topic(node.plain, topic).values() for _, value in messages)
    assert found == Counter(range(10))
