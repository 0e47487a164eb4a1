"""The normalizer: every message ends in exactly one tally, tallies are bounded, and explain judges as normalize does."""

from __future__ import annotations

import json
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.events import SAMPLES, required_events

from normalizers.judgement import Verdict
from normalizers.normalizer import Normalizer
from normalizers.tally import MAX_REJECTS, MAX_TALLY
from pipeline.model import Batch, Frames, Origin, Transport
from wire.event import EventKey, WindowsEvent
from wire.event_xml import Rendering, encode_event
from wire.layouts.layout import Mode, Reading

ORIGIN = Origin("listeners.syslog", Transport.UDP, "192.0.2.10", 1_710_504_001_000_000_000)
NORMALIZER = Normalizer()
WANTED = encode_event(SAMPLES["4776"])
UNWANTED = WANTED.replace(b">4776<", b">4624<")


def frames_of(*messages: bytes) -> Frames:
    """The messages one behind the other, with an octet between them that belongs to none."""
    buffer, spans = bytearray(), array("I")
    for message in messages:
        spans.extend((len(buffer), len(buffer) + len(message)))
        buffer += message + b"\n"
    return Frames(bytes(buffer), spans, ORIGIN)


def normalized(*messages: bytes, normalizer: Normalizer = NORMALIZER) -> Batch:
    batch = normalizer.normalize(frames_of(*messages))
    assert batch.received == len(messages) == len(batch.index) + sum(batch.filtered.values()) + sum(batch.rejected.values()) + batch.control
    assert [batch.records[entry.start : entry.end] for entry in batch.index] == batch.records.splitlines()
    return batch


#   message                                                     verdict                rule                   why
JUDGED = [
    (WANTED,                                                    Verdict.NORMALIZED,    "",                    "wanted"),
    (b"<13>Mar 15 12:00:00 dc01 evt: " + WANTED,                Verdict.NORMALIZED,    "",                    "behind an RFC 3164 header"),
    (b"<13>1 2024-03-15T12:00:00Z dc01 evt - - - " + WANTED,    Verdict.NORMALIZED,    "",                    "behind an RFC 5424 header"),
    (encode_event(SAMPLES["4776"], Rendering.EVTX),             Verdict.NORMALIZED,    "",                    "as EVTX readers print it"),
    (UNWANTED,                                                  Verdict.FILTERED,      "",                    "unwanted"),
    (UNWANTED[:-150],                                          Verdict.FILTERED,      "",                    "unwanted and broken behind its key"),
    (UNWANTED.decode().encode("utf-16"),                        Verdict.FILTERED,      "",                    "unwanted, told by parsing"),
    (WANTED.replace(b"Security-Auditing", b"Other"),            Verdict.FILTERED,      "",                    "a required ID of another provider"),
    (WANTED.replace(b">Security<", b">System<"),                Verdict.FILTERED,      "",                    "a required ID of another channel"),
    (WANTED[:-150],                                            Verdict.REJECTED,      "not-well-formed",     "wanted but cut"),
    (WANTED + b"<",                                             Verdict.REJECTED,      "not-well-formed",     "wanted but broken"),
    (b"<Event><System/></Event>",                               Verdict.REJECTED,      "missing-key:System",  "an event without System"),
    (b"su: session opened",                                     Verdict.REJECTED,      "unknown-format",      "no event"),
    (b"<13>Mar 15 12:00:00 dc01 su: session opened",            Verdict.REJECTED,      "unknown-format",      "no event behind a header"),
    (b"\xff\xfe\xfd",                                           Verdict.REJECTED,      "unknown-format",      "octets"),
    (b"",                                                       Verdict.CONTROL,       "",                    "empty"),
    (b" \r\n\x00",                                              Verdict.CONTROL,       "",                    "blank"),
    (b"<46>Mar 15 12:00:00 dc01 -- MARK --",                    Verdict.CONTROL,       "",                    "a mark"),
    (b"<46>Mar 15 12:00:00 dc01 syslogd: -- MARK --",           Verdict.CONTROL,       "",                    "a mark with a tag"),
]  # fmt: skip


@pytest.mark.parametrize(("message", "verdict", "rule"), [case[:3] for case in JUDGED], ids=[case[3] for case in JUDGED])
def test_verdict(message: bytes, verdict: Verdict, rule: str) -> None:
    judgement = NORMALIZER.judge(message, ORIGIN)
    assert (judgement.verdict, judgement.rule) == (verdict, rule)
    normalized(message)


def test_a_batch_of_everything_reconciles() -> None:
    batch = normalized(*(case[0] for case in JUDGED))
    assert len(batch.index) == 4
    assert batch.filtered == {"4624": 3, "4776": 2}
    assert batch.rejected == {"not-well-formed": 2, "missing-key:System": 1, "unknown-format": 3}
    assert batch.control == 4
    assert {reject.raw for reject in batch.rejects} == {case[0] for case in JUDGED if case[1] is Verdict.REJECTED}


def test_an_id_alone_is_no_identity() -> None:
    audit = encode_event(SAMPLES["8004"])
    assert len(normalized(audit, audit.replace(b"Security-Netlogon", b"NTLM")).index) == 2
    assert normalized(audit.replace(b"Security-Netlogon", b"AppLocker")).filtered == {"8004": 1}


def test_tallies_and_rejects_are_bounded() -> None:
    batch = normalized(*(WANTED.replace(b">4776<", b">%d<" % number) for number in range(5000, 5200)), *[b"?"] * 100)
    assert len(batch.filtered) == MAX_TALLY + 1
    assert batch.filtered["other"] == 200 - MAX_TALLY
    assert len(batch.rejects) == MAX_REJECTS
    assert batch.rejected == {"unknown-format": 100}


def test_keep_all_maps_the_rest_to_base_event() -> None:
    everything = Normalizer(keep_all=True)
    batch = normalized(WANTED, UNWANTED, encode_event(SAMPLES["4776"]).replace(b">4776<", b">4741<"), normalizer=everything)
    assert [entry.class_uid for entry in batch.index] == [3002, 0, 0], "a profile that doesn't name 4741 doesn't map it either"
    assert [entry.class_uid for entry in normalized(UNWANTED.replace(b">4624<", b">4741<"), normalizer=Normalizer("mdi-current")).index] == [3001]


def test_strict_mode_refuses_what_lenient_mode_repairs() -> None:
    bent = WANTED.replace(b"dana", b"d\x01na")
    assert normalized(bent).warnings == {"illegal-character": 1}
    assert normalized(bent, normalizer=Normalizer(reading=Reading(mode=Mode.STRICT))).rejected == {"illegal-character": 1}


# ---- explain ----


def test_explain_tells_where_each_field_stands() -> None:
    message = b"<13>Mar 15 12:00:00 dc01 evt: " + WANTED
    explanation = NORMALIZER.explain(message, ORIGIN)
    assert explanation.judgement.key == EventKey("Security", "Microsoft-Windows-Security-Auditing", "4776")
    assert explanation.judgement.layout is not None
    assert explanation.judgement.layout.name == "event-xml"
    fields = {field.name: field for field in explanation.fields}
    assert {"header.hostname", "event_id", "channel", "computer", "data.TargetUserName"} <= fields.keys()
    for field in fields.values():
        assert message[field.start : field.end] == field.text.encode()
    assert json.loads(explanation.record)["user"]["name"] == "dana"


def test_explain_names_the_broken_rule_and_its_place() -> None:
    message = b"<13>Mar 15 12:00:00 dc01 evt: " + WANTED.replace(b"</Channel>", b"</Chanel>")
    judgement = NORMALIZER.explain(message, ORIGIN).judgement
    assert (judgement.verdict, judgement.rule, judgement.document) == (Verdict.REJECTED, "not-well-formed", "XML 1.0 section 2.1")
    assert judgement.key is None, "Channel is what broke"
    assert abs(judgement.offset - message.index(b"</Chanel>")) < 20


@given(st.lists(st.binary(max_size=60) | required_events().map(encode_event), max_size=4))
def test_any_octets_reconcile_and_explain_agrees(messages: list[bytes]) -> None:
    batch = normalized(*messages)
    records = [explanation.record for explanation in (NORMALIZER.explain(message, ORIGIN) for message in messages) if explanation.record]
    assert batch.records.splitlines() == records


@given(required_events(), st.integers(0, 1200), st.binary(min_size=1, max_size=2))
def test_mutated_events_reconcile(event: WindowsEvent, at: int, inserted: bytes) -> None:
    message = encode_event(event)
    normalized(message[:at] + inserted + message[at:], message[:at])


@given(required_events())
def test_equal_input_gives_equal_output(event: WindowsEvent) -> None:
    message = encode_event(event)
    assert normalized(message).records == normalized(message).records
