"""The playbook finds what differs, and says where."""

from __future__ import annotations

import pytest
from support.playbook import Heard, Playbook, answers

from wire.wef.messages import End, Enumerate, Request
from wire.wef.responses import Ack


async def echo(request: Request) -> Heard:
    return Heard(204) if isinstance(request, End) else Heard(200, Ack(request.message_id))


async def test_a_conversation_as_written_is_played_to_its_end() -> None:
    book = Playbook() >> Enumerate(message_id="uuid:1") << answers(200, Ack, relates_to="uuid:1") >> End(message_id="uuid:2") << answers(204)
    assert await book.play(echo) == [Ack("uuid:1"), None]


DIFFERENT = [
    (answers(500, Ack),                              "another status"),
    (answers(200, Enumerate),                        "another message"),
    (answers(200),                                   "a message where none was expected"),
    (answers(200, Ack, relates_to="uuid:other"),     "another attribute"),
]  # fmt: skip


@pytest.mark.parametrize("expected", [pytest.param(expected, id=why) for expected, why in DIFFERENT])
async def test_another_answer_fails_with_the_transcript(expected: object) -> None:
    book = Playbook() >> End(message_id="uuid:0") << answers(204) >> Enumerate(message_id="uuid:1") << expected  # type: ignore[operator]
    with pytest.raises(AssertionError, match=r"(?s)>> End uuid:0\n<< 204 NoneType\n>> Enumerate uuid:1\n.*instead of"):
        await book.play(echo)


async def test_what_isnt_answered_isnt_a_playbook() -> None:
    with pytest.raises(ValueError, match="no answer yet"):
        _ = Playbook() >> End(message_id="uuid:0") >> End(message_id="uuid:1")
    with pytest.raises(ValueError, match="nothing was said"):
        _ = Playbook() << answers(204)
    with pytest.raises(ValueError, match="no answer yet"):
        await (Playbook() >> End(message_id="uuid:0")).play(echo)
