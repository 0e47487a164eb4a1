"""The second duplicate key: the same for a request and its retransmissions, another for anything else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from listeners.normalizing import KEY_OCTETS
from listeners.radius.retransmissions import MAX_REQUESTS, STEP_NS, Retransmissions

SECOND = 10**9
REQUEST = bytes((4, 7, 0, 20)) + bytes(16)
SOURCE = b"192.0.2.1|1646|"

times = st.integers(0, 2**62)


@given(times, st.integers(0, STEP_NS - 1))
def test_a_retransmission_within_a_step_has_the_key_of_its_request(now: int, later: int) -> None:
    seen = Retransmissions()
    assert seen.key(SOURCE, REQUEST, now) == seen.key(SOURCE, REQUEST, now + later)


@given(times, st.integers(2 * STEP_NS, 10 * STEP_NS))
def test_two_steps_later_it_is_another_request(now: int, later: int) -> None:
    seen = Retransmissions()
    assert seen.key(SOURCE, REQUEST, now) != seen.key(SOURCE, REQUEST, now + later)


@given(st.integers(0, 2**32), st.integers(0, STEP_NS - 1), st.integers(0, STEP_NS - 1))
def test_a_restart_within_a_step_changes_nothing(step: int, first: int, second: int) -> None:
    before, after = step * STEP_NS + first, step * STEP_NS + second
    assert Retransmissions().key(SOURCE, REQUEST, before) == Retransmissions().key(SOURCE, REQUEST, after)


@given(times, st.tuples(st.binary(max_size=20), st.integers(0, 255), st.binary(min_size=16, max_size=16)), st.integers(21, 30))
def test_source_identifier_and_authenticator_tell_requests_apart(now: int, other: tuple[bytes, int, bytes], length: int) -> None:
    source, identifier, authenticator = other
    seen = Retransmissions()
    key = seen.key(SOURCE, REQUEST, now)
    assert len(key) == KEY_OCTETS
    same = (source, identifier, authenticator) == (b"", REQUEST[1], REQUEST[4:20])
    packet = bytes((4, identifier, 0, length)) + authenticator
    assert (seen.key(SOURCE + source, packet, now) == key) == same


def test_what_is_remembered_is_bounded() -> None:
    seen = Retransmissions()
    keys = {seen.key(b"%d|" % number, REQUEST, 0) for number in range(3 * MAX_REQUESTS)}
    assert len(keys) == 3 * MAX_REQUESTS
    assert len(seen) <= 2 * MAX_REQUESTS
    assert seen.key(b"0|", REQUEST, SECOND) in keys
