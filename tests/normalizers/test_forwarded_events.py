"""Events of Windows Event Forwarding: bare event XML, judged with what is known of their sender."""

from __future__ import annotations

from array import array
from dataclasses import replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.events import SAMPLES

from normalizers.normalizer import Normalizer
from normalizers.tally import MAX_REJECTS
from pipeline.model import Batch, Frames, Origin, Transport, Trust
from wire.event_xml import encode_event

ORIGIN = Origin("listeners.wef", Transport.HTTPS, "192.0.2.10", 1_710_504_001_000_000_000, "dc1.contoso.example")
NORMALIZER = Normalizer()
WANTED = encode_event(SAMPLES["4776"])
UNWANTED = WANTED.replace(b">4776<", b">4624<")
REPORT = (
    b"<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='Microsoft-Windows-EventForwarder'/>"
    b"<EventID>111</EventID><TimeCreated SystemTime='2024-03-15T12:00:00.0000000Z'/><Computer>dc1.contoso.example</Computer></System>"
    b"<SubscriptionBookmarkEvent><SubscriptionId></SubscriptionId></SubscriptionBookmarkEvent></Event>"
)


def normalized(*messages: bytes, trust: Trust | None = None, normalizer: Normalizer = NORMALIZER) -> Batch:
    buffer, spans = bytearray(), array("I")
    for message in messages:
        spans.extend((len(buffer), len(buffer) + len(message)))
        buffer += message + b"\n"
    batch = normalizer.normalize_events(Frames(bytes(buffer), spans, ORIGIN, trust or Trust()))
    assert batch.received == len(messages) == len(batch.index) + sum(batch.filtered.values()) + sum(batch.rejected.values()) + batch.control
    return batch


def labels(batch: Batch) -> list[str]:
    (line,) = batch.records.splitlines()
    found: list[str] = orjson.loads(line)["metadata"].get("labels", [])
    return found


#   event                                       batch is                    why
JUDGED = [
    (WANTED,                                    (1, {}, {}, 0),                         "wanted"),
    (UNWANTED,                                  (0, {"4624": 1}, {}, 0),                "unwanted"),
    (UNWANTED[:-150],                           (0, {"4624": 1}, {}, 0),                "unwanted and broken behind its key"),
    (WANTED[:-150],                             (0, {}, {"not-well-formed": 1}, 0),     "cut"),
    (b"<13>Mar 15 12:00:00 dc1 evt: x",         (0, {}, {"not-well-formed": 1}, 0),     "syslog"),
    (b"",                                       (0, {}, {"not-well-formed": 1}, 0),     "nothing"),
    (b"-- MARK --",                             (0, {}, {"not-well-formed": 1}, 0),     "what is a mark in syslog"),
    (REPORT,                                    (0, {}, {}, 1),                         "a position report without channel or record ID"),
    (REPORT.replace(b"<Computer>", b"<Channel>Security</Channel><EventRecordID>1</EventRecordID><Computer>"), (0, {}, {}, 1), "a position report with both"),
    (REPORT.replace(b"EventForwarder'", b"Other'"), (0, {"111": 1}, {}, 0),             "event 111 of somebody else"),
]  # fmt: skip


@pytest.mark.parametrize(("event", "expected"), [pytest.param(event, expected, id=why) for event, expected, why in JUDGED])
def test_events_are_judged_without_header(event: bytes, expected: tuple[int, dict[str, int], dict[str, int], int]) -> None:
    batch = normalized(event)
    assert (len(batch.index), batch.filtered, batch.rejected, batch.control) == expected


def test_a_position_report_is_never_a_record_even_where_everything_is_kept() -> None:
    assert normalized(REPORT, normalizer=Normalizer(keep_all=True)).control == 1


def test_what_the_sender_is_called_reaches_the_record() -> None:
    assert labels(normalized(WANTED, trust=Trust(labels=("subscription:outdated",)))) == ["subscription:outdated"]


def test_an_event_of_another_computer_is_labelled() -> None:
    batch = normalized(WANTED, trust=Trust(labels=("a",), speaks_for=lambda computer: computer != SAMPLES["4776"].computer))
    assert labels(batch) == ["a", "identity:mismatch"]


def test_an_event_of_another_computer_is_rejected_where_configured_and_the_others_are_kept() -> None:
    other = encode_event(replace(SAMPLES["4776"], computer="dc9.contoso.example", record_id="77"))
    batch = normalized(other, WANTED, trust=Trust(speaks_for=lambda computer: computer != "dc9.contoso.example", refuse=True))
    assert batch.rejected == {"identity-mismatch": 1}
    assert (len(batch.index), batch.rejects[0].raw) == (1, other)


def test_every_reject_is_in_the_batch() -> None:
    assert len(normalized(*[b"<"] * (MAX_REJECTS * 3)).rejects) == MAX_REJECTS * 3


@given(st.lists(st.binary(max_size=200) | st.sampled_from([WANTED, UNWANTED, REPORT]), max_size=8))
def test_anything_ends_in_one_tally(messages: list[bytes]) -> None:
    normalized(*messages)
