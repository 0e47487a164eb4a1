"""Settings of the forwarders: `[[forwarders]]`, one table per destination, told apart by `kind`.

A new kind is its settings here, in KINDS and in the union, and one row of `gateway.destinations`. Some kinds are told apart once more by another key.
"""

from __future__ import annotations

import difflib
from typing import Annotated, Final

from pydantic import BeforeValidator, Discriminator, Tag

from forwarders.file_settings import FileSettings
from forwarders.http.elastic_settings import ElasticSettings
from forwarders.http.hec_settings import HecSettings
from forwarders.http.ndjson_settings import NdjsonSettings
from forwarders.http.sentinel_settings import SentinelSettings
from forwarders.kafka_settings import KafkaSettings
from forwarders.sensor_settings import RelaySettings, SensorLayout, SensorSettings
from forwarders.stdout_settings import StdoutSettings
from forwarders.syslog_settings import SyslogSettings

KINDS: Final = ("file", "stdout", "sensor", "syslog", "http", "kafka")
PROFILES: Final = ("ndjson", "splunk-hec", "sentinel", "elastic", "opensearch")
ELASTIC: Final = "elastic"
RADIUS: Final = "radius"
LAYOUTS: Final = (*map(str, SensorLayout), RADIUS)


def check_kind(value: object) -> object:
    """Refuse a table whose `kind`, a sensor's whose `layout`, or one of http whose `profile` doesn't exist, with the nearest one that does."""
    if isinstance(value, dict):
        _check_word(value, "kind", KINDS, "kind of forwarder")
        if value["kind"] == "sensor":
            _check_word(value, "layout", LAYOUTS, "layout of a sensor")
        elif value["kind"] == "http":
            _check_word(value, "profile", PROFILES, "profile of http")
    return value


def _check_word(table: dict[str, object], key: str, words: tuple[str, ...], what: str) -> None:
    word = table.get(key)
    if word in words:
        return
    near = difflib.get_close_matches(str(word), words, n=1)
    said = f"{word!r} is no {what}" if word is not None else f"{key} is missing"
    raise ValueError(f"{said}; did you mean {near[0]!r}?" if near else f"{said}; write one of {', '.join(words)}")


def _tag(value: object) -> str:
    """Which table it is: its layout or profile where that makes it another one, else its kind."""

    def said(key: str) -> object:
        return value.get(key) if isinstance(value, dict) else getattr(value, key, None)

    if said("kind") == "http":
        return ELASTIC if said("profile") == "opensearch" else str(said("profile"))
    return RADIUS if (said("kind"), said("layout")) == ("sensor", RADIUS) else str(said("kind"))


ForwarderSettings = Annotated[
    Annotated[
        Annotated[FileSettings, Tag("file")]
        | Annotated[StdoutSettings, Tag("stdout")]
        | Annotated[SensorSettings, Tag("sensor")]
        | Annotated[RelaySettings, Tag(RADIUS)]
        | Annotated[SyslogSettings, Tag("syslog")]
        | Annotated[KafkaSettings, Tag("kafka")]
        | Annotated[NdjsonSettings, Tag("ndjson")]
        | Annotated[HecSettings, Tag("splunk-hec")]
        | Annotated[SentinelSettings, Tag("sentinel")]
        | Annotated[ElasticSettings, Tag(ELASTIC)],
        Discriminator(_tag),
    ],
    BeforeValidator(check_kind),
]
"""One `[[forwarders]]` table."""
