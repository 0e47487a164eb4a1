"""The Elasticsearch destination against a cluster that follows the documents: what is there afterwards, and what became of the rest."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.elastic_fake import API_KEY, PASSWORD, USER, ElasticFake
from support.http_peer import Asked, HttpPeer, Reply, http_peer
from support.records import NAMES, fixture_record

from forwarders.destination import Delivered
from forwarders.http.answer import Answer
from forwarders.http.elastic import ElasticDestination
from forwarders.http.elastic_answer import MOST_OCTETS, octets_for, read
from forwarders.http.elastic_settings import ElasticSettings
from pipeline.errors import DeliveryError, Fault
from pipeline.index import Entry, Index
from pipeline.spool.row import Row

STREAM = "logs-tidegate.windows-default"


def row_of(records: list[dict[str, Any]], *, weak: bool = False) -> Row:
    entries, texts, at = [], [], 0
    for number, record in enumerate(records):
        text = orjson.dumps(record)
        entries.append(Entry(at, at + len(text), number.to_bytes(16), weak, 3002, "4776", 1, 1_700_000_000_000 + number, "dc1"))
        texts.append(text + b"\n")
        at += len(text) + 1
    return Row.whole(b"".join(texts), Index.of(entries), 0)


WINDOWS = [fixture_record(name) for name in NAMES if name.startswith("events/")]
FEW = row_of(WINDOWS[:4])


def destination_for(url: str, **settings: object) -> ElasticDestination:
    table = {"name": "elastic", "kind": "http", "profile": "elastic", "url": url, "api_key": API_KEY.encode(), **settings}
    return ElasticDestination(ElasticSettings.model_validate(table), clock=lambda: 0.0)


async def outcome(fake: ElasticFake, row: Row = FEW, **settings: object) -> tuple[Delivered | DeliveryError, HttpPeer]:
    """What one attempt comes to."""
    async with http_peer(fake.answer) as peer:
        destination = destination_for(peer.url, **settings)
        try:
            await destination.open(b"")
            return await destination.deliver(row), peer
        except DeliveryError as error:
            return error, peer
        finally:
            await destination.close()


async def test_every_kind_of_record_is_a_document() -> None:
    fake = ElasticFake()
    found, _ = await outcome(fake, row_of([fixture_record(name) for name in NAMES]))
    assert found == Delivered()
    assert set(fake.streams) <= {STREAM, "logs-tidegate.radius-default"}
    assert sum(map(len, fake.streams.values())) == len(NAMES)
    assert all(document["ecs"]["version"] for document in fake.documents())


async def test_names_of_streams() -> None:
    fake = ElasticFake()
    await outcome(fake, dataset="identity", namespace="prod", pipeline="geoip-1")
    await outcome(fake, index="my-events")
    assert set(fake.streams) == {"logs-identity-prod", "my-events"}
    assert fake.pipelines == ["geoip-1", None]
    assert next(iter(fake.streams["logs-identity-prod"].values()))["data_stream"] == {"type": "logs", "dataset": "identity", "namespace": "prod"}


async def test_records_as_they_are_for_opensearch() -> None:
    fake = ElasticFake(flavour="opensearch")
    found, _ = await outcome(fake, profile="opensearch", api_key=None, username=USER, password=PASSWORD.encode(), encoding="ocsf")
    assert found == Delivered()
    documents = list(fake.streams["logs-tidegate.ocsf-default"].values())
    assert [document.pop("@timestamp") for document in documents] == [1_700_000_000_000 + number for number in range(4)]
    assert documents == WINDOWS[:4]


async def test_what_is_sent_twice_is_there_once() -> None:
    fake = ElasticFake()
    assert (await outcome(fake))[0] == (await outcome(fake))[0] == Delivered()
    assert len(fake.documents()) == 4
    assert set(fake.streams[STREAM]) == {f"00000000-0000-0000-0000-{number:012x}" for number in range(4)}


async def test_weak_uids_are_never_collapsed() -> None:
    fake = ElasticFake()
    weak = row_of([WINDOWS[0]] * 3, weak=True)
    await outcome(fake, weak)
    await outcome(fake, weak)
    assert len(fake.documents()) == 6


async def test_each_document_is_answered_for_itself() -> None:
    fake = ElasticFake(scripted=[None, 400, 429, 503])
    found, _ = await outcome(fake)
    assert isinstance(found, Delivered)
    assert {place: refusal.reason for place, refusal in found.refused.items()} == {1: "item-400"}
    assert "scripted_exception" in found.refused[1].detail
    assert found.again == (2, 3)


def test_no_status_of_an_item_gives_it_up() -> None:
    for status in range(100, 600):
        said = {"errors": True, "items": [{"create": {"status": 201}}, {"create": {"status": status, "error": {"type": "t", "reason": "r"}}}]}
        items = read(Answer(200, {}, orjson.dumps(said)), 2)
        assert items is not None
        taken = 1 not in items.refused and 1 not in items.open
        assert taken == (status in (200, 201, 409))
        assert (1 in items.refused) == (status in (400, 413, 422))


@pytest.mark.parametrize(
    ("scripted", "fault"),
    [
        ([429, 429, 503, 429], Fault.RETRY),
        ([403, 403, 403, 403], Fault.DENIED),
        ([429, 404, 429, 429], Fault.DENIED),
    ],
)
async def test_where_nothing_is_taken_the_attempt_failed(scripted: list[int | None], fault: Fault) -> None:
    found, _ = await outcome(ElasticFake(scripted=scripted))
    assert isinstance(found, DeliveryError)
    assert found.fault is fault


async def test_a_stream_that_may_not_be_written_to_holds_up_what_is_for_it() -> None:
    records = [fixture_record(name) for name in NAMES]
    fake = ElasticFake(readonly=frozenset({"logs-tidegate.radius-default"}))
    found, _ = await outcome(fake, row_of(records))
    assert isinstance(found, Delivered)
    assert not found.refused
    assert len(found.again) == len(records) - len(fake.documents()) > 0
    found, _ = await outcome(fake, row_of([records[place] for place in found.again]))
    assert isinstance(found, DeliveryError)
    assert (found.reason, found.fault) == ("item-403", Fault.DENIED)
    assert "unauthorized for API key" in found.detail


@pytest.mark.parametrize("api_key", [b"another", None])
async def test_a_key_that_is_not_known(api_key: bytes | None) -> None:
    found, peer = await outcome(ElasticFake(), api_key=api_key)
    assert isinstance(found, DeliveryError)
    assert (found.reason, found.fault) == ("http-401", Fault.DENIED)
    assert [asked.path for asked in peer.asked] == ["/"]


async def test_too_much_at_once() -> None:
    found, _ = await outcome(ElasticFake(most=100))
    assert isinstance(found, DeliveryError)
    assert found.fault is Fault.TOO_LARGE


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"", Fault.RETRY),
        (b"<html>", Fault.RETRY),
        (b"[]", Fault.RETRY),
        (b'{"errors":false}', Fault.RETRY),
        (b'{"errors":false,"items":[]}', Fault.RETRY),
        (b'{"errors":false,"items":[{},{},{},{}]}', Fault.RETRY),
        (b'{"errors":false,"items":[{"create":{"status":"201"}},1,2,3]}', Fault.RETRY),
        (b'{"errors":false,"items":[' + b",".join([b'{"create":{"status":201}}'] * 5) + b"]}", Fault.RETRY),
        (b'{"errors":false,"items":[' + b" " * octets_for(4), Fault.TOO_LARGE),
    ],
    ids=["nothing", "HTML", "a list", "no items", "too few", "empty items", "strings", "too many", "too long"],
)
async def test_an_answer_that_says_nothing_of_documents(body: bytes, fault: Fault) -> None:
    found, _ = await outcome(ElasticFake(replies=[Reply(200, body)]))
    assert isinstance(found, DeliveryError)
    assert (found.reason, found.fault) == ("unreadable-answer", fault)


async def test_an_answer_too_long_for_one_record_is_no_reason_to_park_it() -> None:
    found, _ = await outcome(ElasticFake(replies=[Reply(200, b" " * (octets_for(1) + 1))]), row_of(WINDOWS[:1]))
    assert isinstance(found, DeliveryError)
    assert found.fault is Fault.RETRY


@given(st.binary(max_size=300), st.integers(1, 3))
def test_any_answer_can_be_read(body: bytes, count: int) -> None:
    items = read(Answer(200, {}, body), count)
    assert items is None or items.count == count


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8))
def test_any_json_can_be_read(said: object) -> None:
    for body in (said, {"items": said}, {"items": [{"create": said}]}, {"items": [{"create": {"status": 400, "error": said}}]}):
        try:
            octets = orjson.dumps(body)
        except TypeError:  # integers of more than 64 bits
            continue
        items = read(Answer(200, {}, octets), 1)
        assert items is None or items.count == 1


def test_answers_are_bounded() -> None:
    assert octets_for(10**9) == MOST_OCTETS


async def test_a_cluster_that_answers_who_it_is_with_an_error_is_no_obstacle() -> None:
    fake = ElasticFake()

    def answer(asked: Asked) -> Reply:
        return Reply(403, b"no monitor privilege") if asked.path == "/" else fake.answer(asked)

    async with http_peer(answer) as peer:
        destination = destination_for(peer.url)
        await destination.open(b"")
        assert await destination.deliver(FEW) == Delivered()
        await destination.close()


async def test_nobody_there() -> None:
    async with http_peer(ElasticFake().answer) as peer:
        pass
    with pytest.raises(DeliveryError) as caught:
        await destination_for(peer.url).open(b"")
    assert (caught.value.reason, caught.value.fault) == ("refused", Fault.RETRY)
