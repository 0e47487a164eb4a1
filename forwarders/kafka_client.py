"""The Kafka client library, librdkafka by confluent-kafka, which is the extra `kafka`: its configuration, and what its errors mean.

    acks=all, enable.idempotence   a record counts once all in-sync replicas have it, and the library's own retries write it once
    murmur2_random                 the partition of a key is the one that Java's clients choose
    no CreateTime of the event     brokers refuse or at once delete what is older than their retention; the event's time is in the record

Errors are told apart by librdkafka's codes (rdkafka.h, and the Kafka protocol's "Error Codes"); what isn't in the tables may pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from forwarders.kafka_settings import EVENT_HUBS_USER, Compression, KafkaSettings
from pipeline.errors import ConfigError, DeliveryError, Fault
from pipeline.settings import Secret

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Producer

PACKAGE: Final = "confluent_kafka"
OF_TIMEOUT: Final = 0.8
"""How much of an attempt's time limit the library has, so that it can say itself why nothing came of it."""

EVENT_HUBS: Final[Mapping[str, object]] = {
    "socket.keepalive.enable": True,
    "metadata.max.age.ms": 180_000,
    "connections.max.idle.ms": 180_000,
}
"""What Azure recommends: its balancer forgets connections that are idle for 240 s (Event Hubs, "Apache Kafka configurations")."""

DENIED: Final[Mapping[str, str]] = {
    "UNKNOWN_TOPIC_OR_PART": "unknown-topic",
    "_UNKNOWN_TOPIC": "unknown-topic",
    "TOPIC_EXCEPTION": "unknown-topic",
    "TOPIC_AUTHORIZATION_FAILED": "not-authorized",
    "CLUSTER_AUTHORIZATION_FAILED": "not-authorized",
    "SASL_AUTHENTICATION_FAILED": "not-authenticated",
    "_AUTHENTICATION": "not-authenticated",
    "UNSUPPORTED_SASL_MECHANISM": "not-authenticated",
    "ILLEGAL_SASL_STATE": "not-authenticated",
    "SECURITY_DISABLED": "not-authorized",
    "POLICY_VIOLATION": "policy",
    "UNSUPPORTED_COMPRESSION_TYPE": "unsupported",
    "UNSUPPORTED_FOR_MESSAGE_FORMAT": "unsupported",
    "UNSUPPORTED_VERSION": "unsupported",
    "INVALID_REQUIRED_ACKS": "unsupported",
    "_UNSUPPORTED_FEATURE": "unsupported",
}
REFUSED: Final[Mapping[str, str]] = {"INVALID_RECORD": "invalid-record", "INVALID_TIMESTAMP": "invalid-record"}
TOO_LARGE: Final[Mapping[str, str]] = {"MSG_SIZE_TOO_LARGE": "message-too-large", "RECORD_LIST_TOO_LARGE": "message-too-large"}
FAULTS: Final[Mapping[str, tuple[Fault, str]]] = {
    name: (fault, reason) for fault, names in ((Fault.DENIED, DENIED), (Fault.REFUSED, REFUSED), (Fault.TOO_LARGE, TOO_LARGE)) for name, reason in names.items()
}


def check_installed(settings: KafkaSettings) -> None:
    """See that the extra is there.

    Raises:
        ConfigError: it isn't.
    """
    if find_spec(PACKAGE) is None:
        raise ConfigError(f"forwarder {settings.name}", "the Python package confluent-kafka is missing", "pip install 'tidegate[kafka]'")


def make_producer(settings: KafkaSettings, heard: Callable[[KafkaError], None]) -> Producer:
    """A producer that connects by itself.

    Args:
        settings: its table.
        heard: called from `poll` and `flush` with errors that aren't about a record.

    Raises:
        DeliveryError: DENIED; a file can't be read, or the library refuses the configuration.
    """
    from confluent_kafka import KafkaException, Producer  # noqa: PLC0415 - an extra

    try:
        return Producer(configuration(settings) | {"error_cb": heard, "logger": _Silence()})
    except KafkaException as error:
        raise failure(error.args[0], settings, Fault.DENIED) from error


class _Silence:
    """Where the library's log goes: what it has to say comes as errors, too."""

    def log(self, *_: object) -> None:
        """Drop a line."""


def configuration(settings: KafkaSettings) -> dict[str, Any]:
    """The library's properties (librdkafka, CONFIGURATION.md).

    Raises:
        DeliveryError: DENIED; a file can't be read.
    """
    hub = settings.event_hub
    compression = settings.compression or (Compression.NONE if hub else Compression.ZSTD)
    limit_ms = int(settings.retry.timeout * OF_TIMEOUT * 1000)
    found: dict[str, Any] = {
        "bootstrap.servers": ",".join(map(str, settings.bootstrap)),
        "client.id": "tidegate",
        "acks": "all",
        "enable.idempotence": True,
        "partitioner": "murmur2_random",
        "compression.type": str(compression),
        "message.max.bytes": settings.max_message,
        "message.timeout.ms": limit_ms,
        "request.timeout.ms": min(30_000, limit_ms),
        "allow.auto.create.topics": False,
        "log_level": 2,
        "security.protocol": ("SASL_" if settings.sasl or hub else "") + ("SSL" if settings.tls is not None or hub else "PLAINTEXT"),
    }
    if settings.connection_string is not None:
        found |= {"sasl.mechanism": "PLAIN", "sasl.username": EVENT_HUBS_USER, "sasl.password": _text(settings.connection_string)} | dict(EVENT_HUBS)
    if settings.sasl is not None:
        sasl = settings.sasl
        found |= {"sasl.mechanism": str(sasl.mechanism), "sasl.username": sasl.username, "sasl.password": _text(sasl.password)}
    if settings.tls is not None and settings.tls.ca:
        found["ssl.ca.pem"] = _pem(settings.tls.ca)
    if settings.tls is not None and settings.tls.certificate is not None and settings.tls.key is not None:
        found |= {"ssl.certificate.pem": _pem([settings.tls.certificate]), "ssl.key.pem": _pem([settings.tls.key])}
    return found


def failure(error: KafkaError, settings: KafkaSettings, fault: Fault | None = None, *, taken: int = 0) -> DeliveryError:
    """An error of the library's as ours.

    Args:
        error: what it said.
        settings: whose secrets aren't repeated.
        fault: whose it is; by the tables unless given.
        taken: records that were taken before.
    """
    name = error.name()
    known, reason = FAULTS.get(name, (Fault.RETRY, name.strip("_").lower().replace("_", "-")))
    if name == "_SSL" and "certificate" in error.str():
        known, reason = Fault.DENIED, "tls-certificate"
    detail = error.str()
    for secret in (settings.connection_string, settings.sasl and settings.sasl.password):
        if secret and secret.get_secret_value():
            detail = detail.replace(_text(secret), "***")
    return DeliveryError(reason, fault or known, detail=" ".join(detail.split())[:200], taken=taken)


def _text(secret: Secret) -> str:
    return secret.get_secret_value().decode("utf-8", "replace")


def _pem(paths: Iterable[Path]) -> str:
    texts = []
    for path in paths:
        try:
            texts.append(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise DeliveryError("tls-file", Fault.DENIED, detail=f"{path}: {getattr(error, 'strerror', None) or 'no PEM'}") from error
    return "\n".join(texts)
