"""A Playbook: a conversation as a test writes it down, played against whoever answers.

    await (
        Playbook()
        >> Enumerate(message_id="uuid:1")
        << answers(200, EnumerateResponse, relates_to="uuid:1")
        >> End(message_id="uuid:2")
        << answers(204)
    ).play(source.say)

`>>` is what the source says, `<<` what the answer to the last thing said has to be. Everything said is answered, so each `>>` has its `<<`. Where the
answer is another one, the failure shows the whole transcript up to it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import NoneType

from wire.wef.messages import Request
from wire.wef.responses import Ack, EnumerateResponse, Fault

Answer = EnumerateResponse | Ack | Fault | None


@dataclass(frozen=True)
class Heard:
    """What the source got: a status, and the message of the answer."""

    status: int
    message: Answer = None


@dataclass(frozen=True)
class Expected:
    """What an answer has to be: its status, the kind of its message, and those attributes that are named."""

    status: int
    kind: type[object]
    attributes: tuple[tuple[str, object], ...]

    def is_met_by(self, heard: Heard) -> bool:
        message = heard.message
        return heard.status == self.status and isinstance(message, self.kind) and all(getattr(message, name) == value for name, value in self.attributes)

    def __str__(self) -> str:
        named = "".join(f", {name}={value!r}" for name, value in self.attributes)
        return f"{self.status} {self.kind.__name__}{named}"


def answers(status: int, kind: type[object] = NoneType, **attributes: object) -> Expected:
    """An expected answer; without a kind, one without a message."""
    return Expected(status, kind, tuple(attributes.items()))


Say = Callable[[Request], Awaitable[Heard]]


@dataclass
class Playbook:
    """A conversation, step by step."""

    steps: list[tuple[Request, Expected | None]] = field(default_factory=list)

    def __rshift__(self, request: Request) -> Playbook:
        if self.steps and self.steps[-1][1] is None:
            raise ValueError("what was said last has no answer yet")
        self.steps.append((request, None))
        return self

    def __lshift__(self, expected: Expected) -> Playbook:
        if not self.steps or self.steps[-1][1] is not None:
            raise ValueError("nothing was said that this could answer")
        self.steps[-1] = (self.steps[-1][0], expected)
        return self

    async def play(self, say: Say) -> list[Answer]:
        """Play it; the messages of all answers.

        Raises:
            AssertionError: with the transcript, at the first answer that is another one.
        """
        transcript, heard = [], list[Answer]()
        for request, expected in self.steps:
            if expected is None:
                raise ValueError("what was said last has no answer yet")
            transcript.append(f">> {type(request).__name__} {request.message_id}")
            found = await say(request)
            if not expected.is_met_by(found):
                transcript += [f"<< {found}", f"   instead of {expected}"]
                raise AssertionError("\n".join(transcript))
            transcript.append(f"<< {expected}")
            heard.append(found.message)
        return heard
