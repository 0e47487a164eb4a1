"""Simulated events: what is drawn is whole, reproducible, and tricky now and then."""

from __future__ import annotations

import re
from collections import Counter
from itertools import islice
from random import Random

import pytest

from gateway.simulate.estate import build_estate
from gateway.simulate.events import REQUIRED_IDS, draw_event, generate_events
from gateway.simulate.kinds import NOISE, REQUIRED, Kind
from wire.event_time import parse_iso

NOW_NS = 1_714_979_289_123_456_789


def test_required_are_the_fifteen() -> None:
    assert {"4726", "4728", "4729", "4730", "4732", "4733", "4743", "4753", "4756", "4757", "4758", "4763", "4776", "7045", "8004"} == REQUIRED_IDS


@pytest.mark.parametrize("kind", [*REQUIRED, *NOISE], ids=lambda kind: kind.event_id)
def test_every_kind_is_whole(kind: Kind) -> None:
    random = Random(kind.event_id)
    estate = build_estate(random)
    for at in range(200):
        event = draw_event(kind, random, estate, computer=estate.controllers[0], record_id=at, unix_ns=NOW_NS)
        assert tuple(name for name, _ in event.data) == kind.names
        assert event.time is not None
        assert event.time == parse_iso(event.time_text)
        assert event.time.unix_ns == NOW_NS - NOW_NS % 100
        assert re.fullmatch(r"0x[0-9a-f]{16}", event.keywords)


def test_same_seed_same_events() -> None:
    first, second = (list(islice(generate_events(Random(7), lambda: NOW_NS, noise=0.3), 500)) for _ in range(2))
    assert first == second


def test_record_ids_rise_by_one_in_each_log() -> None:
    last: dict[tuple[str, str], int] = {}
    for event in islice(generate_events(Random(3), lambda: NOW_NS, noise=0.5), 3000):
        log = (event.computer, event.channel)
        assert int(event.record_id) == last.get(log, int(event.record_id) - 1) + 1
        last[log] = int(event.record_id)
    assert len(last) > 8


def test_ntlm_validation_dominates_and_every_required_event_occurs() -> None:
    seen = Counter(event.event_id for event in islice(generate_events(Random(5), lambda: NOW_NS), 10_000))
    assert seen.keys() == REQUIRED_IDS
    assert seen["4776"] > 8000


def test_noise_is_the_share_asked_for() -> None:
    seen = Counter(event.event_id in REQUIRED_IDS for event in islice(generate_events(Random(5), lambda: NOW_NS, noise=0.75), 4000))
    assert 0.70 < seen[False] / 4000 < 0.80


def test_only_limits_the_ids() -> None:
    wanted = frozenset({"4728", "7036"})
    seen = {event.event_id for event in islice(generate_events(Random(5), lambda: NOW_NS, noise=0.5, only=wanted), 200)}
    assert seen == wanted
    assert list(generate_events(Random(5), lambda: NOW_NS, only=frozenset({"1"}))) == []


def test_failure_is_said_by_keywords_too() -> None:
    for event in islice(generate_events(Random(9), lambda: NOW_NS, only=frozenset({"4776"})), 1000):
        assert (dict(event.data)["Status"] == "0x0") == (event.keywords == "0x8020000000000000")


def test_tricky_values_occur() -> None:
    text = "\n".join(value for event in islice(generate_events(Random(1), lambda: NOW_NS, noise=0.2), 20_000) for _, value in event.data)
    for tricky in ("&", '"', "<", "\\,", "ü", "佐藤", "Builtin", "|", "=", "'"):
        assert tricky in text
