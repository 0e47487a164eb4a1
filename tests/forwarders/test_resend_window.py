"""The resend window against a model: nothing that may be unread is forgotten, in order, and memory is bounded."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from forwarders.resend_window import MOST_TIMES, SETTLING_S, ResendWindow


def drained(window: ResendWindow, at: float = 0.0) -> list[bytes]:
    found = []
    while (batch := window.next) is not None:
        found.append(batch.octets)
        window.repeated(at)
    return found


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=50), st.floats(0, 3)), max_size=40), st.integers(0, 300))
def test_the_last_octets_are_remembered_in_order(sent: list[tuple[bytes, float]], limit: int) -> None:
    window, now = ResendWindow(limit), 0.0
    for octets, later in sent:
        now += later
        window.acknowledged(octets, 1, now)
        assert len(window) <= limit
    window.lost()
    again = drained(window, now)
    assert again == [octets for octets, _ in sent][len(sent) - len(again) :]
    if len(again) < len(sent):
        assert sum(map(len, again)) + len(sent[-len(again) - 1][0]) > limit


@given(st.lists(st.floats(0, 3), max_size=20), st.floats(0, 10))
def test_an_orderly_end_leaves_what_had_not_settled(pauses: list[float], later: float) -> None:
    window, now, times = ResendWindow(1 << 20), 0.0, []
    for pause in pauses:
        now += pause
        times.append(now)
        window.acknowledged(b"%r" % now, 1, now)
    window.ended(now + later)
    assert drained(window) == [b"%r" % at for at in times if at >= now + later - SETTLING_S]


@given(st.integers(1, 6), st.integers(0, 6))
def test_a_connection_that_breaks_again_repeats_what_it_repeated(batches: int, before: int) -> None:
    window = ResendWindow(1 << 20)
    for number in range(batches):
        window.acknowledged(b"%d" % number, 1, 0.0)
    window.lost()
    for _ in range(min(before, batches)):
        window.repeated(1.0)
    window.lost()
    assert drained(window) == [b"%d" % number for number in range(batches)]


def test_nothing_is_repeated_for_ever() -> None:
    window = ResendWindow(100)
    window.acknowledged(b"one", 1, 0.0)
    times = 0
    while True:
        window.lost()
        if not drained(window):
            break
        times += 1
    assert times == MOST_TIMES
    assert len(window) == 0
