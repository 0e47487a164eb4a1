"""Settings of the Kafka destination, the library's properties they become, and what its errors mean."""

from __future__ import annotations

from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest
from confluent_kafka import KafkaError
from pydantic import TypeAdapter, ValidationError

from forwarders import kafka_client
from forwarders.destination import Promise
from forwarders.kafka import Kafka
from forwarders.kafka_client import FAULTS, configuration, failure
from forwarders.kafka_settings import KafkaSettings
from forwarders.settings import ForwarderSettings
from pipeline.errors import ConfigError, DeliveryError, Fault

TABLE: dict[str, object] = {"name": "hub", "kind": "kafka", "servers": ["127.0.0.1:9092"], "topic": "identity"}
SASL = {"mechanism": "PLAIN", "username": "u", "password": b"tell nobody"}
SAS = "Endpoint=sb://contoso.servicebus.windows.net/;SharedAccessKeyName=send;SharedAccessKey=c2VjcmV0IGtleQ=="


def settings(**given: object) -> KafkaSettings:
    return KafkaSettings.model_validate(TABLE | given)


def hub(secret: str = f"{SAS};EntityPath=events", **given: object) -> KafkaSettings:
    return KafkaSettings.model_validate({"name": "hub", "kind": "kafka", "connection_string": secret.encode()} | given)


def test_kafka() -> None:
    table = settings(servers=["k1.contoso.example:9092", "[2001:db8::1]:9092"], payload="ecs")
    assert table.place == "ecs identity at k1.contoso.example:9092,[2001:db8::1]:9092"
    assert table.promise is Promise.ACKNOWLEDGED
    assert TypeAdapter[object](ForwarderSettings).validate_python(TABLE) == settings()
    found = configuration(table)
    assert found["bootstrap.servers"] == "k1.contoso.example:9092,[2001:db8::1]:9092"
    assert (found["acks"], found["enable.idempotence"], found["compression.type"]) == ("all", True, "zstd")
    assert found["security.protocol"] == "PLAINTEXT"


def test_a_user_and_certificates(tmp_path: Path) -> None:
    for name in ("a", "b", "own", "key"):
        (tmp_path / name).write_text(name)
    sasl = {"mechanism": "SCRAM-SHA-256", "username": "tidegate", "password": b"tell nobody"}
    tls = {"ca": [tmp_path / "a", tmp_path / "b"], "certificate": tmp_path / "own", "key": tmp_path / "key"}
    found = configuration(settings(sasl=sasl, tls=tls))
    assert found["security.protocol"] == "SASL_SSL"
    assert (found["sasl.mechanism"], found["sasl.username"], found["sasl.password"]) == ("SCRAM-SHA-256", "tidegate", "tell nobody")
    assert (found["ssl.ca.pem"], found["ssl.certificate.pem"], found["ssl.key.pem"]) == ("a\nb", "own", "key")
    assert "tell nobody" not in repr(settings(sasl=sasl))


@pytest.mark.parametrize("server", ["localhost:9092", "127.0.0.2:9092", "[::1]:9092"])
def test_plain_text_to_this_machine(server: str) -> None:
    assert configuration(settings(servers=[server], sasl=SASL))["security.protocol"] == "SASL_PLAINTEXT"


def test_event_hubs() -> None:
    table = hub()
    assert table.place == "ocsf events at contoso.servicebus.windows.net:9093"
    found = configuration(table)
    assert found["bootstrap.servers"] == "contoso.servicebus.windows.net:9093"
    assert (found["security.protocol"], found["sasl.mechanism"], found["sasl.username"]) == ("SASL_SSL", "PLAIN", "$ConnectionString")
    assert found["sasl.password"] == f"{SAS};EntityPath=events"
    assert (found["compression.type"], found["connections.max.idle.ms"]) == ("none", 180_000)
    assert hub(SAS, topic="other").destined == "other"
    assert "c2VjcmV0" not in repr(table)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"servers": []}, "write servers"),
        ({"connection_string": SAS.encode()}, "write servers"),
        ({"topic": None}, "topic is missing"),
        ({"topic": "two words"}, "topic"),
        ({"servers": ["k1"]}, "write host:port"),
        ({"servers": ["k1:9092"], "sasl": SASL}, "in plain text"),
        ({"servers": ["127.0.0.1:9092", "192.0.2.1:9092"], "sasl": SASL}, "in plain text"),
        ({"sasl": {"mechanism": "GSSAPI", "username": "u", "password": b"p"}}, "mechanism"),
        ({"compression": "brotli"}, "compression"),
    ],
    ids=str,
)
def test_refused_settings(given: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        settings(**given)


@pytest.mark.parametrize(
    ("secret", "given", "said"),
    [
        ("c2VjcmV0IGtleQ==", {}, "isn't a connection string"),
        (SAS.replace("sb:", "https:"), {}, "isn't a connection string"),
        (SAS.replace(".servicebus", ".serv ice"), {}, "isn't a connection string"),
        (SAS, {}, "names no event hub"),
        (SAS, {"topic": "t", "tls": {}}, "leave sasl and tls out"),
        (SAS, {"topic": "t", "max_message": 1 << 21}, "1 MiB"),
    ],
)
def test_refused_event_hubs(secret: str, given: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said) as refused:
        hub(secret, **given)
    assert not any("c2VjcmV0" in error["msg"] for error in refused.value.errors())


def test_a_file_that_is_not_there_is_for_the_operator(tmp_path: Path) -> None:
    with pytest.raises(DeliveryError) as refused:
        configuration(settings(tls={"ca": [tmp_path / "none.pem"]}))
    assert (refused.value.reason, refused.value.fault) == ("tls-file", Fault.DENIED)


async def test_what_the_library_refuses_is_for_the_operator(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(DeliveryError) as refused:
        await Kafka(settings(tls={"ca": [tmp_path / "ca.pem"]})).open(b"")
    assert refused.value.fault is Fault.DENIED


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_every_error_in_the_tables_exists(name: str) -> None:
    assert isinstance(getattr(KafkaError, name), int)


def test_every_error_of_the_library_has_a_reason_and_none_but_a_record_is_given_up() -> None:
    codes = {value for name, value in vars(KafkaError).items() if name.isupper() and isinstance(value, int) and value}
    faults = {error.name(): failure(error, settings()) for error in map(KafkaError, codes)}
    assert len(faults) > 100
    assert {name for name, said in faults.items() if said.fault is Fault.REFUSED} == {"INVALID_RECORD", "INVALID_TIMESTAMP"}
    assert {name for name, said in faults.items() if said.fault is Fault.TOO_LARGE} == {"MSG_SIZE_TOO_LARGE", "RECORD_LIST_TOO_LARGE"}
    assert all(said.reason.replace("-", "").isalnum() for said in faults.values())


def test_no_error_repeats_a_secret() -> None:
    said = failure(KafkaError(KafkaError._AUTHENTICATION, "you said tell nobody\nand so on"), settings(sasl=SASL))
    assert said.detail == "you said *** and so on"


def test_without_the_extra_the_operator_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(_: str) -> ModuleSpec | None:
        return None

    monkeypatch.setattr(kafka_client, "find_spec", nowhere)
    with pytest.raises(ConfigError, match="confluent-kafka is missing") as missing:
        Kafka(settings())
    assert "tidegate[kafka]" in str(missing.value)
