"""Replay into the running gateway: files are read here, and their messages handed over through its control socket (`gateway.backfill`).

One request is on its way at a time, and counts once the gateway has what it holds on disk. So a gateway that stops in the middle is waited for, and what it
didn't answer is handed over again: what it had committed by then it knows again, as a duplicate. The same holds for a whole run that is made again.
"""

from __future__ import annotations

import math
import os
import signal
import time
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Final

import trio

from gateway.backfill import MAX_MESSAGES, TAKE, Taken
from gateway.control import ControlError, NoAnswerError, NotRunningError, Request, ask
from gateway.replay.course import Course, Summary
from gateway.replay.files import STDIN, Found, Unreadable
from kernel import Engine
from pipeline.errors import GatewayError
from pipeline.model import Frames

MAX_OCTETS: Final = 1 << 20
"""Of messages in one request, unless a single one is larger."""

PIECE_S: Final = 0.5
"""At a rate, a request holds what is due in this time, so that the gateway gets no bursts."""

PATIENCE_S: Final = 300.0
RETRY_S: Final = 0.5
UNANSWERED_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Target:
    """Where messages go, and how fast.

    state_dir:  of the running gateway.
    to:         the one destination that gets their records; empty for all.
    rate:       messages a second, None for as fast as it takes them.
    """

    state_dir: Path
    to: str = ""
    rate: float | None = None

    @property
    def at_once(self) -> int:
        """Messages of one request at most."""
        return MAX_MESSAGES if self.rate is None else max(1, min(MAX_MESSAGES, int(self.rate * PIECE_S)))


@dataclass(frozen=True, slots=True)
class Ended:
    """How a replay into a gateway ended.

    summary:      of what the gateway answered.
    failed:       what ended it early.
    interrupted:  by SIGINT or SIGTERM: what wasn't answered may or may not have been taken.
    """

    summary: Summary
    failed: GatewayError | None = None
    interrupted: bool = False


async def replay_into(
    target: Target,
    files: Iterable[Found | Unreadable],
    *,
    tell: Callable[[str], None],
    advance: Callable[[int], None] = lambda _octets: None,
    engine: Engine = Engine.NATIVE,
    salvage: bool = False,
) -> Ended:
    """Hand over every message of `files`; to be called on the main thread, for the signals.

    Args:
        target: where, and how fast.
        files: what is read.
        tell: takes one line about a damage, a file passed over, or what is waited for.
        advance: takes the octets of input that were read.
        engine: which one frames lines.
        salvage: whether to search damaged EVTX chunks for more records.
    """
    courier = Courier(target, tell)

    def hand_over(frames: Frames, at: int) -> Taken:
        return trio.from_thread.run(courier.hand_over, frames, at)

    course = Handing(hand_over, target.at_once, tell=tell, advance=advance, engine=engine, salvage=salvage)
    failed, whole = None, False
    async with trio.open_nursery() as nursery:
        await nursery.start(_cancel_on_signal, nursery.cancel_scope)
        try:
            await courier.greet()
            await trio.to_thread.run_sync(course.run, files, abandon_on_cancel=True)
            whole = True
        except GatewayError as error:
            failed = error
        nursery.cancel_scope.cancel()
    return Ended(course.summary, failed, interrupted=not whole and failed is None)


async def _cancel_on_signal(scope: trio.CancelScope, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        task_status.started()
        async for _ in signals:
            scope.cancel()


class Courier:
    """Brings messages to the gateway, at a rate, and waits for one that stops and comes back.

    Args:
        target: where, and how fast.
        tell: takes one line about what is waited for.
    """

    def __init__(self, target: Target, tell: Callable[[str], None]) -> None:
        self._target, self._tell = target, tell
        self._next_at = -math.inf

    async def greet(self) -> None:
        """Ask whether there is a gateway.

        Raises:
            ControlError: there is none, or it doesn't let us in.
        """
        await ask(self._target.state_dir, Request("status"))

    async def hand_over(self, frames: Frames, at: int) -> Taken:
        """Return once the gateway has the messages.

        Args:
            frames: no more than one request holds.
            at: how many messages of the file came before them.

        Raises:
            ControlError: it refuses them, or doesn't come back.
        """
        await self._pace(len(frames))
        lengths = [end - start for start, end in frames.pairs()]
        body = b"".join(frames.buffer[start:end] for start, end in frames.pairs())
        request = Request(TAKE, {"path": frames.origin.peer, "at": at, "lengths": lengths, "to": self._target.to}, body)
        give_up_at = None
        while True:
            try:
                taken = _parse_taken(await self._ask(request))
                if not taken.again:
                    return taken
            except (NotRunningError, NoAnswerError):
                pass
            now = trio.current_time()
            if give_up_at is None:
                self._tell("the gateway stopped; waiting for it to come back")
                give_up_at = now + PATIENCE_S
            if now >= give_up_at:
                raise NoAnswerError(
                    "the gateway", f"stopped, and didn't come back in {PATIENCE_S:g} s", "start it and run this again: what it has it knows again"
                )
            await trio.sleep(RETRY_S)

    async def _pace(self, messages: int) -> None:
        if self._target.rate is not None:
            await trio.sleep_until(self._next_at)
            self._next_at = max(self._next_at, trio.current_time()) + messages / self._target.rate

    async def _ask(self, request: Request) -> object:
        """Ask, for as long as it takes; a gateway that takes nothing in says why meanwhile."""
        answered, failed = None, None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._tell_why)
            try:
                answered = await ask(self._target.state_dir, request, seconds=math.inf)
            except ControlError as error:  # not to leave the nursery in a group
                failed = error
            nursery.cancel_scope.cancel()
        if failed is not None:
            raise failed
        return answered

    async def _tell_why(self) -> None:
        told = None
        while True:
            await trio.sleep(UNANSWERED_S)
            try:
                status = await ask(self._target.state_dir, Request("status"))
            except ControlError:
                continue
            gaps = status.get("gaps") if isinstance(status, dict) else None
            if not gaps and self._target.to:
                gaps = [f"destination {self._target.to} has to take what is before it"]
            if gaps and gaps != told:
                self._tell(f"waiting: {'; '.join(map(str, gaps))}")
                told = gaps


class Handing(Course):
    """A run that hands messages over, request by request.

    Args:
        hand_over: does it with those of one request, and says what became of them; told how many of the file came before.
        at_once: messages of one request at most.
        tell, advance, clock, engine, salvage: as any Course has them.
    """

    def __init__(
        self,
        hand_over: Callable[[Frames, int], Taken],
        at_once: int = MAX_MESSAGES,
        *,
        tell: Callable[[str], None],
        advance: Callable[[int], None] = lambda _octets: None,
        clock: Callable[[], int] = time.time_ns,
        engine: Engine = Engine.NATIVE,
        salvage: bool = False,
    ) -> None:
        super().__init__(tell=tell, advance=advance, clock=clock, engine=engine, salvage=salvage)
        self._hand_over, self._at_once = hand_over, at_once
        self._path, self._at = "", 0

    def _take(self, frames: Frames) -> None:
        if frames.origin.peer != self._path:
            self._path, self._at = frames.origin.peer, 0
        path = self._path if self._path == str(STDIN) else os.path.realpath(self._path)
        for piece in cut_frames(replace(frames, origin=replace(frames.origin, peer=path)), self._at_once):
            taken, summary = self._hand_over(piece, self._at), self.summary
            self._at += len(piece)
            summary.received += taken.received
            summary.octets += sum(end - start for start, end in piece.pairs())
            summary.control += taken.control
            summary.normalized.update(taken.normalized)
            summary.duplicate.update(taken.duplicate)
            summary.filtered.update(taken.filtered)
            summary.rejected.update(taken.rejected)
            summary.warnings.update(taken.warnings)


def cut_frames(frames: Frames, at_once: int = MAX_MESSAGES) -> Iterator[Frames]:
    """The same messages, each time as many as one request holds: MAX_OCTETS of them and `at_once` at most."""
    spans, octets = array("I"), 0
    for start, end in frames.pairs():
        if spans and (octets + end - start > MAX_OCTETS or len(spans) >= 2 * at_once):
            yield replace(frames, spans=spans)
            spans, octets = array("I"), 0
        spans.extend((start, end))
        octets += end - start
    if spans:
        yield replace(frames, spans=spans)


def _parse_taken(answer: object) -> Taken:
    """What the gateway answered, which may be of another version."""
    if not isinstance(answer, dict) or answer.keys() != {row.name for row in fields(Taken)}:
        raise ControlError("the running gateway", "answered in a way that isn't known here", "is it another version? restart it with this one")
    return Taken(**answer)
