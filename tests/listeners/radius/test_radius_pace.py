"""How many requests are normalized at once: a client whose requests are slow holds nobody, one whose requests are quick has large turns."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from listeners.radius.pace import FIRST, TURN_S, Pace

seconds = st.floats(1e-7, 0.1)


def run(pace: Pace, each: float, turns: int) -> list[float]:
    """What turns take, of a client that always has more."""
    took = []
    for _ in range(turns):
        took.append(pace.size * each)
        pace.took(pace.size, took[-1])
    return took


@given(seconds)
def test_turns_come_to_take_what_they_may(each: float) -> None:
    took = run(Pace(4096), each, 20)
    assert all(turn <= max(TURN_S, each) for turn in took[1:])
    assert took[-1] >= min(TURN_S / 4, 4096 * each)


@given(seconds, seconds)
def test_a_client_that_changes_is_followed(before: float, after: float) -> None:
    pace = Pace(4096)
    run(pace, before, 20)
    assert all(turn <= max(TURN_S, after) for turn in run(pace, after, 20)[1:])


def test_a_small_burst_says_nothing_of_large_ones() -> None:
    pace = Pace(4096)
    pace.took(1, 1e-6)
    assert pace.size == FIRST


def test_no_turn_is_larger_than_the_most() -> None:
    pace = Pace(8)
    run(pace, 1e-6, 20)
    assert pace.size == 8
