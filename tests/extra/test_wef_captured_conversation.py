"""The captured conversation, played against our listener: everything Windows said is understood, and answered with what Windows' collector answered."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from support.playbook import Heard, Playbook, answers
from support.wef_listening import listening

from listeners.wef.identity import principal_identity
from normalizers.normalizer import Normalizer
from wire.wef.messages import Delivery, Events, Request, parse_request
from wire.wef.responses import Ack, EnumerateResponse

WIN10 = principal_identity("WIN10$@WINDOMAIN.LOCAL")
CONVERSATION = (
    ("01-enumerate-request", 200, EnumerateResponse),
    ("03-end-request", 204, None),
    ("04-heartbeat-request", 200, Ack),
    ("06-events-request.unescaped", 200, Ack),
    ("08-subscription-end-request", 200, Ack),
    ("09-subscription-end-followup-end-request", 204, None),
)


@pytest.fixture(scope="session")
def vectors(extra_corpus: Path) -> Path:
    return extra_corpus / "vectors" / "wef"


async def test_the_captured_conversation(tmp_path: Path, vectors: Path) -> None:
    async with listening(tmp_path, normalizer=Normalizer(keep_all=True)) as listener:
        offer, book = listener.offer(identity=WIN10), Playbook()
        for name, status, kind in CONVERSATION:
            request: Request = parse_request((vectors / f"{name}.xml").read_bytes())
            if isinstance(request, Delivery):  # what our subscription would have made it say
                request = replace(request, references=offer.references)
            expected = answers(status, kind, relates_to=request.message_id) if kind else answers(status)
            book = book >> request << expected
        await book.play(listener.connect(WIN10).say)
        records = [orjson.loads(record) for record in await listener.records()]
        assert len(records) == 21
        assert all("identity:mismatch" not in record["metadata"].get("labels", []) for record in records)
        events = next(request for request, _ in book.steps if isinstance(request, Events))
        assert await listener.bookmark(identity=WIN10) == events.bookmark
        assert listener.value("rejected_total", rule="not-well-formed") == 0


async def test_captured_octets_are_read_as_they_came(tmp_path: Path, vectors: Path) -> None:
    async with listening(tmp_path) as listener:
        source = listener.connect(WIN10)
        enumerated = await source.say_octets(bytes.fromhex((vectors / "01-enumerate-request.utf16le.hex").read_text()))
        assert (enumerated.status, type(enumerated.message)) == (200, EnumerateResponse)
        heartbeat = bytes.fromhex((vectors / "04-heartbeat-request.sldc.hex").read_text())
        assert await source.say_octets(heartbeat, [("Content-Encoding", "SLDC")]) == Heard(404), "read, and of somebody else's subscription"
