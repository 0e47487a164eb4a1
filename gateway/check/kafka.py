"""What `tidegate check` looks at where records go to Kafka: whether the package for it is installed."""

from __future__ import annotations

from collections.abc import Iterator

from forwarders.kafka_client import check_installed
from forwarders.kafka_settings import KafkaSettings
from gateway.check.findings import Finding, Level, Subject
from pipeline.errors import ConfigError


def check_kafka(subject: Subject) -> Iterator[Finding]:
    for forwarder in subject.config.forwarders:
        if isinstance(forwarder, KafkaSettings):
            try:
                check_installed(forwarder)
            except ConfigError as error:
                yield Finding(Level.ERROR, error.what, error.why, error.fix)
