"""The Splunk destination: events to the HTTP Event Collector, and its indexer's acknowledgement of them (docs/forwarders/splunk.md).

Documents: Splunk Enterprise, Get Data In, "Format events for HTTP Event Collector" and "About HTTP Event Collector Indexer Acknowledgment".

    POST /services/collector/event                  {"time": ..., "host": ..., "event": {...}}{"time": ...
      <- 200 {"text": "Success", "code": 0, "ackId": 7}
    POST /services/collector/ack?channel=GUID       {"acks": [7]}
      <- 200 {"acks": {"7": true}}

Without acknowledgement a 200 says that events are valid, not that they are kept. An ackId means something to one channel of one running Splunk: after a
restart it stays false, the attempt times out, and the records are sent again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

import orjson
import trio

from forwarders.destination import Delivered, Limits
from forwarders.http import hec_codes
from forwarders.http.client import Client
from forwarders.http.hec_settings import HecEndpoint, HecSettings
from pipeline.errors import DeliveryError, Fault
from pipeline.spool.row import Row

COLLECTOR: Final = "/services/collector"
FIRST_WAIT_S: Final = 0.25
LONGEST_WAIT_S: Final = 10.0
"""Splunk asks clients not to poll more often than that for what takes longer."""

MOST_MISSED: Final = 4
"""Questions in a row that may go unanswered: sending the records again for each would only make duplicates."""


class HecDestination:
    """A Destination: one collector.

    Args:
        settings: its table.
        clock: seconds since the Unix epoch.
        new_channel: makes a GUID for a channel.
        sleep: waits, between two questions for an acknowledgement.
    """

    def __init__(
        self,
        settings: HecSettings,
        *,
        clock: Callable[[], float],
        new_channel: Callable[[], UUID],
        sleep: Callable[[float], Awaitable[None]] = trio.sleep,
    ) -> None:
        self._sleep: Final = sleep
        self._settings: Final = settings
        self.limits: Final = Limits(octets=settings.batch)
        self._client: Final = Client.of(settings, clock, settings.token)
        channel = str(settings.channel or new_channel())
        collector = settings.url + COLLECTOR
        given = {name: value for name, value in (("index", settings.index), ("source", settings.source), ("sourcetype", settings.sourcetype)) if value}
        if settings.endpoint is HecEndpoint.RAW:
            self._url = f"{collector}/raw?{urlencode({'channel': channel, **given})}"
        else:
            self._url = f"{collector}/event"
        self._acks_url: Final = f"{collector}/ack?{urlencode({'channel': channel})}"
        self._health_url: Final = f"{collector}/health"
        self._rest_of_envelope: Final = orjson.dumps(given)[1:-1] + b',"event":'
        self._headers: Final = {
            "authorization": f"Splunk {settings.token.get_secret_value().decode()}",
            "x-splunk-request-channel": channel,
            "content-type": "application/json",
        }

    async def open(self, state: bytes) -> None:  # noqa: ARG002 - a channel begins anew
        """Ask for the collector's health.

        Raises:
            DeliveryError: as `Client.open`; the collector is unhealthy (RETRY), or knows another token (DENIED).
        """
        await self._client.open()
        answer = await self._client.request("GET", self._health_url, self._headers)
        said = hec_codes.read(answer)
        if said.code not in (None, hec_codes.HEALTHY) and said.fault is not None:
            raise self._client.failure(answer, said.fault, reason=said.reason)

    async def deliver(self, row: Row) -> Delivered:
        """Send all records, and wait until they are acknowledged. There is no state.

        Raises:
            DeliveryError: by the answer's code (`forwarders.http.hec_codes`), or as `Client.request`; DENIED with `no-ack-id` if the token has
                no acknowledgement.
        """
        body = await trio.to_thread.run_sync(partial(self._body, row))
        answer = await self._client.post(self._url, body, self._headers, compress=self._settings.compress)
        said = hec_codes.read(answer)
        if said.fault is not None:
            raise self._client.failure(answer, said.fault, reason=said.reason)
        if self._settings.acknowledge:
            if said.ack_id is None:
                detail = "enable indexer acknowledgment on the token, or write acknowledge = false and do without"
                raise DeliveryError("no-ack-id", Fault.DENIED, detail=detail)
            await self._acknowledged(said.ack_id)
        return Delivered()

    def _body(self, row: Row) -> bytes:
        if self._settings.endpoint is HecEndpoint.RAW:
            return row.ndjson()
        return b"".join(
            b'{"time":%.3f,"host":%s,%s%s}' % (entry.time_ms / 1000, orjson.dumps(entry.computer or "-"), self._rest_of_envelope, record)
            for entry, record in zip(row.entries(), row.texts(), strict=True)
        )

    async def _acknowledged(self, ack_id: int) -> None:
        """Return once it is, however long that takes: the attempt's own limit ends it."""
        query = orjson.dumps({"acks": [ack_id]})
        wait, missed = FIRST_WAIT_S, 0
        while True:
            await self._sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT_S)
            try:
                answer = await self._client.post(self._acks_url, query, self._headers)
                acks = hec_codes.read_acks(answer)
                if acks is None:
                    said = hec_codes.read(answer)
                    raise self._client.failure(answer, said.fault or Fault.RETRY, reason=said.reason)
            except DeliveryError as error:
                missed += 1
                if error.fault is Fault.RETRY and missed < MOST_MISSED:
                    continue
                raise DeliveryError(error.reason, Fault.RETRY if error.fault is Fault.RETRY else Fault.DENIED, detail=error.detail) from error
            missed = 0
            if acks.get(str(ack_id)) is True:
                return

    async def close(self) -> None:
        """Disconnect."""
        await self._client.close()
