"""The table of sessions against a naive one, through the spool, with power cuts: it is what was committed, no more and no less.

The naive one has a list, and no index, bound, plan or file: it looks at every session for every word.
"""

from __future__ import annotations

import tempfile
from copy import deepcopy
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from random import Random
from shutil import rmtree

import trio
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from support.batches import alias_of, batch_of, spool_in
from support.crashing_disk import CrashingDisk, restore
from support.examples import one_in

from pipeline.model import SessionChange, SessionEvent
from pipeline.spool.settings import Consumer
from pipeline.spool.spool import Submission
from pipeline.spool.sqlite import SqliteSpool
from pipeline.state.session import SLACK_MS

DISKS = count()
CONSUMERS = (Consumer("archive"),)
NASES, IDS, USERS, ADDRESSES = ("192.0.2.1", "192.0.2.2"), ("1", "2"), ("", "anna", "Bert"), ("", "10.8.0.1", "10.8.0.2")

NOW_MS = 10 * SLACK_MS

times = st.integers(0, 40).map(lambda step: step * SLACK_MS // 4)
words = st.builds(
    SessionChange,
    event=st.sampled_from(SessionEvent),
    nas=st.sampled_from(NASES),
    session_id=st.sampled_from(IDS),
    user=st.sampled_from(USERS),
    domain=st.sampled_from(("", "CONTOSO")),
    address=st.sampled_from(ADDRESSES),
    client=st.just(""),
    at_ms=times,
    started_at_ms=st.none() | times,
)
groups = st.lists(words, max_size=6)
seeds = st.integers(0, 2**32)


@dataclass
class Known:
    """A session as the naive table has it."""

    nas: str
    session_id: str
    user: str
    domain: str
    address: str
    begun: int
    last: int
    ended: int | None

    def as_tuple(self) -> tuple[object, ...]:
        return self.nas, self.session_id, self.user, self.domain, self.address, self.begun, self.last, self.ended


@dataclass
class Naive:
    """What the table has to be."""

    sessions: list[Known] = field(default_factory=list)
    restarts: dict[str, int] = field(default_factory=dict)

    def commit(self, group: list[SessionChange]) -> None:
        for change in group:
            self.hear(change)
            for known in self.sessions:
                if known.ended is None and known.begun < self.restarts.get(known.nas, 0):
                    known.ended = self.restarts[known.nas]

    def hear(self, change: SessionChange) -> None:
        at = change.at_ms
        if change.event is SessionEvent.RESTART:
            self.restarts[change.nas] = max(at, self.restarts.get(change.nas, 0))
            return
        began = at if change.started_at_ms is None else min(at, change.started_at_ms)
        told = change.event is SessionEvent.START or change.started_at_ms is not None
        stopped = change.event is SessionEvent.STOP
        fresh = Known(change.nas, change.session_id, change.user, change.domain, change.address, began, at, at if stopped else None)
        same = [known for known in self.sessions if (known.nas, known.session_id) == (change.nas, change.session_id)]
        if not same:
            self.sessions.append(fresh)
            return
        known = max(same, key=lambda each: (each.last, self.sessions.index(each)))
        if told and began > known.last:
            known.ended = began if known.ended is None else known.ended
            self.sessions.append(fresh)
        elif stopped and at < known.begun - SLACK_MS:
            self.sessions.append(fresh)
        else:
            newer = known.ended is None and at >= known.last
            first, second = (fresh, known) if newer else (known, fresh)
            known.domain = first.domain if first.user else second.domain
            known.user, known.address = first.user or second.user, first.address or second.address
            known.begun = min(known.begun, began)
            if known.ended is None:
                known.last = max(known.last, at)
                known.ended = known.last if stopped else None


class SessionMachine(RuleBasedStateMachine):
    """Rules are what servers and the power do."""

    @initialize()
    def start(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="session-model-"))
        self.generation = 0
        self.disk = CrashingDisk(f"sessions-{next(DISKS)}")
        self.names = count()
        self.now = Naive()
        self.open()

    def open(self) -> None:
        async def opened() -> SqliteSpool:
            return spool_in(self.folder / str(self.generation), CONSUMERS, vfs=self.disk.vfs_name, now_ms=NOW_MS)

        self.spool = trio.run(opened)
        trio.run(self.spool.flush)

    def send(self, group: list[SessionChange], names: list[int]) -> None:
        batch = replace(batch_of(names), aliases=b"".join(map(alias_of, names)), sessions=tuple(group))

        async def commit() -> None:
            await self.spool.commit([Submission(batch)])

        trio.run(commit)

    @rule(group=groups, again=st.booleans())
    def commit(self, group: list[SessionChange], again: bool) -> None:  # noqa: FBT001 - drawn
        """Words; what is sent again says nothing new."""
        names = [next(self.names) for _ in group]
        self.send(group, names)
        self.now.commit(group)
        if again:
            self.send([word._replace(at_ms=10**9) for word in group], names)
            self.now.commit([])

    @rule(group=groups, steps=st.integers(0, 30), seed=seeds)
    def crash_in_commit(self, group: list[SessionChange], steps: int, seed: int) -> None:
        before = deepcopy(self.now)
        self.disk.crash_after(steps, Random(seed))
        self.commit(group, again=False)
        image = self.disk.take_image()
        certain = image is None
        self.reopen(image if image is not None else self.disk.crash(Random(seed)))
        if not certain and self.held() != self.expected(self.now):
            self.now = before

    @rule(seed=seeds)
    def crash(self, seed: int) -> None:
        self.reopen(self.disk.crash(Random(seed)))

    @rule()
    def restart(self) -> None:
        trio.run(self.spool.close)
        self.open()

    def reopen(self, image: dict[str, bytes]) -> None:
        trio.run(self.spool.close)
        self.disk.files.clear()
        self.generation += 1
        restore(image, self.folder / str(self.generation))
        self.open()

    def held(self) -> list[tuple[object, ...]]:
        found = [(each.nas, each.session_id, each.user, each.domain, each.address, *each[7:10]) for each in self.spool.sessions]
        return sorted(found, key=repr)

    def expected(self, naive: Naive) -> list[tuple[object, ...]]:
        servers = [(nas, "", "", "", "", at, at, at) for nas, at in naive.restarts.items()]
        return sorted([*servers, *(known.as_tuple() for known in naive.sessions)], key=repr)

    @invariant()
    def is_what_was_committed(self) -> None:
        if not hasattr(self, "spool"):
            return
        assert self.held() == self.expected(self.now)
        assert self.spool.sessions.open == sum(known.ended is None for known in self.now.sessions)
        for at in (0, SLACK_MS, 5 * SLACK_MS, 20 * SLACK_MS):
            then = [known for known in self.now.sessions if known.begun <= at and (known.ended is None or at <= known.ended)]
            for user in ("ANNA", "bert"):
                found = self.spool.sessions.of_account(user, None, at)
                assert len(found) == sum(known.user.lower() == user.lower() for known in then)
            for address in ADDRESSES[1:]:
                assert len(self.spool.sessions.of_address(address, at)) == sum(known.address == address for known in then)

    def teardown(self) -> None:
        if hasattr(self, "spool"):
            trio.run(self.spool.close)
            self.disk.unregister()
            rmtree(self.folder)


TestSessionModel = SessionMachine.TestCase
TestSessionModel.settings = settings(one_in(2), stateful_step_count=12)
