"""The Microsoft Sentinel destination: rows for tables of a Log Analytics workspace, by the Logs Ingestion API (docs/forwarders/sentinel.md).

Documents: Azure Monitor, "Logs Ingestion API" (URI, headers, body), "Azure Monitor service limits" (1 MB for a call, compressed and uncompressed;
429 with Retry-After).

    POST /dataCollectionRules/RULE/streams/STREAM?api-version=2023-01-01       [{"TimeGenerated": ...}, ...]
      <- 204

Records of one row go to several tables, and so in several calls. What one of them took isn't sent again when the next one fails. 204 alone says that rows
were taken. 403 is also the answer while a role assignment hasn't reached everywhere, which takes up to half an hour: the operator is called, and the
records wait.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple
from uuid import UUID

import orjson
import trio

from forwarders.destination import Delivered, Limits, Refusal
from forwarders.encoders.asim import encode_asim
from forwarders.encoders.crosswalk import MAX_MILLISECONDS, MILLISECOND_NS
from forwarders.http.access_token import Credential, TokenCache
from forwarders.http.answer import Statuses, what_it_says, words
from forwarders.http.client import Client
from forwarders.http.entra import EntraCredential
from forwarders.http.managed_identity import ARC_FOLDER, ManagedIdentity, find_endpoint
from forwarders.http.sentinel_settings import CLOUDS, SentinelEncoding, SentinelSettings
from forwarders.http.settings import ClientTls
from pipeline.errors import DeliveryError, Fault
from pipeline.spool.row import Row
from wire.event_time import format_iso

API_VERSION: Final = "2023-01-01"
STATUSES: Final = Statuses(taken=frozenset({204}))
UNAUTHORIZED: Final = 401
TOO_LARGE: Final = "too-large"


class Call(NamedTuple):
    """One request: its stream, its rows, and whose places they have."""

    stream: str
    places: list[int]
    body: bytes


class SentinelDestination:
    """A Destination: one data collection rule.

    Args:
        settings: its table.
        client: to ask with.
        credential: as whom.
        new_id: makes a GUID for a request.
    """

    def __init__(self, settings: SentinelSettings, client: Client, credential: Credential, *, new_id: Callable[[], UUID]) -> None:
        self._settings, self._client, self._credential, self._new_id = settings, client, credential, new_id
        self.limits: Final = Limits(octets=settings.batch)
        self._tokens: Final = TokenCache(credential)

    async def open(self, state: bytes) -> None:  # noqa: ARG002 - a table keeps no place for us
        """Sign in.

        Raises:
            DeliveryError: as `Client.open` and `Credential.fetch`.
        """
        await self._client.open(reach=self._settings.url)
        await self._credential.open()
        await self._token()

    async def deliver(self, row: Row) -> Delivered:
        """Send all rows, one call after the other. There is no state.

        Raises:
            DeliveryError: by the answer's status, as `Credential.fetch`, or as `Client.request`, when nothing was taken before;
                `unreadable-record`, which is REFUSED.
        """
        calls, refused = await trio.to_thread.run_sync(partial(self._calls, row))
        left = {place for call in calls for place in call.places}
        for call in calls:
            try:
                await self._send(call)
            except DeliveryError:
                if len(left) == len(row):
                    raise
                break
            left.difference_update(call.places)
        return Delivered(refused=refused, again=tuple(sorted(left)))

    async def _send(self, call: Call) -> None:
        url = f"{self._settings.url}/dataCollectionRules/{self._settings.rule}/streams/{call.stream}?api-version={API_VERSION}"
        while True:
            token, is_new = await self._token()
            headers = {"authorization": f"Bearer {token}", "content-type": "application/json", "x-ms-client-request-id": str(self._new_id())}
            answer = await self._client.post(url, call.body, headers, compress=self._settings.compress)
            fault = STATUSES.fault(answer.status)
            if fault is None:
                return
            if answer.status == UNAUTHORIZED:
                self._tokens.forget()
                if not is_new:
                    continue
            request_id = words(answer.headers.get("x-ms-request-id", "").encode("utf-8", "replace"))
            detail = f"{what_it_says(answer)}; stream {call.stream}{f', request {request_id}' if request_id else ''}"
            raise self._client.failure(answer, fault, detail=detail)

    async def _token(self) -> tuple[str, bool]:
        token, is_new = await self._tokens.get()
        self._client.conceal(token)
        return token, is_new

    def _calls(self, row: Row) -> tuple[list[Call], dict[int, Refusal]]:
        """A row as calls that aren't too long, and the records that are too long by themselves."""
        streams: dict[str, list[tuple[int, bytes]]] = {}
        refused = {}
        for place, (stream, text) in enumerate(self._rows(row)):
            if len(text) + 2 > self._settings.batch:
                refused[place] = Refusal(TOO_LARGE, f"{len(text)} octets of JSON, where a call may have {self._settings.batch}")
            else:
                streams.setdefault(stream, []).append((place, text))
        calls = [Call(stream, *part) for stream, rows in streams.items() for part in _parts(rows, self._settings.batch)]
        return calls, refused

    def _rows(self, row: Row) -> Iterator[tuple[str, bytes]]:
        settings = self._settings
        for entry, record in zip(row.entries(), row.texts(), strict=True):
            if settings.encoding is SentinelEncoding.OCSF:
                time = format_iso(min(max(entry.time_ms, 0), MAX_MILLISECONDS - 1) * MILLISECOND_NS, 3)
                yield settings.stream, b'{"TimeGenerated":"%s","Record":%s}' % (time.encode(), record)
                continue
            try:
                table, columns = encode_asim(orjson.loads(record))
            except ValueError as error:
                raise DeliveryError("unreadable-record", Fault.REFUSED, detail=str(error)[:200]) from error
            yield settings.streams.get(table) or f"Custom-{table}", orjson.dumps(columns)

    async def close(self) -> None:
        """Disconnect. The token stays good."""
        await self._credential.close()
        await self._client.close()


def make_sentinel(
    settings: SentinelSettings,
    *,
    clock: Callable[[], float],
    environ: Mapping[str, str],
    new_id: Callable[[], UUID],
    arc_folder: Path = ARC_FOLDER,
) -> SentinelDestination:
    """The destination, with the credential that its settings describe.

    Args:
        settings: its table.
        clock: seconds since the Unix epoch.
        environ: says where a managed identity's endpoint is.
        new_id: makes GUIDs for requests and assertions.
        arc_folder: where Arc's agent keeps its files.
    """
    identity = settings.identity
    client = Client.of(settings, clock, identity.secret)
    credential: Credential
    if identity.managed:
        beside = Client(ClientTls(), None, settings.retry.timeout, clock=clock)
        credential = ManagedIdentity(identity.client_id, CLOUDS[settings.cloud].audience, beside, find_endpoint(environ), folder=arc_folder)
    else:
        credential = EntraCredential(identity, settings.cloud, client, clock=clock, new_id=new_id)
    return SentinelDestination(settings, client, credential, new_id=new_id)


def _parts(rows: list[tuple[int, bytes]], most: int) -> Iterator[tuple[list[int], bytes]]:
    """Rows as JSON arrays of at most so many octets, with their places."""
    places: list[int] = []
    texts: list[bytes] = []
    octets = 1
    for place, text in rows:
        if texts and octets + len(text) + 1 > most:
            yield places, b"[%s]" % b",".join(texts)
            places, texts, octets = [], [], 1
        places.append(place)
        texts.append(text)
        octets += len(text) + 1
    if texts:
        yield places, b"[%s]" % b",".join(texts)
