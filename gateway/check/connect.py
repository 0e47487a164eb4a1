"""`tidegate check --connect`: ask everybody what there is to ask, many at a time, each within its time, and say what came of it in order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import trio

from gateway.check.findings import Finding, Level
from gateway.check.prerequisites import Prerequisites, load_prerequisites
from gateway.check.questions import Question, questions
from gateway.check.ways import AskError
from gateway.config import Config

NOBODY: Final = Finding(
    Level.UNKNOWN,
    "check",
    "there is nobody to ask: no destination is anywhere else, and [check] names nobody",
    "add [check] with domain_controllers, domain, workspace: docs/operate/check.md",
    "connect",
)


async def examine_connections(config: Config, known: Prerequisites | None = None) -> tuple[Finding, ...]:
    """Ask everybody; `known` are the package's prerequisites unless given. Takes as long as [check] timeout for each `at_once` questions at most."""
    asked = tuple(questions(config, known or load_prerequisites()))
    return await ask_all(asked, seconds=config.check.timeout, at_once=config.check.at_once) or (NOBODY,)


async def ask_all(asked: Sequence[Question], *, seconds: float, at_once: int) -> tuple[Finding, ...]:
    """What came of each question, in order."""
    found: dict[int, Finding] = {}
    limit = trio.CapacityLimiter(at_once)

    async def ask(number: int, question: Question) -> None:
        async with limit:
            found[number] = await _ask(question, seconds)

    async with trio.open_nursery() as nursery:
        for number, question in enumerate(asked):
            nursery.start_soon(ask, number, question)
    return tuple(found[number] for number in range(len(asked)))


async def _ask(question: Question, seconds: float) -> Finding:
    finding = Finding(question.silence, question.what, f"no answer within {seconds:g} s", question.fix, question.check)
    with trio.move_on_after(seconds):
        try:
            answer = await question.ask()
        except AskError as error:
            finding = Finding(question.no, question.what, error.why, error.fix or question.fix, question.check)
        else:
            fix = "" if answer.level is Level.OK else answer.fix or question.fix
            finding = Finding(answer.level, question.what, answer.why, fix, question.check)
    return finding
