"""What a simulated NAS says and how it sees to it that it is answered, without a socket: sessions, requests under way, retransmissions, answers."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.simulate.estate import build_estate
from gateway.simulate.radius_exchange import Exchange, Habits
from gateway.simulate.radius_flavours import FLAVOURS, STATUS_NAMES, Flavour, describe, session_id
from gateway.simulate.radius_sessions import NS, Nas, Report, Status
from gateway.simulate.radius_tally import Latencies, Tally
from wire.radius.attributes import Attribute
from wire.radius.authenticators import encode_response, verify_request
from wire.radius.named import named_attributes
from wire.radius.packet import AUTHENTICATOR, Packet, parse_packet

HABITS = Habits()
SECRET = b"sixteen octets and more"
ACCOUNTS = build_estate(Random(1)).users


def make_nas(seed: int, most: int = 5) -> Nas:
    return Nas(1, "vpn01.contoso.example", ACCOUNTS, Random(seed), most=most)


def make_exchange(habits: Habits = HABITS, tally: Tally | None = None) -> Exchange:
    return Exchange(SECRET, lambda report, delay: [Attribute(40, bytes((0, 0, 0, report.status))), Attribute(41, delay.to_bytes(4))], habits, tally or Tally())


def start(number: int = 1) -> Report:
    return Report(Status.START, number, None, 0)


def answer(request: bytes, secret: bytes = SECRET) -> bytes:
    return encode_response(verify_request(request, SECRET), secret)


steps = st.lists(st.integers(0, 3 * NS), min_size=1, max_size=200)


@given(st.integers(0, 2**32), st.integers(1, 8), steps)
def test_no_two_reports_say_the_same_and_sessions_stay_within_bounds(seed: int, most: int, steps: list[int]) -> None:
    nas, now = make_nas(seed, most), 1_700_000_000 * NS
    said: Counter[tuple[int, Status, int]] = Counter()
    ended = set()
    for step in steps:
        now += step
        report = nas.report(now)
        said[report.number, report.status, report.seconds] += 1
        assert report.number not in ended
        if report.status is Status.STOP:
            ended.add(report.number)
        assert len(nas.open) <= most
        assert len({session.port for session in nas.open}) == len({session.given for session in nas.open}) == len(nas.open)
    assert set(said.values()) == {1}
    assert nas.turn_off(now).status is Status.OFF
    assert nas.open == []


@given(st.integers(0, 2**32))
def test_the_same_seed_and_times_give_the_same_requests(seed: int) -> None:
    flavour = FLAVOURS[seed % len(FLAVOURS)]
    one, other = ([describe(flavour, nas, nas.report(at * NS), 0) for at in range(50)] for nas in (make_nas(seed), make_nas(seed)))
    assert one == other


@pytest.mark.parametrize("flavour", FLAVOURS, ids=[flavour.name for flavour in FLAVOURS])
def test_every_flavour_says_what_a_record_needs(flavour: Flavour) -> None:
    nas = make_nas(7)
    reports = [nas.turn_on(0), *(nas.report(at * NS) for at in range(60)), nas.turn_off(60 * NS)]
    assert {report.status for report in reports} == set(Status)
    for report in reports:
        named = dict(named_attributes(Packet(4, 0, bytes(16), tuple(describe(flavour, nas, report, 3)))))
        assert named["Acct-Status-Type"] == STATUS_NAMES[report.status]
        assert named["Acct-Session-Id"] == session_id(flavour, nas, report)
        assert named["NAS-IP-Address"] == "198.51.100.1"
        assert named["Acct-Delay-Time"] == "3"
        assert ("User-Name" in named) == ("Framed-IP-Address" in named) == (report.session is not None)
        assert ("Acct-Session-Time" in named) == (report.status in {Status.INTERIM, Status.STOP})
        assert ("Acct-Terminate-Cause" in named) == (report.status is Status.STOP)
        assert not [name for name in named if name.startswith(("Attr-", "Vendor-"))]


def test_a_request_is_answered_once() -> None:
    tally = Tally()
    exchange = make_exchange(tally=tally)
    request = exchange.begin(start(), 0.0)
    pending = exchange.answered(answer(request), 0.25)
    assert pending is not None
    assert pending.report == start()
    assert exchange.answered(answer(request), 0.3) is None
    assert (tally.sent, tally.answered, tally.stray, exchange.under_way) == (1, 1, 1, 0)
    assert tally.latencies.quantile(0.5) == pytest.approx(0.25, rel=0.02)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda request: answer(request, b"another secret altogether"), "radius-authenticator"),
        (lambda request: answer(request)[:19], "radius-short"),
        (lambda request: encode_response(request, SECRET, 2), "radius-code"),
    ],
    ids=["signed with another secret", "cut short", "an Access-Accept"],
)
def test_an_answer_that_is_none_is_counted_and_changes_nothing(spoil: object, reason: str) -> None:
    assert callable(spoil)
    tally = Tally()
    exchange = make_exchange(tally=tally)
    request = exchange.begin(start(), 0.0)
    assert exchange.answered(spoil(request), 0.1) is None
    assert (tally.reasons, exchange.under_way) == ({reason: 1}, 1)
    assert exchange.answered(answer(request), 0.2) is not None


def test_what_nobody_answers_is_sent_again_unchanged_ever_later_and_then_given_up() -> None:
    tally = Tally()
    exchange = make_exchange(Habits(first=1.0, longest=3.0, tries=4), tally)
    request = exchange.begin(start(), 0.0)
    times = []
    while (now := exchange.next_due) != float("inf"):
        times.append(now)
        assert set(exchange.due(now)) <= {request}
    assert times == [1.0, 3.0, 6.0, 9.0]
    assert (tally.sent, tally.resent, tally.unanswered, exchange.under_way) == (1, 3, 1, 0)


def test_with_a_new_delay_time_it_is_another_packet_and_either_answer_ends_it_or_is_stray() -> None:
    tally = Tally()
    exchange = make_exchange(Habits(first=2.0, renews_delay=True), tally)
    request = exchange.begin(start(), 0.0)
    (again,) = exchange.due(2.5)
    assert parse_packet(again).values(41) == (b"\0\0\0\2",)
    assert (request[1], request[AUTHENTICATOR]) != (again[1], again[AUTHENTICATOR])
    assert exchange.answered(answer(request), 2.6) is None
    assert exchange.answered(answer(again), 2.7) is not None
    assert (tally.answered, tally.stray) == (1, 1)


@given(st.integers(1, 256), st.lists(st.booleans(), max_size=600))
def test_no_two_requests_under_way_have_one_identifier(window: int, course: list[bool]) -> None:
    tally = Tally()
    exchange = make_exchange(Habits(window=window), tally)
    waiting: list[bytes] = []
    for begins in course:
        if begins and exchange.room:
            waiting.append(exchange.begin(start(len(waiting)), 0.0))
        elif waiting:
            assert exchange.answered(answer(waiting.pop(len(waiting) // 2)), 1.0) is not None
        assert len({request[1] for request in waiting}) == len(waiting) == exchange.under_way
    assert exchange.restart() == waiting
    exchange.abandon()
    assert tally.sent == tally.answered + tally.unanswered


@given(st.lists(st.floats(1e-6, 100), min_size=1))
def test_quantiles_are_right_to_within_two_per_cent(times: list[float]) -> None:
    kept = Latencies()
    for seconds in times:
        kept.take(seconds)
    times.sort()
    for share in (0.01, 0.5, 0.99, 1.0):
        exact = times[math.ceil(len(times) * share) - 1]
        assert kept.quantile(share) == pytest.approx(exact, rel=0.021)
    assert all(one <= other for one, other in pairwise(kept.quantile(at / 10) for at in range(11)))


def test_no_times_have_no_quantile() -> None:
    assert Latencies().quantile(0.5) == 0.0
