"""How far apart bursts of datagrams are: as far as it takes for enough to come, and never so far that a queue may fill."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listeners.datagrams import ENOUGH_OCTETS, FASTEST, Heard, Spacing

MOST = 0.008
QUEUE = 32 << 20


def burst(octets: int, *, whole: bool = True) -> Heard:
    return Heard(octets // 1000, octets, whole)


@pytest.mark.parametrize(
    ("took", "apart", "spent", "pause"),
    [
        (burst(100_000), 1.0, 0.0, MOST),
        (burst(1000), 0.001, 0.0, MOST),
        (burst(ENOUGH_OCTETS), 0.004, 0.0, 0.004),
        (burst(ENOUGH_OCTETS * 2), 0.004, 0.0, 0.002),
        (burst(ENOUGH_OCTETS), 0.004, 0.001, 0.003),
        (burst(ENOUGH_OCTETS), 0.004, 0.005, 0.0),
        (burst(100_000, whole=False), 1.0, 0.0, 0.0),
        (burst(0), 1.0, 0.0, 0.0),
    ],
    ids=[
        "after silence",
        "a trickle",
        "enough came",
        "twice enough came",
        "handing on took a part of it",
        "handing on took longer",
        "more is there",
        "nothing was there",
    ],
)
def test_the_next_burst_is_given_time_to_grow(took: Heard, apart: float, spent: float, pause: float) -> None:
    assert Spacing(MOST, 1, QUEUE, 10.0).pause(took, 10.0 + apart, 10.0 + apart + spent) == pytest.approx(pause)


def test_whose_senders_wait_for_answers_waits_behind_large_bursts_only() -> None:
    spacing = Spacing(MOST, 8 << 10, QUEUE, 0.0)
    assert spacing.pause(burst(8000), 1.0, 1.0) == 0
    assert spacing.pause(burst(9000), 2.0, 2.0) == MOST


@given(st.integers(0, 1 << 30), st.integers(0, 1 << 30), st.floats(0, 1e6), st.floats(0, 1e6))
def test_a_queue_is_never_left_to_fill(queue: int, octets: int, apart: float, spent: float) -> None:
    pause = Spacing(MOST, 1, queue, 0.0).pause(burst(octets), apart, apart + spent)
    assert 0 <= pause <= MOST
    assert pause * FASTEST <= queue / 4
