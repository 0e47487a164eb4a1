"""Elastic's expected documents for events of real machines, field by field: ours are equal, or the difference stands here with its reason.

The events are Winlogbeat's: the pipelines' inputs for the integration's, and for Winlogbeat's own the expected documents themselves, whose
`winlog` part is an event in Winlogbeat's layout.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

import orjson

from forwarders.encoders.ecs import encode_ecs
from normalizers.normalizer import Normalizer
from pipeline.model import Frames, Origin, Transport

ORIGIN: Final = Origin("listeners.syslog", Transport.TCP, "192.0.2.1", 1_710_504_001_000_000_000)
NORMALIZER: Final = Normalizer("mdi-current", keep_all=True)
ABSENT: Final = object()

UNINTERPRETED: Final = ("4731", "4744", "4745", "4749")
"""Events that no mapping interprets: Base Events, whose EventData is whole, but whose fields are nobody's."""

NOTHING: Final = ("-", ["-"])
"""What EventData has where it has no value: the record leaves it out."""

Difference = tuple[str, tuple[str, ...], str]

NOT_IN_THE_RECORD: Final = "of the event's ceremony or the agent that read it: not in the record"

MISSING: Final[tuple[Difference, ...]] = (
    ("agent.*", (), NOT_IN_THE_RECORD),
    ("log.file.path", (), NOT_IN_THE_RECORD),
    ("winlog.process.*", (), "the logging process, not the actor's: not in the record"),
    ("winlog.keywords", (), NOT_IN_THE_RECORD + "; the audit's result is event.outcome"),
    ("winlog.opcode", (), NOT_IN_THE_RECORD),
    ("winlog.provider_guid", (), NOT_IN_THE_RECORD),
    ("winlog.task", (), NOT_IN_THE_RECORD),
    ("winlog.api", (), NOT_IN_THE_RECORD),
    ("winlog.level", (), "the same as log.level, which is ECS"),
    ("winlog.outcome", (), "the same as event.outcome, which is ECS"),
    ("winlog.time_created", (), "the same as @timestamp, which is ECS"),
    ("event.ingested", (), "said by Elasticsearch when it has the document"),
    ("user.target.name", ("4728",), "Elastic takes it from the distinguished name's CN, which is no logon name"),
    ("winlog.logon.failure.status", ("4776",), "Elastic's words for the code in winlog.event_data.Status; ours are event.reason"),
    ("winlog.logon.id", UNINTERPRETED, "not interpreted; it is winlog.event_data.SubjectLogonId"),
    ("event.category", UNINTERPRETED, "not interpreted"),
    ("event.action", UNINTERPRETED, "not interpreted"),
    ("user.*", UNINTERPRETED, "not interpreted; it is in winlog.event_data.Subject*"),
    ("group.*", UNINTERPRETED, "not interpreted; it is in winlog.event_data.Target*"),
    ("related.user", UNINTERPRETED, "not interpreted"),
)
"""(fields, event codes or all, reason) of fields that Elastic has and we don't."""

OTHER: Final[tuple[Difference, ...]] = (
    ("ecs.version", (), "these documents are of older versions"),
    ("event.module", (), "ours"),
    ("event.type", UNINTERPRETED, "not interpreted: info"),
    ("@timestamp", (), "milliseconds are the record's; Winlogbeat writes what Windows has"),
    ("winlog.record_id", (), "Winlogbeat's numbers are texts since version 8 and in the integration"),
    ("related.user", ("4741", "4743"), "the computer's account too"),
    ("related.user", (), "a list in ECS; these documents have one text"),
    ("user.target.domain", ("4728",), "Winlogbeat takes the last DC alone, ours are all of them"),
)
"""The same of fields that both have with different values."""

ADDED: Final[tuple[Difference, ...]] = (
    ("data_stream.*", (), "the data stream it goes to"),
    ("event.dataset", (), "of the data stream"),
    ("event.id", (), "the record's uid, by which Elasticsearch tells duplicates"),
    ("event.created", (), "when Tidegate got it"),
    ("event.severity", (), "OCSF's severity"),
    ("event.module", (), "Tidegate; the integration has none"),
    ("event.reason", ("4776",), "why the validation ended as it did"),
    ("message", (), "OCSF's constant title"),
    ("network.protocol", ("4776",), "NTLM"),
    ("source.*", ("4776",), "Workstation, where the client says it is"),
    ("user.target.*", ("4726", "4728", "4741", "4743"), "whom it was done to"),
    ("ecs.version", (), "Winlogbeat's documents have it added later"),
    ("related.hosts", (), "as ECS asks"),
)
"""The same of fields that we have and Elastic hasn't."""


def leaves(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        for name, item in node.items():
            yield from leaves(item, f"{path}.{name}" if path else name)
    else:
        yield path, node


def examples(extra_corpus: Path) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """(Winlogbeat's event, the document expected of it)."""
    expected, inputs = extra_corpus / "corpus" / "expected", extra_corpus / "corpus" / "syslog" / "winlogbeat-json"
    for path in sorted((expected / "elastic-integrations").glob("*.json")):
        found = json.loads(path.read_bytes())
        events = json.loads((inputs / f"elastic-{path.name.replace('-expected', '')}").read_bytes())
        yield from ((orjson.dumps(event), document) for event, document in zip(events, found, strict=True))
    for path in sorted((expected / "elastic-winlogbeat").glob("*.json")):
        for document in json.loads(path.read_bytes()):
            yield orjson.dumps({key: document[key] for key in ("@timestamp", "event", "winlog", "log")}), document


def encoded(event: bytes) -> dict[str, Any]:
    batch = NORMALIZER.normalize(Frames(event, array("I", (0, len(event))), ORIGIN))
    assert len(batch.index) == 1, (batch.rejected, batch.filtered)
    document: dict[str, Any] = orjson.loads(orjson.dumps(encode_ecs(orjson.loads(batch.records))))
    return document


def row_for(table: tuple[Difference, ...], path: str, code: str) -> Difference | None:
    return next((row for row in table if fnmatchcase(path, row[0]) and (not row[1] or code in row[1])), None)


def test_every_difference_has_its_reason(extra_corpus: Path) -> None:
    unexplained, used, equal = [], set(), 0
    for event, document in examples(extra_corpus):
        ours, theirs = dict(leaves(encoded(event))), {path: item for path, item in leaves(document) if item not in NOTHING}
        code = theirs["event.code"]
        for path in ours.keys() | theirs.keys():
            mine, other = ours.get(path, ABSENT), theirs.get(path, ABSENT)
            if mine == other:
                equal += 1
                continue
            table = MISSING if mine is ABSENT else ADDED if other is ABSENT else OTHER
            row = row_for(table, path, code)
            if row is None:
                unexplained.append((code, path, mine, other))
            else:
                used.add(row)
    assert unexplained == []
    assert {*MISSING, *ADDED, *OTHER} - used == set()
    assert equal > 300
