"""Settings of the Kafka destination, Azure Event Hubs by its Kafka endpoint included."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from forwarders.common_settings import CommonSettings
from forwarders.http.settings import ClientTls, is_loopback
from forwarders.payload import Payload
from pipeline.settings import Address, Secret, Settings, Size, SocketAddress

EVENT_HUBS_PORT: Final = 9093
EVENT_HUBS_USER: Final = "$ConnectionString"
EVENT_HUBS_OCTETS: Final = 1 << 20
"""What one event may have in every tier but Basic (Azure Event Hubs quotas)."""

ENDPOINT: Final = re.compile(r"sb://([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)/?", re.ASCII)

Topic = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,249}$")]


class SaslMechanism(StrEnum):
    """How a user proves to be one (RFC 4616, RFC 5802, RFC 7677)."""

    PLAIN = "PLAIN"
    SCRAM_SHA_256 = "SCRAM-SHA-256"
    SCRAM_SHA_512 = "SCRAM-SHA-512"


class Compression(StrEnum):
    """What batches are compressed with."""

    NONE = "none"
    GZIP = "gzip"
    SNAPPY = "snappy"
    LZ4 = "lz4"
    ZSTD = "zstd"


class SaslSettings(Settings):
    """`[forwarders.sasl]`: who we are. Never PLAIN without TLS to another machine.

    mechanism:           how the brokers are shown it.
    username, password:  what they know us by.
    """

    mechanism: SaslMechanism
    username: Annotated[str, StringConstraints(min_length=1)]
    password: Secret


class EventHub(Settings):
    """What a connection string of Event Hubs says: the namespace's host, and the event hub if it is one's own."""

    host: str
    entity: str | None


def parse_connection_string(secret: Secret) -> EventHub:
    """`Endpoint=sb://NAME.servicebus.windows.net/;SharedAccessKeyName=...;SharedAccessKey=...;EntityPath=...`, the last one optional."""
    parts = [part.partition("=") for part in secret.get_secret_value().decode("utf-8", "replace").split(";")]
    found = {name.strip().lower(): value.strip() for name, _, value in parts}
    endpoint = ENDPOINT.fullmatch(found.get("endpoint", ""))
    if endpoint is None or not found.get("sharedaccesskeyname") or not found.get("sharedaccesskey"):
        raise ValueError("this isn't a connection string of Event Hubs; copy it whole: Endpoint=sb://...;SharedAccessKeyName=...;SharedAccessKey=...")
    return EventHub(host=endpoint[1], entity=found.get("entitypath") or None)


def check_connection_string(value: Secret) -> Secret:
    """Refuse what isn't one, without repeating it."""
    parse_connection_string(value)
    return value


class KafkaSettings(CommonSettings):
    """A Kafka cluster, or an event hub.

    servers:            some brokers; they name the others.
    connection_string:  of Event Hubs, in place of servers, sasl and tls.
    topic:              where records go; with a connection string that names its event hub, that.
    payload:            how records are spelled.
    compression:        zstd, but for Event Hubs, which takes none in its lower tiers.
    max_message:        octets of one record with its key; a longer one is parked.
    sasl:               who we are.
    tls:                whose certificate is believed, and ours; TLS is spoken if the table is there, `tls = {}` for the system's authorities.
    """

    kind: Literal["kafka"]
    servers: tuple[Address, ...] = ()
    connection_string: Annotated[Secret, AfterValidator(check_connection_string)] | None = None
    topic: Topic | None = None
    payload: Payload = Payload.OCSF
    compression: Compression | None = None
    max_message: Annotated[Size, Field(ge=1024, le=64 << 20)] = 1_000_000
    sasl: SaslSettings | None = None
    tls: ClientTls | None = None

    @model_validator(mode="after")
    def is_one_of_two(self) -> Self:
        """Kafka or Event Hubs, with a topic, and no password for everybody to read."""
        if (self.connection_string is None) == (not self.servers):
            raise ValueError("write servers = ['host:9092', ...], or connection_string for Event Hubs")
        if self.connection_string is not None and (self.sasl or self.tls):
            raise ValueError("Event Hubs takes the connection string alone; leave sasl and tls out")
        if not (self.topic or (self.event_hub and self.event_hub.entity)):
            raise ValueError("topic is missing" if self.event_hub is None else "topic is missing: the connection string names no event hub (EntityPath)")
        if self.sasl and self.sasl.mechanism is SaslMechanism.PLAIN and self.tls is None and not all(is_loopback(f"//{server}") for server in self.servers):
            raise ValueError("PLAIN would send the password in plain text; add [forwarders.tls], `tls = {}` for the system's authorities")
        if self.event_hub and self.max_message > EVENT_HUBS_OCTETS:
            raise ValueError("Event Hubs takes events of 1 MiB at most")
        return self

    @property
    def event_hub(self) -> EventHub | None:
        """Where Event Hubs is, unless this is Kafka itself."""
        return None if self.connection_string is None else parse_connection_string(self.connection_string)

    @property
    def bootstrap(self) -> tuple[SocketAddress, ...]:
        """The brokers to begin with."""
        return self.servers if self.event_hub is None else (SocketAddress(self.event_hub.host, EVENT_HUBS_PORT),)

    @property
    def destined(self) -> str:
        """The topic."""
        return self.topic or (self.event_hub and self.event_hub.entity) or ""

    @property
    def place(self) -> str:
        return f"{self.payload} {self.destined} at {','.join(map(str, self.bootstrap))}"
