"""One subscription's conversation without a clock or a socket: whatever is acknowledged, refused or logged in whatever order, nothing is left out."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gateway.simulate.wef_bookmark import parse_bookmark
from gateway.simulate.wef_delivery import Delivery, Post, State, Wait
from gateway.simulate.wef_log import EventLog
from gateway.simulate.wef_tally import Tally
from pipeline.errors import MessageError
from wire.event import EventKey, WindowsEvent
from wire.event_xml import parse_event
from wire.wef.messages import Events, Heartbeat, SubscriptionEnd
from wire.wef.namespaces import SecurityProfile
from wire.wef.query import build_queries, encode_query_list
from wire.wef.subscribe import make_offer, uuid_uri
from wire.wef.subscription import Offer, Route, Subscription

CHANNELS = ("Security", "System")
SUBSCRIPTION = Subscription(
    name="identity/Both",
    query=encode_query_list(build_queries(EventKey(channel, "*", "4776") for channel in CHANNELS if channel == "Security")).replace(
        "</QueryList>", '<Query Id="1"><Select Path="System">*[System[EventID=4776]]</Select></Query></QueryList>'
    ),
    heartbeat=60.0,
    max_time=5.0,
    retries=2,
    retry_after=10.0,
    read_existing=True,
)
ROUTE = Route(url="https://gw.contoso.example:5986", profile=SecurityProfile.CERTIFICATE)


def offer(bookmark: bytes | None = None, *, query: str = SUBSCRIPTION.query, limit: int | None = None, existing: bool = True) -> Offer:
    return make_offer(replace(SUBSCRIPTION, query=query, max_elements=limit, read_existing=existing), ROUTE, bookmark)


def begin(log: EventLog, offered: Offer, *, now: float = 0.0, tally: Tally | None = None) -> Delivery:
    ids = count(1)
    return Delivery(offered, log, "dc01.contoso.example", lambda: uuid_uri(UUID(int=next(ids))), tally or Tally(), now=now, unix_ns=0)


def write(log: EventLog, *record_ids: int, channel: str = "Security", event_id: str = "4776") -> None:
    for record_id in record_ids:
        log.append(WindowsEvent(event_id=event_id, channel=channel, record_id=str(record_id)))


def sent(post: object) -> list[tuple[str, int]]:
    assert isinstance(post, Post)
    return [(channel, logged.record_id) for channel, logged in post.events]


# -- when


def test_a_batch_waits_for_its_age() -> None:
    log = EventLog()
    delivery = begin(log, offer())
    assert isinstance(delivery.next(0), Post)
    delivery.acknowledged(0)
    write(log, 1)
    assert delivery.next(1) == Wait(6)
    write(log, 2)
    assert delivery.next(5.9) == Wait(6)
    assert sent(delivery.next(6)) == [("Security", 1), ("Security", 2)]


def test_a_full_batch_does_not_wait() -> None:
    log = EventLog()
    write(log, *range(1, 8))
    delivery = begin(log, offer(limit=3))
    for batch in ([1, 2, 3], [4, 5, 6]):
        assert [record_id for _, record_id in sent(delivery.next(0))] == batch
        delivery.acknowledged(0)
    assert delivery.next(0) == Wait(5)


def test_silence_is_broken_by_heartbeats_and_they_by_events() -> None:
    log = EventLog()
    delivery = begin(log, offer())
    for now in (0, 60, 120):
        post = delivery.next(now)
        assert isinstance(post, Post)
        assert isinstance(post.request, Heartbeat)
        delivery.acknowledged(now)
    write(log, 1)
    delivery.next(130)
    assert sent(delivery.next(135)) == [("Security", 1)]
    delivery.acknowledged(140)
    assert delivery.next(141) == Wait(200)


def test_after_its_attempts_it_is_abandoned() -> None:
    log, tally = EventLog(), Tally()
    write(log, 1)
    delivery = begin(log, offer(), tally=tally)
    now = 5.0
    delivery.next(0)
    delivery.acknowledged(0)
    for again in (False, True, True):
        post = delivery.next(now)
        assert isinstance(post, Post)
        assert (post.again, sent(post)) == (again, [("Security", 1)])
        delivery.failed(now)
        if delivery.state is State.RETRYING:
            assert delivery.next(now + 9.9) == Wait(now + 10)
        now += 10
    assert (delivery.state, delivery.next(now)) == (State.ABANDONED, None)
    assert (tally.sent, tally.acked, tally.unacked, tally.resent, tally.abandonments) == (1, 0, 1, 2, 1)
    delivery.withdraw()
    assert (tally.unacked, tally.withdrawn) == (0, 1)


def test_it_ends_when_everything_is_acknowledged() -> None:
    log = EventLog()
    write(log, 1)
    delivery = begin(log, offer())
    delivery.finish()
    assert sent(delivery.next(0)) == [("Security", 1)]
    delivery.acknowledged(0)
    post = delivery.next(0)
    assert isinstance(post, Post)
    assert isinstance(post.request, SubscriptionEnd)
    delivery.acknowledged(0)
    assert delivery.next(0) is None


def test_misuse_is_a_bug() -> None:
    delivery = begin(EventLog(), offer())
    with pytest.raises(RuntimeError):
        delivery.acknowledged(0)
    delivery.next(0)
    with pytest.raises(RuntimeError):
        delivery.next(0)


# -- where it begins


@pytest.mark.parametrize(
    ("bookmark", "expected"),
    [
        pytest.param(None, [("Security", 5), ("Security", 6), ("System", 7), ("System", 8)], id="nothing stored and existing ones wanted: everything"),
        pytest.param(
            b'<BookmarkList><Bookmark Channel="security" RecordId="5" IsCurrent="true"/><Bookmark Channel="System" RecordId="8"/></BookmarkList>',
            [("Security", 6)],
            id="a stored place: behind it",
        ),
        pytest.param(
            b'<BookmarkList><Bookmark Channel="Security" RecordId="6"/></BookmarkList>',
            [("System", 7), ("System", 8)],
            id="a channel the bookmark lacks: from its oldest event",
        ),
    ],
)
def test_where_reading_begins(bookmark: bytes | None, expected: list[tuple[str, int]]) -> None:
    log = EventLog()
    write(log, 5, 6)
    write(log, 7, 8, channel="System")
    delivery = begin(log, offer(bookmark))
    delivery.finish()
    assert sent(delivery.next(0)) == expected


def test_new_events_only_is_told_with_the_position() -> None:
    log = EventLog()
    write(log, 5)
    delivery = begin(log, offer(existing=False))
    post = delivery.next(0)
    assert isinstance(post, Post)
    assert isinstance(post.request, Events)
    [report] = post.request.events()
    event = parse_event(report)
    assert (event.event_id, event.provider, event.record_id) == ("111", "Microsoft-Windows-EventForwarder", "")
    assert parse_bookmark(post.request.bookmark) == {"Security": 5}
    delivery.acknowledged(0)
    write(log, 6)
    delivery.finish()
    assert sent(delivery.next(0)) == [("Security", 6)]


def test_what_was_overwritten_is_counted() -> None:
    log, tally = EventLog(capacity=4), Tally()
    write(log, *range(1, 4))
    delivery = begin(log, offer(), tally=tally)
    write(log, *range(4, 11))
    delivery.finish()
    assert sent(delivery.next(0)) == [("Security", record_id) for record_id in (7, 8, 9, 10)]
    assert tally.overwritten == 6


@pytest.mark.parametrize("query", ["<Query/>", "QueryList"])
def test_a_query_that_is_none_is_refused(query: str) -> None:
    with pytest.raises(MessageError):
        begin(EventLog(), offer(query=query))


def test_a_bookmark_that_is_none_is_refused() -> None:
    with pytest.raises(MessageError):
        begin(EventLog(), offer(b"<Elsewhere/>"))


class Conversation(RuleBasedStateMachine):
    """A collector that stores every batch it takes, acknowledges it or loses that, forgets connections, and makes the machine begin anew."""

    @initialize(limit=st.sampled_from([None, 1, 3]))
    def begin(self, limit: int | None) -> None:
        self.log, self.tally, self.now = EventLog(), Tally(), 0.0
        self.limit = limit
        self.written: list[tuple[str, int]] = []
        self.kept: set[tuple[str, int]] = set()
        self.acked: list[tuple[str, int]] = []
        self.bookmark: bytes | None = None
        self.delivery = begin(self.log, offer(limit=limit), tally=self.tally)

    @rule(channel=st.sampled_from(CHANNELS), wanted=st.booleans(), number=st.integers(1, 4))
    def write(self, channel: str, wanted: bool, number: int) -> None:  # noqa: FBT001 - Hypothesis passes by name
        for _ in range(number):
            record_id = self.log.append(WindowsEvent(event_id="4776" if wanted else "4624", channel=channel)).record_id
            if wanted:
                self.written.append((channel, record_id))

    @rule(seconds=st.sampled_from([0.0, 1.0, 5.0, 10.0, 60.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(fate=st.sampled_from(["acknowledged", "stored", "lost"]))
    def converse(self, fate: str) -> None:
        step = self.delivery.next(self.now)
        if not isinstance(step, Post):
            assert step is None or step.until > self.now
            return
        if isinstance(step.request, Events) and fate != "lost":
            assert len(step.events) <= (self.limit or len(step.events))
            self.kept |= set(sent(step))
            self.bookmark = step.request.bookmark
        if fate == "acknowledged":
            self.delivery.acknowledged(self.now)
            self.acked += sent(step)
        else:
            self.delivery.failed(self.now)

    @rule(stored=st.booleans(), answered=st.booleans())
    def begin_anew_meanwhile(self, stored: bool, answered: bool) -> None:  # noqa: FBT001 - Hypothesis passes by name
        """While a message is under way, whose answer may be lost with the connection."""
        step, former = self.delivery.next(self.now), self.delivery
        if isinstance(step, Post) and isinstance(step.request, Events) and (stored or answered):
            self.kept |= set(sent(step))
            self.bookmark = step.request.bookmark
        self.begin_anew()
        if isinstance(step, Post) and answered:
            former.acknowledged(self.now)
            self.acked += sent(step)
        assert former.next(self.now) is None

    @rule()
    def begin_anew(self) -> None:
        self.delivery.withdraw()
        self.delivery = begin(self.log, offer(self.bookmark, limit=self.limit), now=self.now, tally=self.tally)

    @invariant()
    def it_adds_up(self) -> None:
        assert self.tally.acked == len(self.acked)
        assert self.tally.unacked >= 0
        assert self.tally.withdrawn >= 0
        assert set(self.acked) <= self.kept <= set(self.written)

    def teardown(self) -> None:
        if not hasattr(self, "delivery"):
            return
        if self.delivery.state is State.ABANDONED:
            self.begin_anew()
        self.delivery.finish()
        self.now += 1000
        while isinstance(step := self.delivery.next(self.now), Post):
            self.kept |= set(sent(step))
            self.delivery.acknowledged(self.now)
        assert self.kept == set(self.written)
        assert self.tally.unacked == self.delivery.waiting == 0


Conversation.TestCase.settings = settings(stateful_step_count=30)
TestConversation = Conversation.TestCase
