"""The Splunk destination against a collector that follows Splunk's documents: events, acknowledgements, and every code."""

from __future__ import annotations

from uuid import UUID

import orjson
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from support.batches import batch_of, name_of, uid_of
from support.hec_fake import CODES, TOKEN, HecFake, said
from support.http_peer import Asked, Reply, http_peer

from forwarders.destination import Promise
from forwarders.http import hec_codes
from forwarders.http.hec import MOST_MISSED, HecDestination
from forwarders.http.hec_settings import HecSettings
from pipeline.errors import DeliveryError, Fault
from pipeline.index import Entry, Index
from pipeline.spool.row import Row

CHANNEL = UUID("7d1f5a52-0000-4000-8000-000000000001")


class Naps:
    """Sleep that takes no time, up to a limit."""

    def __init__(self, limit: float = 1e9) -> None:
        self.seconds, self.limit = 0.0, limit

    async def __call__(self, seconds: float) -> None:
        await trio.lowlevel.checkpoint()
        self.seconds += seconds
        if self.seconds > self.limit:
            raise trio.TooSlowError


def destination_for(settings: HecSettings, naps: Naps | None = None) -> HecDestination:
    return HecDestination(settings, clock=lambda: 0.0, new_channel=lambda: CHANNEL, sleep=naps or Naps())


def settings_for(url: str, **settings: object) -> HecSettings:
    return HecSettings.model_validate({"name": "splunk", "kind": "http", "profile": "splunk-hec", "url": url, "token": TOKEN.encode(), **settings})


def row_of(count: int) -> Row:
    batch = batch_of(range(count))
    return Row.whole(batch.records, batch.index, 0)


async def delivered(fake: HecFake, naps: Naps | None = None, **settings: object) -> tuple[DeliveryError | None, list[Asked]]:
    """What one attempt comes to, and what was asked."""
    async with http_peer(fake.answer) as peer:
        destination = destination_for(settings_for(peer.url, **settings), naps)
        try:
            await destination.open(b"")
            await destination.deliver(row_of(3))
        except DeliveryError as error:
            return error, peer.asked
        finally:
            await destination.close()
        return None, peer.asked


async def test_events_with_their_time_and_host() -> None:
    fake = HecFake()
    error, asked = await delivered(fake, index="main")
    assert error is None
    assert [name_of(orjson.dumps(envelope["event"])) for envelope in fake.events] == [0, 1, 2]
    assert fake.events[1] | {"event": None} == {
        "time": 1_700_000_000.001,
        "host": "dc1.contoso.example",
        "index": "main",
        "source": "tidegate",
        "sourcetype": "ocsf:json",
        "event": None,
    }
    assert [request.path for request in asked] == ["/services/collector/health", "/services/collector/event", *["/services/collector/ack"] * 3]
    assert all(request.headers["x-splunk-request-channel"] == str(CHANNEL) for request in asked)


async def test_raw_lines() -> None:
    fake = HecFake()
    error, asked = await delivered(fake, endpoint="raw", sourcetype="my type")
    assert error is None
    assert len(fake.events) == 3
    assert asked[1].query == {"channel": str(CHANNEL), "source": "tidegate", "sourcetype": "my type"}
    assert asked[1].body == row_of(3).ndjson()


async def test_an_acknowledgement_is_waited_for() -> None:
    naps = Naps()
    error, asked = await delivered(HecFake(slow=20), naps)
    assert error is None
    assert len(asked) == 2 + 21
    assert naps.seconds == 0.25 + 0.5 + 1 + 2 + 4 + 8 + 15 * 10


async def test_without_acknowledgement_a_good_answer_is_enough() -> None:
    error, asked = await delivered(HecFake(acknowledges=False), acknowledge=False)
    assert error is None
    assert len(asked) == 2
    assert settings_for("https://splunk.contoso.example", acknowledge=False).promise is Promise.RECEIVED
    assert settings_for("https://splunk.contoso.example").promise is Promise.ACKNOWLEDGED


async def test_a_token_without_acknowledgement_is_for_the_operator() -> None:
    error, _ = await delivered(HecFake(acknowledges=False))
    assert error is not None
    assert (error.reason, error.fault) == ("no-ack-id", Fault.DENIED)


@pytest.mark.parametrize("code", CODES)
async def test_every_code(code: int) -> None:
    fake = HecFake(acknowledges=False, scripted=[code])
    error, _ = await delivered(fake, acknowledge=False)
    assert (error and error.fault) == hec_codes.CODES[code]
    assert error is None or (error.reason == f"hec-{code}" and CODES[code][1] in error.detail)


@pytest.mark.parametrize(
    ("settings", "reason", "fault"),
    [
        ({"token": b"another"}, "hec-4", Fault.DENIED),
        ({"index": "secret"}, "hec-7", Fault.DENIED),
        ({"url_path": "/elsewhere"}, "http-404", Fault.DENIED),
    ],
)
async def test_a_wrong_configuration_costs_no_record(settings: dict[str, object], reason: str, fault: Fault) -> None:
    fake = HecFake()
    async with http_peer(fake.answer) as peer:
        table = settings_for(peer.url + str(settings.pop("url_path", "")), **settings)
        destination = destination_for(table)
        await destination.open(b"")
        with pytest.raises(DeliveryError) as caught:
            await destination.deliver(row_of(3))
        await destination.close()
    assert (caught.value.reason, caught.value.fault) == (reason, fault)
    assert not fake.events


@pytest.mark.parametrize(
    ("reply", "fault"),
    [
        (Reply(200, b"<html>Sign in</html>"), Fault.DENIED),
        (Reply(204), Fault.DENIED),
        (Reply(413, b"too large"), Fault.TOO_LARGE),
        (Reply(302, b"", {"location": "https://login.contoso.example"}), Fault.DENIED),
        (Reply(502, b"<html>Bad Gateway</html>"), Fault.RETRY),
        (Reply(503, b'{"text":"Success","code":0,"ackId":0}'), Fault.RETRY),
    ],
    ids=["a login page", "an empty success", "too large", "a redirect", "a balancer", "a success that is none"],
)
async def test_answers_that_are_not_hecs(reply: Reply, fault: Fault) -> None:
    error, _ = await delivered(HecFake(scripted=[reply]))
    assert error is not None
    assert error.fault is fault


@pytest.mark.parametrize(("code", "fault"), [(18, Fault.RETRY), (20, Fault.RETRY), (21, Fault.DENIED), (23, Fault.RETRY)])
async def test_health_is_asked_for_first(code: int, fault: Fault) -> None:
    async with http_peer(lambda _: said(code)) as peer:
        destination = destination_for(settings_for(peer.url))
        with pytest.raises(DeliveryError) as caught:
            await destination.open(b"")
        await destination.close()
    assert (caught.value.reason, caught.value.fault) == (f"hec-{code}", fault)


async def test_a_balancer_without_health_is_no_obstacle() -> None:
    fake = HecFake()
    async with http_peer(lambda asked: Reply(404) if asked.path.endswith("/health") else fake.answer(asked)) as peer:
        destination = destination_for(settings_for(peer.url))
        await destination.open(b"")
        await destination.deliver(row_of(1))
        await destination.close()
    assert len(fake.events) == 1


@pytest.mark.parametrize(
    ("answers", "fault"),
    [
        ([9, 26, Reply(502), None], None),
        ([9] * MOST_MISSED, Fault.RETRY),
        ([14], Fault.DENIED),
        ([6], Fault.DENIED),
        ([Reply(200, b"[]")], Fault.DENIED),
    ],
    ids=["busy for a while", "busy for too long", "not acknowledged here", "refused", "somebody else"],
)
async def test_questions_for_an_acknowledgement_may_fail(answers: list[int | Reply | None], fault: Fault | None) -> None:
    error, _ = await delivered(HecFake(slow=0, scripted=[None, *answers]))
    assert (error and error.fault) == fault


async def test_an_acknowledgement_forgotten_by_a_restart_is_never_true() -> None:
    fake = HecFake()

    def answer(asked: Asked) -> Reply:
        if asked.path.endswith("/ack"):
            fake.channels.clear()
        return fake.answer(asked)

    async with http_peer(answer) as peer:
        destination = destination_for(settings_for(peer.url), Naps(limit=300))
        await destination.open(b"")
        with pytest.raises(trio.TooSlowError):
            await destination.deliver(row_of(1))
        await destination.close()


@given(st.lists(st.tuples(st.text(max_size=30), st.dictionaries(st.text(max_size=9), st.text(max_size=30), min_size=1)), min_size=1, max_size=9))
def test_nobody_gets_out_of_an_envelope(records: list[tuple[str, dict[str, str]]]) -> None:
    entries, texts, at = [], [], 0
    for number, (computer, record) in enumerate(records):
        text = orjson.dumps(record)
        entries.append(Entry(at, at + len(text), uid_of(number), False, 3002, "4776", 1, 1_700_000_000_000 + number, computer))
        texts.append(text + b"\n")
        at += len(text) + 1
    row = Row.whole(b"".join(texts), Index.of(entries), 0)
    fake = HecFake(acknowledges=False)
    body = destination_for(settings_for("https://splunk.contoso.example"))._body(row)
    fake.answer(Asked("POST", "/services/collector/event", {"authorization": f"Splunk {TOKEN}"}, body))
    assert [(envelope["host"], envelope["event"]) for envelope in fake.events] == [(computer or "-", record) for computer, record in records]
    assert [envelope["time"] for envelope in fake.events] == [(1_700_000_000_000 + number) / 1000 for number in range(len(records))]
