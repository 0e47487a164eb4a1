"""The kernel's table of sessions against its twin: the same plans of the same words, in the same order, and the same answers, whatever came before."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

import kernel
from pipeline.model import SessionChange, SessionEvent
from pipeline.state.changes import encode_changes
from pipeline.state.session import Session
from pipeline.state.sessions import Sessions
from pipeline.state.settings import SessionSettings
from pipeline.state.stored_sessions import encode_session
from pipeline.state.table import SessionTable

NOW_MS = 1_795_000_000_000
STEP_MS = 4000

names = st.sampled_from(["", "a", "B", "b", "Ä", "it's", "\\", '"', "\x00", "10.8.0.1", "x" * 40])
times = st.integers(-10, 40).map(lambda steps: NOW_MS + STEP_MS * steps) | st.sampled_from([0, -1, NOW_MS * 2, 2**62])
servers = st.sampled_from(["192.0.2.1", "192.0.2.2", "gw", ""])
words = st.builds(
    SessionChange, st.sampled_from(SessionEvent), servers, st.sampled_from(["", "1", "2", "3"]), names, names, names, names, times, st.none() | times
).map(lambda word: word._replace(session_id="") if word.event is SessionEvent.RESTART else word)
commits = st.lists(st.tuples(st.lists(words, max_size=6), st.integers(0, 8 * STEP_MS)), max_size=12)
settings = st.builds(
    SessionSettings,
    idle=st.sampled_from([1.0, 20.0, 86400.0]),
    keep_closed=st.sampled_from([1.0, 10.0, 3600.0]),
    max=st.sampled_from([1, 3, 200_000]),
)


@given(settings, commits)
def test_the_same_table(limits: SessionSettings, history: list[tuple[list[SessionChange], int]]) -> None:
    native, reference, now_ms = Sessions(limits), SessionTable(limits), NOW_MS
    for group, passed in history:
        now_ms += passed
        ours, theirs = native.plan(encode_changes([None, *group]), now_ms), reference.plan(group, now_ms)
        lines = [encode_session(session) for session in theirs.saved.values()]
        assert [line if line[-1] is not None else encode_session(Session(*line[:-1])) for line in ours.saved] == lines
        assert (ours.silent, ours.gone, ours.evicted) == ([*theirs.silent], [*theirs.gone], theirs.evicted)
        if now_ms % 5:  # a commit that failed changes nothing
            native.take(ours)
            reference.take(theirs)
        assert [*native] == [*reference]
        assert (len(native), native.open) == (len(reference), reference.open)
        for word in group:
            key = word.nas, word.session_id
            assert native.newest(key) == reference.newest(key)
            for domain in (None, word.domain):
                assert native.of_account(word.user, domain, word.at_ms) == reference.of_account(word.user, domain, word.at_ms)
            assert native.of_address(word.address, word.at_ms) == reference.of_address(word.address, word.at_ms)


@given(settings, commits)
def test_what_was_stored_is_the_same_table(limits: SessionSettings, history: list[tuple[list[SessionChange], int]]) -> None:
    native = Sessions(limits)
    for group, _ in history:
        native.take(native.plan(encode_changes(group), NOW_MS))
    again, reference = Sessions(limits), SessionTable(limits)
    again.load(native)
    reference.load(native)
    assert [*again] == [*native] == [*reference]


@given(st.binary(max_size=200), st.integers(-(2**63), 2**63 - 1))
def test_any_octets(octets: bytes, now_ms: int) -> None:
    table = kernel.SessionTable(3, 1000, 1000)
    for _ in range(2):
        table.take(table.plan(octets, now_ms))
    assert len(table) <= 3
