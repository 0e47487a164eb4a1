"""The Elasticsearch and OpenSearch destination: documents for data streams by the bulk API, each answered for itself (docs/forwarders/elastic.md).

Documents: Elasticsearch, "Bulk index or delete documents" and "Use a data stream"; OpenSearch, "Bulk API" and "Data streams".

    POST /_bulk      {"create": {"_index": "logs-tidegate.windows-default", "_id": "0197..."}}
                     {"@timestamp": ...}
      <- 200         {"errors": true, "items": [{"create": {"status": 201}}, {"create": {"status": 409, "error": ...}}]}

A data stream takes nothing but `create`, which suits us: a document whose `_id` is there already is a duplicate, and left as it is. A record with a weak
uid has no `_id`: equal uids may be different events there, and one that is sent twice is there twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

import orjson
import trio

from forwarders.destination import Delivered, Limits
from forwarders.encoders.ecs import encode_ecs, stream_name
from forwarders.http import elastic_answer
from forwarders.http.client import Client
from forwarders.http.elastic_settings import ElasticSettings, Encoding
from forwarders.http.ndjson import authorization
from pipeline.errors import DeliveryError, Fault
from pipeline.spool.row import Row

OCSF_DATASET: Final = "tidegate.ocsf"
UNAUTHORIZED: Final = 401


class ElasticDestination:
    """A Destination: one cluster.

    Args:
        settings: its table.
        clock: seconds since the Unix epoch.
    """

    def __init__(self, settings: ElasticSettings, *, clock: Callable[[], float]) -> None:
        self._settings: Final = settings
        self.limits: Final = Limits(octets=settings.batch)
        self._client: Final = Client.of(settings, clock, settings.api_key, settings.password)
        query = {"filter_path": elastic_answer.FILTER, **({"pipeline": settings.pipeline} if settings.pipeline else {})}
        self._url: Final = f"{settings.url}/_bulk?{urlencode(query, safe=',*')}"
        self._headers: Final = {**authorization(None, settings.username, settings.password), "content-type": "application/x-ndjson"}
        if settings.api_key is not None:
            self._headers["authorization"] = f"ApiKey {settings.api_key.get_secret_value().decode()}"
        self._ocsf_index: Final = settings.index or f"logs-{settings.dataset or OCSF_DATASET}-{settings.namespace}"

    async def open(self, state: bytes) -> None:  # noqa: ARG002 - a cluster keeps no place for us
        """Ask who it is: whether the credential is one it knows. What it may do is seen when it does it.

        Raises:
            DeliveryError: as `Client.open` and `Client.request`; DENIED where the credential isn't known.
        """
        await self._client.open()
        answer = await self._client.request("GET", f"{self._settings.url}/", self._headers)
        if answer.status == UNAUTHORIZED:
            raise self._client.failure(answer, Fault.DENIED)

    async def deliver(self, row: Row) -> Delivered:
        """Send all records, and see what became of each. There is no state.

        Raises:
            DeliveryError: by the answer's status, or as `Client.request`; by the items' if none of them was taken or refused; RETRY with
                `unreadable-answer`; `unreadable-record`, which is REFUSED.
        """
        body = await trio.to_thread.run_sync(partial(self._body, row))
        octets = elastic_answer.octets_for(len(row))
        answer = await self._client.post(self._url, body, self._headers, compress=self._settings.compress, octets=octets)
        fault = elastic_answer.ANSWERS.fault(answer.status)
        if fault is not None:
            raise self._client.failure(answer, fault)
        items = elastic_answer.read(answer, len(row))
        if items is None:
            longer = not answer.whole and len(answer.body) >= octets and len(row) > 1
            raise self._client.failure(answer, Fault.TOO_LARGE if longer else Fault.RETRY, reason="unreadable-answer")
        if not items.is_progress:
            raise self._client.failure(answer, Fault.DENIED if items.denied else Fault.RETRY, reason=items.said.reason, detail=items.said.detail)
        return Delivered(refused=items.refused, again=items.open)

    def _body(self, row: Row) -> bytes:
        lines: list[bytes] = []
        encode = self._ecs if self._settings.encoding is Encoding.ECS else self._ocsf
        for entry, (index, document) in zip(row.entries(), encode(row), strict=True):
            action = {"_index": index} if entry.weak else {"_index": index, "_id": str(UUID(bytes=entry.uid))}
            lines += (orjson.dumps({"create": action}), document)
        return b"\n".join((*lines, b""))

    def _ecs(self, row: Row) -> Iterator[tuple[str, bytes]]:
        settings = self._settings
        for record in row.texts():
            try:
                document = encode_ecs(orjson.loads(record), dataset=settings.dataset or "", namespace=settings.namespace)
            except ValueError as error:
                raise DeliveryError("unreadable-record", Fault.REFUSED, detail=str(error)[:200]) from error
            yield settings.index or stream_name(document), orjson.dumps(document)

    def _ocsf(self, row: Row) -> Iterator[tuple[str, bytes]]:
        for entry, record in zip(row.entries(), row.texts(), strict=True):
            yield self._ocsf_index, b'{"@timestamp":%d,%s' % (entry.time_ms, record[1:])

    async def close(self) -> None:
        """Disconnect."""
        await self._client.close()
