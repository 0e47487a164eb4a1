"""The WEF listener over memory streams: whole conversations as transcripts, and what is refused, tagged, kept, and withheld."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from random import Random
from types import NoneType

import h11
import hypothesis
import orjson
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from support.events import SAMPLES
from support.playbook import Heard, Playbook, answers
from support.wef_listening import DC1, NOW_NS, PEER, Source, events_of, listening, offered_by_profile, settings

from listeners.wef.identity import Identity
from listeners.wef.sources import State
from pipeline.intake import Intake
from pipeline.model import Batch
from pipeline.receipt import Receipt
from pipeline.spool.settings import SpoolSettings
from pipeline.spool.spool import Bookmark
from wire import sldc
from wire.event_xml import encode_event
from wire.soap_encoding import encode_body
from wire.wef.encoding import encode_request
from wire.wef.messages import End, Enumerate, Heartbeat, Reference, Request, SubscriptionEnd
from wire.wef.namespaces import EVENTING
from wire.wef.responses import Ack, EnumerateResponse, Fault

NAME = "listeners.wef"
BOOKMARK = b'<BookmarkList><Bookmark Channel="Security" RecordId="149161" IsCurrent="true"/></BookmarkList>'
REPORT = (
    b"<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='Microsoft-Windows-EventForwarder'/>"
    b"<EventID>111</EventID><TimeCreated SystemTime='2024-03-15T12:00:00.0000000Z'/><Computer>dc1.contoso.example</Computer></System>"
    b"<SubscriptionBookmarkEvent><SubscriptionId></SubscriptionId></SubscriptionBookmarkEvent></Event>"
)


def event(number: int, event_id: str = "4776", computer: str = "dc1.contoso.example") -> bytes:
    return encode_event(replace(SAMPLES[event_id], record_id=str(number), computer=computer))


def labels(records: list[bytes]) -> list[list[str]]:
    return [orjson.loads(record)["metadata"].get("labels", []) for record in records]


async def test_a_whole_conversation(tmp_path: Path) -> None:
    async with listening(tmp_path) as listener:
        offer = listener.offer()
        told = await (
            Playbook()
            >> Enumerate(message_id="uuid:1", machine_id="dc1.contoso.example", max_envelope_size=512_000)
            << answers(200, EnumerateResponse, relates_to="uuid:1")
            >> End(message_id="uuid:2", operation_id="uuid:op")
            << answers(204)
        ).play(listener.connect().say)
        assert isinstance(told[0], EnumerateResponse)
        names = [one.subscription.name for one in told[0].offers]
        assert names == ["identity/Microsoft-Windows-NTLM/Operational", "identity/Security", "identity/System"]
        assert told[0].offers[1].references == offer.references
        await (
            Playbook()
            >> Heartbeat(message_id="uuid:3", machine_id="dc1.contoso.example", references=offer.references)
            << answers(200, Ack, relates_to="uuid:3")
            >> events_of(offer, event(1), event(2, "4728"), bookmark=BOOKMARK, message_id="uuid:4")
            << answers(200, Ack, relates_to="uuid:4")
            >> SubscriptionEnd(message_id="uuid:5", references=offer.references, code=995, text="The I/O operation has been aborted")
            << answers(200, Ack, relates_to="uuid:5")
            >> End(message_id="uuid:6")
            << answers(204)
        ).play(listener.connect().say)
        assert len(await listener.records()) == 2
        assert await listener.bookmark() == BOOKMARK
        assert listener.sources.state("identity/Security", DC1.key) is State.ENDED
        (answer,) = (one for one in await (Playbook() >> Enumerate(message_id="uuid:7") << answers(200, EnumerateResponse)).play(listener.connect().say))
        assert isinstance(answer, EnumerateResponse)
        assert [one.bookmark for one in answer.offers] == [b"", BOOKMARK, b""]
        assert [one.version for one in answer.offers] == [one.version for one in told[0].offers]


FIXTURES = Path(__file__).parents[2] / "fixtures" / "wef"

#   file                        status   kind               octets as
CONVERSATION = [
    ("enumerate.xml",           200,     EnumerateResponse),
    ("end.xml",                 204,     NoneType),
    ("heartbeat.xml",           200,     Ack),
    ("events.xml",              200,     Ack),
    ("subscription-end.xml",    200,     Ack),
]  # fmt: skip


async def test_the_fixtures_are_the_conversation(tmp_path: Path) -> None:
    dc01 = Identity("dc01.contoso.example", "aa:cn=dc01", frozenset({"dc01", "dc01.contoso.example"}), DC1.issuer)
    async with listening(tmp_path) as listener:
        source = listener.connect(dc01)
        for file, status, kind in CONVERSATION:
            text = (FIXTURES / file).read_text()
            heard = await source.say_octets(encode_body(text))
            assert (file, heard.status, type(heard.message)) == (file, status, kind)
            compressed = await source.say_octets(sldc.encode(encode_body(text)), [("Content-Encoding", "SLDC")])
            assert (compressed.status, type(compressed.message)) == (status, kind)
        (record,) = await listener.records()
        assert orjson.loads(record)["device"]["hostname"] == "DC01.contoso.example"
        assert await listener.bookmark(identity=dc01) == b'<BookmarkList><Bookmark Channel="Security" RecordId="88101" IsCurrent="true"/></BookmarkList>'


async def test_compressed_and_plain_events_in_any_encoding_are_the_same(tmp_path: Path) -> None:
    async with listening(tmp_path) as listener:
        source, offer = listener.connect(), listener.offer()
        delivery = events_of(offer, event(1), event(2), bookmark=BOOKMARK)
        text = encode_request(delivery).decode()
        assert await source.say_compressed(delivery) == Heard(200, Ack("uuid:E1"))
        for octets in (text.encode(), b"\xef\xbb\xbf" + text.encode(), b"\xfe\xff" + text.encode("utf-16-be"), text.encode("utf-16-le")):
            assert await source.say_octets(octets) == Heard(200, Ack("uuid:E1"))
        assert await source.say_octets(encode_body(text), [("Content-Encoding", "SLDC")]) == Heard(200, Ack("uuid:E1")), "flagged SLDC, and plain"
        assert (len(await listener.records()), listener.value("duplicate_total")) == (2, 10)


async def test_one_bad_event_never_refuses_the_batch_and_is_kept_with_its_octets(tmp_path: Path) -> None:
    cut = event(2)[:-150]
    async with listening(tmp_path) as listener:
        assert await listener.connect().say(events_of(listener.offer(), event(1), cut, event(3), bookmark=BOOKMARK)) == Heard(200, Ack("uuid:E1"))
        assert len(await listener.records()) == 2
        ((origin, reject),) = await listener.spool.rejects(10)
        assert (reject.rule, reject.raw, origin.identity, origin.peer) == ("not-well-formed", cut, DC1.name, PEER)
        assert await listener.bookmark() == BOOKMARK


async def test_characters_that_xml_doesnt_allow_are_replaced_and_counted(tmp_path: Path) -> None:
    async with listening(tmp_path) as listener:
        text = encode_request(events_of(listener.offer(), event(1).replace(b"</Event>", b"</Event>"))).decode()
        octets = b"\xff\xfe" + text.replace("<Computer>", "\x05<Computer>").encode("utf-16-le").replace(b"a\0z\0", b"\x00\xd8z\0")
        assert (await listener.connect().say_octets(octets)).status == 200
        assert len(await listener.records()) == 1
        assert listener.value("warned_total", rule="illegal-character") >= 1


async def test_an_event_of_another_computer_is_tagged(tmp_path: Path) -> None:
    async with listening(tmp_path) as listener:
        await listener.connect().say(events_of(listener.offer(), event(1), event(2, computer="dc9.contoso.example")))
        assert labels(await listener.records()) == [[], ["identity:mismatch"]]
        assert listener.value("warned_total", rule="identity-mismatch") == 1


async def test_an_event_of_another_computer_is_rejected_where_configured(tmp_path: Path) -> None:
    async with listening(tmp_path, wef=settings(mismatch="refuse")) as listener:
        assert (await listener.connect().say(events_of(listener.offer(), event(1), event(2, computer="dc9.contoso.example")))).status == 200
        assert len(await listener.records()) == 1
        assert listener.value("rejected_total", rule="identity-mismatch") == 1


async def test_a_listed_forwarder_speaks_for_others(tmp_path: Path) -> None:
    async with listening(tmp_path, wef=settings(forwarders=["dc1.contoso.example"])) as listener:
        await listener.connect().say(events_of(listener.offer(), event(2, computer="dc9.contoso.example")))
        assert labels(await listener.records()) == [[]]


async def test_a_source_that_declares_another_machine_is_tagged_or_turned_away(tmp_path: Path) -> None:
    async with listening(tmp_path / "tag") as listener:
        await listener.connect().say(events_of(listener.offer(), event(1), machine_id="dc9.contoso.example"))
        assert labels(await listener.records()) == [["identity:mismatch"]]
        assert listener.value("warned_total", rule="identity-mismatch") == 1
    async with listening(tmp_path / "refuse", wef=settings(mismatch="refuse")) as listener:
        assert await listener.connect().say(events_of(listener.offer(), event(1), machine_id="dc9.contoso.example")) == Heard(403)


async def test_bookmarks_are_the_authenticated_clients_whatever_it_calls_itself(tmp_path: Path) -> None:
    other = Identity("dc2.contoso.example", "aa:cn=dc2", frozenset({"dc2.contoso.example"}), DC1.issuer)
    async with listening(tmp_path) as listener:
        await listener.connect(other).say(events_of(listener.offer(), event(1), bookmark=BOOKMARK, machine_id="dc1.contoso.example"))
        assert await listener.bookmark(identity=DC1) is None
        assert await listener.bookmark(identity=other) == BOOKMARK


async def test_an_older_version_is_taken_and_tagged(tmp_path: Path) -> None:
    async with listening(tmp_path) as listener:
        identifier, generation = listener.offer().references
        old = (identifier, replace(generation, text="00000000-0000-0000-0000-000000000000"))
        await listener.connect().say(replace(events_of(listener.offer(), event(1)), references=old))
        assert labels(await listener.records()) == [["subscription:outdated"]]


UNKNOWN = (Reference(EVENTING, "Identifier", "00000000-0000-0000-0000-000000000000"),)


async def test_an_unknown_subscription_is_not_found(tmp_path: Path) -> None:
    async with listening(tmp_path) as listener:
        for request in (Heartbeat(message_id="uuid:1", references=UNKNOWN), replace(events_of(listener.offer(), event(1)), references=UNKNOWN)):
            assert await listener.connect().say(request) == Heard(404)
        assert [reject.rule for _, reject in listener.rejects] == ["unknown-subscription"] * 2
        assert await listener.records() == []


async def test_who_may_not_have_a_subscription_isnt_told_of_it_and_may_not_deliver(tmp_path: Path) -> None:
    async with listening(tmp_path, offered=offered_by_profile(clients=["*.tier0.contoso.example"])) as listener:
        answer = await listener.connect().say(Enumerate(message_id="uuid:1"))
        assert answer == Heard(200, EnumerateResponse("uuid:1", ()))
        assert await listener.connect().say(events_of(listener.offer(), event(1))) == Heard(403)


async def test_a_position_report_is_never_an_event_and_shows_a_gap(tmp_path: Path) -> None:
    async with listening(tmp_path) as listener:
        source, offer = listener.connect(), listener.offer()
        await source.say(events_of(offer, REPORT, bookmark=b"<BookmarkList Direction='backward'/>"))
        assert (listener.value("position_resets_total", kind="first"), listener.value("position_resets_total", kind="gap")) == (1, 0)
        await source.say(events_of(offer, event(1), bookmark=BOOKMARK))
        await source.say(events_of(offer, REPORT, event(9), bookmark=BOOKMARK.replace(b"149161", b"200000")))
        assert listener.value("position_resets_total", kind="gap") == 1
        assert (listener.value("control_total"), len(await listener.records())) == (2, 2)
        (status,) = await listener.spool.sources()
        assert (status.gaps, status.address, status.event_at_ms, status.heartbeat_at_ms) == (1, PEER, NOW_NS // 10**6, None)


async def test_signs_of_life_are_kept(tmp_path: Path) -> None:
    async with listening(tmp_path) as listener:
        await listener.connect().say(Heartbeat(message_id="uuid:3", references=listener.offer().references))
        (status,) = await listener.spool.sources()
        assert (status.subscription, status.client) == ("identity/Security", DC1.key)
        assert (status.first_seen_ms, status.event_at_ms, status.heartbeat_at_ms) == (NOW_NS // 10**6, None, NOW_NS // 10**6)
        assert listener.metrics.value("tidegate_wef_sources", listener=NAME, subscription="identity/Security", state="alive") == 1


class Shut:
    """An intake whose spool takes nothing in."""

    def __init__(self) -> None:
        self.submitted: list[tuple[Batch, Bookmark | None, bool]] = []

    async def submit(self, batch: Batch, *, bookmark: Bookmark | None = None, keep_rejects: bool = False) -> Receipt:
        self.submitted.append((batch, bookmark, keep_rejects))
        await trio.sleep_forever()
        raise AssertionError


async def test_nothing_is_acknowledged_that_isnt_kept(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    async with listening(tmp_path, intake=Shut()) as listener:
        started = trio.current_time()
        assert await listener.connect().say(events_of(listener.offer(), event(1), bookmark=BOOKMARK)) == Heard(503)
        assert trio.current_time() - started == pytest.approx(45)
        assert listener.value("requests_refused_total", reason="spool-slow") == 1
        assert await listener.bookmark() is None


async def test_a_full_spool_withholds_the_ack_says_why_and_takes_the_batch_when_it_comes_again(tmp_path: Path, mock_clock: trio.testing.MockClock) -> None:
    async with listening(tmp_path, spool_settings=SpoolSettings(max_bytes=1)) as listener:
        source, offer = listener.connect(), listener.offer()
        assert await source.say(events_of(offer, event(1))) == Heard(200, Ack("uuid:E1"))
        mock_clock.autojump_threshold = 0.05  # nothing but the deadline is left to wait for
        assert await source.say(events_of(offer, event(2), message_id="uuid:E2", bookmark=BOOKMARK)) == Heard(503)
        mock_clock.autojump_threshold = math.inf
        ((origin, reject),) = listener.rejects
        assert (origin.identity, reject.rule, "octets are full" in reject.detail) == (DC1.name, "spool-full", True)
        assert await listener.bookmark() is None
        assert len(await listener.records()) == 1, "which makes room for what was withheld"
        while listener.value("normalized_total") < 2:
            await trio.lowlevel.checkpoint()
        assert await listener.bookmark() == BOOKMARK
        assert len(await listener.records()) == 1, "which makes room for what comes again"
        assert await source.say(events_of(offer, event(2), message_id="uuid:E3", bookmark=BOOKMARK)) == Heard(200, Ack("uuid:E3"))
        assert not await listener.records()
        assert (listener.value("normalized_total"), listener.value("duplicate_total")) == (2, 1)


async def test_a_heartbeat_is_answered_even_then(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    async with listening(tmp_path, intake=Shut()) as listener:
        assert await listener.connect().say(Heartbeat(message_id="uuid:3", references=listener.offer().references)) == Heard(200, Ack("uuid:3"))


async def test_what_was_withheld_and_comes_again_collapses_to_duplicates(tmp_path: Path) -> None:
    async with listening(tmp_path) as listener:
        delivery = events_of(listener.offer(), event(1), event(2), bookmark=BOOKMARK)
        assert await listener.connect().say(delivery) == Heard(200, Ack("uuid:E1"))
        assert await listener.connect().say(replace(delivery, message_id="uuid:E2")) == Heard(200, Ack("uuid:E2"))
        assert (len(await listener.records()), listener.value("duplicate_total"), listener.value("received_total")) == (2, 2, 4)


class Gate:
    """An intake that waits at a gate before it hands a batch on."""

    def __init__(self) -> None:
        self.inner: Intake | None = None
        self.reached, self.opened = trio.Event(), trio.Event()

    async def submit(self, batch: Batch, *, bookmark: Bookmark | None = None, keep_rejects: bool = False) -> Receipt:
        self.reached.set()
        await self.opened.wait()
        assert self.inner is not None
        return await self.inner.submit(batch, bookmark=bookmark, keep_rejects=keep_rejects)


async def test_a_source_that_drops_its_connection_leaves_its_batch_whole(tmp_path: Path) -> None:
    gate = Gate()
    async with listening(tmp_path, intake=gate) as listener:
        gate.inner = listener.intake
        source = listener.connect()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_say_in_vain, source, events_of(listener.offer(), event(1), bookmark=BOOKMARK))
            await gate.reached.wait()
            await source.close()
        gate.opened.set()
        await trio.testing.wait_all_tasks_blocked(0.01)
        await listener.intake.drained()
        assert (len(await listener.records()), await listener.bookmark()) == (1, BOOKMARK)


async def _say_in_vain(source: Source, request: Request) -> None:
    with suppress(trio.BrokenResourceError, trio.ClosedResourceError, ConnectionError, h11.RemoteProtocolError):
        await source.say(request)


async def test_a_drain_answers_what_is_being_kept_and_ends_idle_connections(tmp_path: Path) -> None:
    gate, heard = Gate(), list[Heard]()
    async with listening(tmp_path, intake=gate) as listener:
        gate.inner = listener.intake
        source, idle = listener.connect(), listener.connect()

        async def deliver() -> None:
            heard.append(await source.say(events_of(listener.offer(), event(1), bookmark=BOOKMARK)))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(deliver)
            await gate.reached.wait()
            listener.drain.ask()
            assert await idle.ended()
            gate.opened.set()
        assert heard == [Heard(200, Ack("uuid:E1"))]
        assert await source.ended()


@given(st.lists(st.tuples(st.sampled_from(CONVERSATION), st.integers(0, 2**32), st.booleans(), st.booleans()), min_size=1, max_size=12))
@hypothesis.settings(max_examples=15)
def test_no_octets_make_it_fail(tmp_path_factory: pytest.TempPathFactory, sent: list[tuple[tuple[str, int, type[object]], int, bool, bool]]) -> None:
    async def play() -> None:
        async with listening(tmp_path_factory.mktemp("spool")) as listener:
            for (file, _, _), seed, compressed, utf8 in sent:
                text = bytearray((FIXTURES / file).read_bytes()) if utf8 else bytearray(encode_body((FIXTURES / file).read_text()))
                body = bytearray(sldc.encode(bytes(text))) if compressed else text
                random = Random(seed)
                for _ in range(random.randint(0, 4)):
                    body[random.randrange(len(body))] = random.randrange(256)
                del body[random.randint(len(body) // 2, len(body) * 2) :]
                status, _ = await listener.connect().post(bytes(body), [("Content-Encoding", "SLDC")] if compressed else [])
                assert status in {200, 204, 400, 404}
            assert "request failed" not in listener.log.getvalue()

    trio.run(play)


async def test_a_source_that_is_told_more_than_it_takes_gets_a_fault(tmp_path: Path) -> None:
    async with listening(tmp_path) as listener:
        heard = await listener.connect().say(Enumerate(message_id="uuid:1", max_envelope_size=2000))
        assert (heard.status, isinstance(heard.message, Fault) and heard.message.subcode) == (500, "EncodingLimit")


#   body                             fields                               status  reason                  why
UNREADABLE = [
    (b"",                            [],                                  400,    "empty-body",           "nothing"),
    (b"<a/>",                        [],                                  400,    "not-an-envelope",      "no envelope"),
    (b"\xff\xfe\x00",                [],                                  400,    "not-well-formed",      "an odd octet"),
    (b"<a/>",                        [("Content-Encoding", "gzip")],      400,    "content-encoding",     "a coding nobody asked for"),
    (b"\xaa\xaa",                    [("Content-Encoding", "SLDC")],      400,    "sldc-no-scheme",       "no SLDC"),
    (b"<!DOCTYPE a><a/>",            [],                                  400,    "doctype",              "a DOCTYPE"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "fields", "status", "reason"), [pytest.param(*row[:4], id=row[4]) for row in UNREADABLE])
async def test_what_cant_be_read_is_refused_counted_and_kept(tmp_path: Path, body: bytes, fields: list[tuple[str, str]], status: int, reason: str) -> None:
    async with listening(tmp_path) as listener:
        source = listener.connect()
        assert (await source.post(body, fields))[0] == status
        assert listener.value("requests_refused_total", reason=reason) == 1
        ((origin, reject),) = listener.rejects
        assert (origin.peer, reject.rule) == (PEER, reason)


async def test_other_methods_and_paths_are_not_found(tmp_path: Path) -> None:
    async with listening(tmp_path) as listener:
        assert (await listener.connect().post(b"", method="GET"))[0] == 404
        assert (await listener.connect().post(b"x", target="/"))[0] == 404
        assert (await listener.connect().post(b"x", target="/WSMan/subscriptions/x"))[0] == 400


async def test_nobody_is_heard_unauthenticated(tmp_path: Path) -> None:
    async with listening(tmp_path) as listener:
        assert (await listener.connect(None).post(encode_request(events_of(listener.offer(), event(1)))))[0] == 401
        assert await listener.records() == []


async def test_a_failing_normalizer_rejects_the_culprit_alone(tmp_path: Path) -> None:
    class Failing:
        def normalize_events(self, frames: object) -> Batch:
            raise ZeroDivisionError(frames)

    async with listening(tmp_path, normalizer=Failing()) as listener:  # type: ignore[arg-type]
        assert (await listener.connect().say(events_of(listener.offer(), event(1), event(2)))).status == 200
        assert listener.value("rejected_total", rule="internal-error") == 2
