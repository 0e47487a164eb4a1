"""What one word more makes of a session, case by case; and the table of them: who had which address when, bounded."""

from __future__ import annotations

import pytest

from pipeline.model import SessionChange, SessionEvent
from pipeline.state.changes import encode_changes
from pipeline.state.session import Session
from pipeline.state.sessions import Sessions
from pipeline.state.settings import SessionSettings
from pipeline.state.table import SessionTable

NAS, OTHER_NAS = "192.0.2.9", "192.0.2.10"
HOUR_MS = 3_600_000
IDLE_MS = 24 * HOUR_MS


def word(event: SessionEvent, at_ms: int, *, nas: str = NAS, session_id: str = "a", started: int | None = None, **told: str) -> SessionChange:
    return SessionChange(event, nas, session_id, told.get("user", ""), told.get("domain", ""), told.get("address", ""), told.get("client", ""), at_ms, started)


def start(at_ms: int, session_id: str = "a", user: str = "Anna", **told: str) -> SessionChange:
    return word(SessionEvent.START, at_ms, session_id=session_id, started=None, user=user, **told)


def update(at_ms: int, started: int | None = None, **told: str) -> SessionChange:
    return word(SessionEvent.UPDATE, at_ms, started=started, **told)


def stop(at_ms: int, started: int | None = None, session_id: str = "a", **told: str) -> SessionChange:
    return word(SessionEvent.STOP, at_ms, started=started, session_id=session_id, **told)


def restart(at_ms: int, nas: str = NAS) -> SessionChange:
    return word(SessionEvent.RESTART, at_ms, nas=nas, session_id="")


def table(**settings: float) -> Sessions:
    return Sessions(SessionSettings.model_validate(settings))


def hear(sessions: Sessions, *words: SessionChange, now_ms: int = 0) -> int:
    """One commit's words; how many sessions were evicted."""
    plan = sessions.plan(encode_changes(words), now_ms)
    sessions.take(plan)
    return plan.evicted


def spans(sessions: Sessions) -> list[tuple[int, int | None]]:
    """When each began and ended, in the order in which they began; servers left out."""
    return sorted((each.begun_at_ms, each.ended_at_ms) for each in sessions if each.session_id)


S = 1000  # the words below are seconds apart

CASES = {
    "Start, Interim, Stop": ([start(1 * S), update(2 * S), stop(3 * S)], [(1 * S, 3 * S)]),
    "open": ([start(1 * S), update(2 * S)], [(1 * S, None)]),
    "a Stop without a Start": ([stop(30 * S)], [(30 * S, 30 * S)]),
    "a Stop that says when it began": ([stop(30 * S, started=10 * S)], [(10 * S, 30 * S)]),
    "an Interim first": ([update(2 * S), start(1 * S)], [(1 * S, None)]),
    "an Interim that says when it began": ([update(9 * S, started=1 * S)], [(1 * S, None)]),
    "an Interim after the Stop": ([start(1 * S), stop(3 * S), update(4 * S)], [(1 * S, 3 * S)]),
    "an older Interim after the Stop": ([start(1 * S), stop(3 * S), update(2 * S)], [(1 * S, 3 * S)]),
    "a Start after the Stop, of before": ([stop(3 * S), start(1 * S)], [(1 * S, 3 * S)]),
    "a Start, again": ([start(1 * S), start(1 * S)], [(1 * S, None)]),
    "a Stop, again and later": ([start(1 * S), stop(3 * S), stop(5 * S)], [(1 * S, 3 * S)]),
    "a Stop of before the last Interim": ([start(1 * S), update(5 * S), stop(4 * S)], [(1 * S, 5 * S)]),
    "an ID used again": ([start(1 * S), stop(3 * S), start(50 * S)], [(1 * S, 3 * S), (50 * S, None)]),
    "an ID used again without a Stop": ([start(1 * S), start(50 * S)], [(1 * S, 50 * S), (50 * S, None)]),
    "an ID used again without Stop and Start": ([start(1 * S), update(60 * S, started=50 * S)], [(1 * S, 50 * S), (50 * S, None)]),
    "an ID used again, without Start, after the Stop": ([start(1 * S), stop(3 * S), update(60 * S, started=50 * S)], [(1 * S, 3 * S), (50 * S, None)]),
    "a Stop of long before the Start": ([start(50 * S), stop(3 * S)], [(3 * S, 3 * S), (50 * S, None)]),
    "and then the Stop of that Start": ([start(50 * S), stop(3 * S), stop(60 * S)], [(3 * S, 3 * S), (50 * S, 60 * S)]),
    "a Stop of just before the Start": ([start(50 * S), stop(49 * S)], [(49 * S, 50 * S)]),
    "a restart": ([start(1 * S), restart(5 * S)], [(1 * S, 5 * S)]),
    "a restart of another server": ([start(1 * S), restart(5 * S, OTHER_NAS)], [(1 * S, None)]),
    "a restart before the Start": ([start(9 * S), restart(5 * S)], [(9 * S, None)]),
    "a restart that came first": ([restart(5 * S), start(1 * S)], [(1 * S, 5 * S)]),
    "a restart that came first, and a Start behind it": ([restart(5 * S), start(9 * S)], [(9 * S, None)]),
    "an Interim after a restart": ([start(1 * S), restart(5 * S), update(7 * S)], [(1 * S, 5 * S)]),
    "a Stop after a restart": ([start(1 * S), restart(5 * S), stop(7 * S)], [(1 * S, 5 * S)]),
    "two restarts": ([start(1 * S), restart(5 * S), start(6 * S, "b"), restart(8 * S)], [(1 * S, 5 * S), (6 * S, 8 * S)]),
    "two restarts, the later first": ([start(1 * S), restart(8 * S), restart(5 * S)], [(1 * S, 8 * S)]),
    "a Start behind two restarts": ([restart(5 * S), restart(8 * S), start(1 * S)], [(1 * S, 8 * S)]),
    "nothing without an ID": ([start(1 * S, "")], []),
}


@pytest.mark.parametrize("name", list(CASES), ids=str)
@pytest.mark.parametrize("together", [True, False], ids=["one commit", "one commit each"])
def test_words_in_any_order(name: str, together: bool) -> None:  # noqa: FBT001 - a parameter
    words, expected = CASES[name]
    sessions = table()
    for group in [words] if together else [[each] for each in words]:
        hear(sessions, *group)
    assert spans(sessions) == expected


DAY_MS = 24 * HOUR_MS
NOW_MS = 1_795_000_000_000

UNSET = {
    "1970": 0,
    "the year of its firmware": 730_944_000_000,
    "32 days ago": NOW_MS - 32 * DAY_MS,
    "in two days": NOW_MS + 2 * DAY_MS,
    "2106": 0xFFFFFFFF * S,
}


@pytest.mark.parametrize("name", list(UNSET), ids=str)
def test_a_clock_that_is_not_set_counts_as_ours(name: str) -> None:
    """A server that has just begun anew has often no time yet, and says so of all things."""
    sessions = table()
    hear(sessions, start(NOW_MS, "a"), now_ms=NOW_MS)
    hear(sessions, restart(UNSET[name]), now_ms=NOW_MS + 60 * S)
    assert spans(sessions) == [(NOW_MS, NOW_MS + 60 * S)]
    hear(sessions, update(UNSET[name] + 70 * S, started=UNSET[name] + 65 * S), now_ms=NOW_MS + 70 * S)
    hear(sessions, start(NOW_MS + 80 * S, "b"), now_ms=NOW_MS + 80 * S)
    hear(sessions, restart(NOW_MS + 90 * S), now_ms=NOW_MS + 90 * S)
    assert spans(sessions) == [(NOW_MS, NOW_MS + 60 * S), (NOW_MS + 65 * S, NOW_MS + 90 * S), (NOW_MS + 80 * S, NOW_MS + 90 * S)]


@pytest.mark.parametrize("at", [NOW_MS - 29 * DAY_MS, NOW_MS + DAY_MS], ids=["kept by a proxy", "another time zone"])
def test_a_time_that_can_be_counts_as_told(at: int) -> None:
    sessions = table()
    hear(sessions, start(at), now_ms=NOW_MS)
    assert spans(sessions) == [(at, None)]


def only(sessions: Sessions) -> Session:
    (found,) = (each for each in sessions if each.session_id)
    return found


def test_what_is_told_later_counts_and_what_was_told_stays() -> None:
    sessions = table()
    hear(sessions, start(1, user="anna", domain="CONTOSO", client="203.0.113.5"))
    hear(sessions, update(5, address="10.8.0.1"), update(3, address="10.8.0.9", client="203.0.113.6"))
    assert only(sessions)[3:7] == ("anna", "CONTOSO", "10.8.0.1", "203.0.113.5")
    hear(sessions, update(6, user="anna@contoso.example"))
    assert only(sessions)[3:5] == ("anna@contoso.example", ""), "an account is told as one"
    hear(sessions, stop(7, address="10.8.0.2"))
    assert only(sessions).address == "10.8.0.2"
    hear(sessions, update(8, address="10.8.0.3"))
    assert only(sessions).address == "10.8.0.2"


def test_who_had_an_address_at_the_time() -> None:
    sessions = table()
    hear(sessions, start(10, "a", user="anna", address="10.8.0.1"), stop(20, session_id="a"), start(30, "b", user="bert", address="10.8.0.1"))
    for at, users in [(9, []), (10, ["anna"]), (20, ["anna"]), (25, []), (30, ["bert"]), (30 + IDLE_MS, ["bert"]), (31 + IDLE_MS, [])]:
        assert [each.user for each in sessions.of_address("10.8.0.1", at)] == users, at


def test_which_sessions_an_account_had_at_the_time() -> None:
    sessions = table()
    words = [
        start(10, "a", user="Anna", domain="CONTOSO"),
        start(11, "b", user="ANNA", domain="fabrikam"),
        start(12, "c", user="anna"),
        start(13, "d", user="Änna"),
    ]
    hear(sessions, *words)
    for name, domain, found in [
        ("anna", "contoso", ["a"]),
        ("ANNA", "FABRIKAM", ["b"]),
        ("anna", "", ["c"]),
        ("anna", None, ["a", "b", "c"]),
        ("änna", None, []),
        ("Änna", None, ["d"]),
        ("nobody", None, []),
    ]:
        assert [each.session_id for each in sessions.of_account(name, domain, 100)] == found


def test_silence_ends_a_session_until_it_is_heard_of_again() -> None:
    sessions = table()
    hear(sessions, start(0, user="anna"), now_ms=0)
    hear(sessions, now_ms=IDLE_MS)
    assert sessions.open == 1
    hear(sessions, now_ms=IDLE_MS + 1)
    assert sessions.open == 0
    assert sessions.of_account("anna", None, IDLE_MS + 1) == []
    hear(sessions, update(IDLE_MS + 2), now_ms=IDLE_MS + 2)
    assert sessions.open == 1
    assert len(sessions.of_account("anna", None, IDLE_MS + 2)) == 1


def test_what_has_ended_is_known_for_a_while() -> None:
    sessions = table()
    hear(sessions, start(0, "a"), start(0, "b"), stop(5, session_id="a"), now_ms=10)
    hear(sessions, now_ms=10 + HOUR_MS)
    assert len(sessions) == 2
    hear(sessions, now_ms=11 + HOUR_MS)
    assert [each.session_id for each in sessions] == ["b"]
    hear(sessions, now_ms=11 + IDLE_MS)
    hear(sessions, now_ms=11 + IDLE_MS + HOUR_MS)
    assert len(sessions) == 0


@pytest.mark.parametrize(("at_once", "evicted"), [(False, [0, 0, 0, 1, 1, 1]), (True, [3])], ids=["one by one", "at once"])
def test_where_there_are_too_many_the_ended_leave_first(at_once: bool, evicted: list[int]) -> None:  # noqa: FBT001 - a parameter
    sessions = table(max=3)
    words = [start(1, "a"), stop(2, session_id="b"), start(3, "c"), start(4, "d"), start(5, "e"), start(6, "f")]
    assert [hear(sessions, *group) for group in ([words] if at_once else [[each] for each in words])] == evicted
    assert sorted(each.session_id for each in sessions) == ["d", "e", "f"]
    assert sessions.open == 3
    assert sessions.newest((NAS, "a")) is None


def test_what_was_heard_of_last_stays_longest() -> None:
    sessions = table(max=2)
    hear(sessions, start(1, "a"))
    hear(sessions, start(1, "b"))
    hear(sessions, update(2)._replace(session_id="a"))
    hear(sessions, start(3, "c"))
    assert sorted(each.session_id for each in sessions) == ["a", "c"]


def test_many_restarts_of_many_sessions_take_no_time() -> None:
    """What a server may send in one commit is done with in one look at each of its sessions."""
    sessions = SessionTable(SessionSettings())
    looks = 0

    class Counted(Session):
        def ended_by(self, restarts: object) -> Session:
            nonlocal looks
            looks += 1
            return super().ended_by(restarts)  # type: ignore[arg-type]  # as it is called

    sessions.take(sessions.plan([start(10**6 + number, str(number)) for number in range(2000)], 0))
    for number, session in list(sessions._open.items()):
        sessions._open[number] = Counted(*session)
    sessions.take(sessions.plan([restart(at) for at in range(2000)], 0))
    assert looks == 0, "none had begun before"
    sessions.take(sessions.plan([restart(10**7 + at) for at in range(2000)], 0))
    assert looks == 2000
    assert not any(each.is_open for each in sessions)
