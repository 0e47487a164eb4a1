"""From a `[[forwarders]]` table to the destination it describes: one row per kind."""

from __future__ import annotations

import os
import random
import socket
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from forwarders.common_settings import CommonSettings
from forwarders.destination import Destination
from forwarders.enriched import Enriched
from forwarders.enrichers.table import ENRICHERS
from forwarders.file import FileDestination
from forwarders.file_settings import FileSettings
from forwarders.http.elastic import ElasticDestination
from forwarders.http.elastic_settings import ElasticSettings
from forwarders.http.hec import HecDestination
from forwarders.http.hec_settings import HecSettings
from forwarders.http.ndjson import NdjsonDestination
from forwarders.http.ndjson_settings import NdjsonSettings
from forwarders.http.sentinel import make_sentinel
from forwarders.http.sentinel_settings import SentinelSettings
from forwarders.kafka import Kafka
from forwarders.kafka_settings import KafkaSettings
from forwarders.relay import Relay
from forwarders.sensor import Sensor
from forwarders.sensor_settings import RelaySettings, SensorSettings
from forwarders.stdout import StdoutDestination
from forwarders.stdout_settings import StdoutSettings
from forwarders.syslog import Syslog
from forwarders.syslog_settings import SyslogSettings
from pipeline.metrics import Metrics
from pipeline.spool.spool import Spool


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What of the gateway a destination may need."""

    metrics: Metrics
    spool: Spool


DESTINATIONS: Final[Mapping[type[CommonSettings], Callable[[Any, Surroundings], Destination]]] = {
    FileSettings: lambda settings, _: FileDestination(settings),
    StdoutSettings: lambda _, __: StdoutDestination(),
    SensorSettings: lambda settings, around: Sensor(settings, around.metrics, clock=time.time_ns, hostname=socket.gethostname()),
    RelaySettings: lambda settings, around: Relay(settings, around.metrics, originals=around.spool.originals, random=random.random),
    KafkaSettings: lambda settings, _: Kafka(settings),
    SyslogSettings: lambda settings, around: Syslog(settings, around.metrics),
    NdjsonSettings: lambda settings, _: NdjsonDestination(settings, clock=time.time),
    HecSettings: lambda settings, _: HecDestination(settings, clock=time.time, new_channel=uuid.uuid4),
    ElasticSettings: lambda settings, _: ElasticDestination(settings, clock=time.time),
    SentinelSettings: lambda settings, _: make_sentinel(settings, clock=time.time, environ=os.environ, new_id=uuid.uuid4),
}


def make_destination(settings: CommonSettings, metrics: Metrics, spool: Spool) -> Destination:
    """The destination; nothing is opened yet."""
    destination = DESTINATIONS[type(settings)](settings, Surroundings(metrics, spool))
    return Enriched(destination, [ENRICHERS[join] for join in settings.enrich], spool.sessions) if settings.enrich else destination


def describe_destination(settings: CommonSettings) -> str:
    """`archive file /srv/events.ndjson`: its name, kind and place."""
    return f"{settings.name} {settings.kind} {settings.place}".rstrip()
