"""The ring of rejects: bounded per rule and altogether, whoever is noisy."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.index import EMPTY
from pipeline.model import Batch, Origin, Reject, Transport
from pipeline.rejects import Rejects

ORIGIN = Origin("listeners.syslog", Transport.UDP, "192.0.2.1", 0)


def batch_with(*rejects: Reject) -> Batch:
    return Batch(b"", EMPTY, ORIGIN, len(rejects), rejects=rejects)


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 100)), max_size=80))
def test_bounds(sent: list[tuple[str, int]]) -> None:
    rejects = Rejects(max_octets=500, max_per_rule=5, max_rules=4)
    for rule, size in sent:
        rejects.add(batch_with(Reject(b"x" * size, rule)))
    kept = rejects.last(1000)
    assert sum(len(one.reject.raw) for one in kept) <= 500
    assert len(kept) <= 5 * 5, "four rules, and one place for the others"
    assert [one.number for one in kept] == sorted(one.number for one in kept)
    assert not sent or not kept or kept[-1].number <= len(sent)


def test_a_noisy_rule_does_not_push_others_out() -> None:
    rejects = Rejects(max_octets=1000, max_per_rule=64)
    rejects.add(batch_with(Reject(b"rare", "bad-time")))
    for _ in range(10_000):
        rejects.add(batch_with(Reject(b"x" * 100, "no-layout")))
    assert [one.reject.raw for one in rejects.last(5, "bad-time")] == [b"rare"]


def test_last_is_the_newest_and_chooses_by_rule_or_its_name() -> None:
    rejects = Rejects()
    rejects.add(batch_with(Reject(b"1", "missing-key:EventCode"), Reject(b"2", "bad-time"), Reject(b"3", "missing-key:Computer")))
    assert [one.reject.raw for one in rejects.last(2)] == [b"2", b"3"]
    assert [one.reject.raw for one in rejects.last(9, "missing-key")] == [b"1", b"3"]
    assert [one.reject.raw for one in rejects.last(9, "missing-key:Computer")] == [b"3"]
    assert rejects.last(0) == ()
