"""ECS: fields and types that Elasticsearch takes, in Elastic's own words for these events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import orjson
import pytest
from hypothesis import given
from support import records

from forwarders.encoders.ecs import encode_ecs, stream_name
from forwarders.encoders.ecs_meanings import ACTIVITIES, FALLBACKS, MEANINGS

CATEGORIES: Final = {"iam", "authentication", "configuration", "session", "network"}
TYPES: Final = {
    "iam": {"admin", "change", "creation", "deletion", "group", "info", "user"},
    "authentication": {"start", "end", "info"},
    "configuration": {"access", "change", "creation", "deletion", "info"},
    "session": {"start", "end", "info"},
    "network": {"access", "allowed", "connection", "denied", "end", "info", "protocol", "start"},
}
"""ECS 8.11, "ECS Categorization Fields": the types expected of each category."""

LONGS: Final = {
    "event.severity",
    "event.duration",
    "source.bytes",
    "source.packets",
    "destination.bytes",
    "destination.packets",
    "network.bytes",
    "network.packets",
}


def leaves(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        for name, item in node.items():
            yield from leaves(item, f"{path}.{name}" if path else name)
    else:
        yield path, node


def test_categories_and_types_are_the_schemas() -> None:
    for meaning in (*MEANINGS.values(), *ACTIVITIES.values(), *FALLBACKS.values()):
        assert set(meaning.category) <= CATEGORIES
        allowed: set[str] = set().union(*(TYPES[category] for category in meaning.category)) if meaning.category else {"info"}
        assert set(meaning.type) <= allowed


@given(records.good | records.hostile() | records.broken())
def test_every_document_can_be_indexed(record: records.Record) -> None:
    document = encode_ecs(record)
    for path, item in leaves(document):
        assert item not in (None, "", []), path
        assert isinstance(item, int) == (path in LONGS), (path, item)
        assert not isinstance(item, bool)
    for parent, field in (("winlog", "event_data"), ("radius", "attributes")):
        for name in document.get(parent, {}).get(field, {}):
            assert name
            assert "." not in name
            assert name.isspace() is False
    assert document["data_stream"]["dataset"] == document["event"]["dataset"]


@given(records.good)
def test_identity_and_time_are_the_records(record: records.Record) -> None:
    document = orjson.loads(orjson.dumps(encode_ecs(record)))
    assert document["event"]["id"] == record["metadata"]["uid"]
    assert document["event"]["code"] == record["metadata"]["event_code"]
    assert document["@timestamp"].endswith("Z")


def test_a_member() -> None:
    document = encode_ecs(records.fixture_record("events/4728"))
    assert document["event"]["action"] == "added-member-to-group"
    assert (document["event"]["category"], document["event"]["type"]) == (["iam"], ["group", "change"])
    assert document["user"]["name"] == "amir"
    assert document["user"]["target"]["id"].endswith("-1142")
    assert document["group"] == document["user"]["target"]["group"]
    assert document["winlog"]["event_data"]["MemberName"] == "CN=Levi\\, Dana,OU=Staff,DC=contoso,DC=example"
    assert document["related"]["user"] == ["amir"]


def test_a_subgroup_is_the_target() -> None:
    record = records.fixture_record("events/4732")
    record.pop("user", None)
    record["subgroup"] = {"name": "Domain Admins", "domain": "contoso.example", "uid": "S-1-5-21-1-2-3-512"}
    assert encode_ecs(record)["user"]["target"]["id"] == "S-1-5-21-1-2-3-512"


def test_a_computer_account() -> None:
    document = encode_ecs(records.fixture_record("events/4743"))
    assert document["winlog"]["computerObject"]["name"].endswith("$")
    assert document["event"]["action"] == "deleted-computer-account"


def test_a_session() -> None:
    document = encode_ecs(records.fixture_record("radius/asa-stop"))
    assert (document["source"]["bytes"], document["destination"]["bytes"]) == (1048576, 9663676416)
    assert document["event"]["duration"] == 7_200_000_000_000  # nanoseconds
    assert (document["source"]["ip"], document["source"]["nat"]["ip"]) == ("203.0.113.9", "10.20.4.8")
    assert document["observer"]["ip"] == "192.0.2.20"
    assert "host" not in document
    assert "winlog" not in document
    assert document["radius"]["attributes"]["ASA-TunnelGroupName"] == "Staff"


def test_names_with_dots_stay_one_field_each() -> None:
    record = records.fixture_record("events/4662") | {"unmapped": {"a": "1", "a.b": "2", "a_b": ["3", "4"], ".": "5"}}
    data = encode_ecs(record)["winlog"]["event_data"]
    assert {name: data[name] for name in ("a", "a_b", "_")} == {"a": "1", "a_b": ["2", "3", "4"], "_": "5"}


@pytest.mark.parametrize(
    ("name", "options", "stream"),
    [
        ("events/4776", {}, "logs-tidegate.windows-default"),
        ("radius/rras-start", {}, "logs-tidegate.radius-default"),
        ("events/4776", {"dataset": "system.security", "namespace": "prod"}, "logs-system.security-prod"),
    ],
)
def test_stream(name: str, options: dict[str, str], stream: str) -> None:
    assert stream_name(encode_ecs(records.fixture_record(name), **options)) == stream


def test_labels_are_tags() -> None:
    record = records.fixture_record("events/4776")
    record["metadata"]["labels"] = ["uid:weak"]
    assert encode_ecs(record)["tags"] == ["uid:weak"]


def test_a_finding_is_a_tag() -> None:
    finding = {"type": "honeytoken", "name": "user.name", "value": "svc-old", "data": {"list": "decoys"}}
    document = encode_ecs(records.fixture_record("events/4776") | {"enrichments": [finding]})
    assert document["tags"] == ["honeytoken"]
    assert document["tidegate"] == {"enrichments": [{"type": "honeytoken", "name": "user.name", "value": "svc-old"}]}


def test_an_event_of_ones_own_mapping() -> None:
    record = records.fixture_record("events/4726") | {"activity_id": 1}
    record["metadata"]["event_code"] = "4720"
    assert encode_ecs(record)["event"]["type"] == ["user", "creation"]
