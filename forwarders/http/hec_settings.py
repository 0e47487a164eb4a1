"""Settings of the Splunk destination."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from forwarders.common_settings import RetrySettings
from forwarders.destination import Promise
from forwarders.http.settings import FieldValue, HttpSettings, SecretValue, ServerUrl
from pipeline.settings import Size


class HecEndpoint(StrEnum):
    """Where HEC takes events, below /services/collector."""

    EVENT = "event"
    RAW = "raw"


class HecSettings(HttpSettings):
    """Splunk's HTTP Event Collector.

    url:          of the collector: `https://splunk.contoso.example:8088`.
    token:        of the HEC input.
    endpoint:     `event` gives each record its own time and host; `raw` lets Splunk find them by the source type.
    acknowledge:  wait until the indexer has written the records; the token has to have indexer acknowledgment enabled.
    channel:      GUID of our channel; one of its own for every start unless given.
    index, source, sourcetype:  what the events are given; the token's own index unless given.
    batch:        octets of records in one request: as many as one acknowledgement is waited for.
    retry:        its timeout is how long that may take.
    """

    profile: Literal["splunk-hec"]
    url: ServerUrl
    token: SecretValue
    endpoint: HecEndpoint = HecEndpoint.EVENT
    acknowledge: bool = True
    channel: UUID | None = None
    index: Annotated[FieldValue, Field(max_length=255)] | None = None
    source: Annotated[FieldValue, Field(max_length=255)] = "tidegate"
    sourcetype: Annotated[FieldValue, Field(max_length=255)] = "ocsf:json"
    batch: Annotated[Size, Field(ge=1024, le=64 << 20)] = 4 << 20
    retry: RetrySettings = RetrySettings(timeout=300.0)

    @property
    def promise(self) -> Promise:
        """A 200 alone says that an event is valid, before it is indexed."""
        return Promise.ACKNOWLEDGED if self.acknowledge else Promise.RECEIVED
