"""Elastic's own client against the fake cluster: it accepts what the fake says, so the fake says what a cluster would."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from elasticsearch import ApiError, AuthenticationException, Elasticsearch
from elasticsearch.helpers import streaming_bulk
from support.elastic_fake import API_KEY, ElasticFake
from support.http_peer import Reply, http_peer

from forwarders.http.elastic_answer import FILTER

STREAM = "logs-tidegate.windows-default"


def send(url: str, actions: list[dict[str, Any]], **options: Any) -> list[tuple[bool, dict[str, Any]]]:
    with Elasticsearch(url, api_key=API_KEY, max_retries=0) as client:
        assert client.info()["version"]["number"] == "9.1.0"
        return list(streaming_bulk(client, actions, raise_on_error=False, **options))


async def with_client(fake: ElasticFake, actions: list[dict[str, Any]], **options: Any) -> list[tuple[bool, dict[str, Any]]]:
    async with http_peer(fake.answer) as peer:
        return await trio.to_thread.run_sync(lambda: send(peer.url, actions, **options))


def action(kind: str = "create", **document: Any) -> dict[str, Any]:
    return {"_op_type": kind, "_index": STREAM, **document}


async def test_what_is_taken_and_what_is_a_duplicate() -> None:
    fake = ElasticFake()
    document: dict[str, Any] = {"_source": {"@timestamp": "2024-03-15T12:00:00.123Z"}}
    said = await with_client(fake, [action(_id="a", **document), action(_id="a", **document), action(**document)])
    assert [(taken, item["create"]["status"]) for taken, item in said] == [(True, 201), (False, 409), (True, 201)]
    assert said[1][1]["create"]["error"]["type"] == "version_conflict_engine_exception"
    assert len(fake.streams[STREAM]) == 2


async def test_what_a_data_stream_refuses() -> None:
    said = await with_client(ElasticFake(), [action("index", _id="a", _source={"@timestamp": 1}), action(_id="b", _source={"x": 1})])
    assert [(taken, next(iter(item.values()))["status"]) for taken, item in said] == [(False, 400), (False, 400)]


async def test_items_without_what_we_leave_out() -> None:
    said = await with_client(ElasticFake(), [action(_id="a", _source={"@timestamp": 1})], filter_path=FILTER)
    assert [(taken, item["create"]["status"]) for taken, item in said] == [(True, 201)]


@pytest.mark.parametrize(("reply", "status"), [(Reply(413, b"", {"x-elastic-product": "Elasticsearch"}), 413)])
async def test_errors_of_a_whole_request(reply: Reply, status: int) -> None:
    with pytest.raises(ExceptionGroup) as caught:
        await with_client(ElasticFake(replies=[reply]), [action(_source={"@timestamp": 1})], raise_on_exception=True)
    (error,) = caught.value.exceptions
    assert isinstance(error, ApiError)
    assert error.status_code == status


async def test_a_key_that_is_not_known() -> None:
    def ask(url: str) -> None:
        with Elasticsearch(url, api_key="bm9ib2R5OmtleQ==", max_retries=0) as client, pytest.raises(AuthenticationException):
            client.info()

    async with http_peer(ElasticFake().answer) as peer:
        await trio.to_thread.run_sync(ask, peer.url)
