"""Simulated domain controllers against a scripted collector: enumerated, subscribed, delivered, acknowledged or sent again, and reconciled."""

from __future__ import annotations

import contextlib
import ssl
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import TypedDict, Unpack

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from support.collector import Collector, Fate, running_collector

from gateway.authority import Authority, make_authority
from gateway.simulate.stream import Course
from gateway.simulate.wef import Delivered, simulate_wef
from gateway.simulate.wef_bookmark import encode_bookmark, parse_bookmark
from gateway.simulate.wef_certificate import Unsealed, issue_certificate, make_context
from gateway.simulate.wef_connection import Proof, Way
from gateway.simulate.wef_delivery import Post
from gateway.simulate.wef_log import EventLog, Logged
from gateway.simulate.wef_machine import Habits, Machine
from gateway.simulate.wef_manager import parse_manager
from gateway.simulate.wef_query import make_filter, parse_select
from pipeline.errors import ConfigError, DeliveryError, MessageError
from wire.event import EventKey, WindowsEvent
from wire.event_xml import parse_event
from wire.wef.messages import End, Enumerate, Events, Heartbeat, Request, SubscriptionEnd
from wire.wef.namespaces import SecurityProfile
from wire.wef.query import build_queries, encode_query_list
from wire.wef.subscribe import make_offer
from wire.wef.subscription import ContentFormat, Offer, Route, Subscription

IDS = ("4726", "4728", "4732", "4776")
SECURITY = Subscription(
    name="identity/Security",
    query=encode_query_list(build_queries(EventKey("Security", "*", event_id) for event_id in IDS)),
    max_time=0.01,
    heartbeat=5.0,
    read_existing=True,
)
SYSTEM = Subscription(
    name="identity/System",
    query=encode_query_list(build_queries([EventKey("System", "Service Control Manager", "7045")])),
    max_time=0.01,
    compressed=False,
    read_existing=True,
)
HURRIED = Habits(refresh=0.05, retry_after=0.01)


class PlainWay:
    """No authentication: for a collector that asks for none."""

    issuer = ""

    async def secure(self, stream: trio.SocketStream, _host: str) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        return stream

    async def proof(self, _host: str) -> Proof:
        await trio.lowlevel.checkpoint()
        return Unsealed()


def offers(*subscriptions: Subscription, thumbprint: str = "") -> Callable[[str], Sequence[Offer]]:
    return lambda url: [make_offer(each, Route(url=url, profile=SecurityProfile.CERTIFICATE, thumbprint=thumbprint)) for each in subscriptions]


class Arguments(TypedDict, total=False):
    course: Course
    noise: float
    only: frozenset[str]
    habits: Habits
    stop: trio.Event
    on_ack: Callable[[Machine, Post], None]


async def simulate(collector: Collector, machines: int = 1, **arguments: Unpack[Arguments]) -> Delivered:
    named: list[tuple[str, Way]] = [(f"dc{at:02}.contoso.example", PlainWay()) for at in range(1, machines + 1)]
    settled: Arguments = {"course": Course(rate=None, count=200), "habits": HURRIED, **arguments}
    return await simulate_wef(parse_manager(collector.url), named, random=Random(1), drain=30.0, **settled)


async def test_everything_selected_is_delivered_once_and_in_order() -> None:
    async with running_collector(offers(SECURITY, SYSTEM)) as collector:
        done = await simulate(collector, machines=3, course=Course(rate=None, count=900), noise=0.3)
    events = [parse_event(event) for event in collector.events()]
    assert done.logged == 900
    assert done.tally.sent == done.tally.acked == len(events) == sum(done.by_event_id.values())
    assert done.by_event_id == Counter(event.event_id for event in events)
    assert done.by_event_id.keys() <= {*IDS, "7045"}
    assert done.waiting == done.tally.resent == done.tally.overwritten == done.tally.failures == 0
    for computer in ("dc01.contoso.example", "dc02.contoso.example", "dc03.contoso.example"):
        for channel in ("Security", "System"):
            records = [int(event.record_id) for event in events if (event.computer, event.channel) == (computer, channel)]
            assert records == sorted(set(records))
    assert 0 < collector.compressed < len(collector.heard)
    assert collector.connections == 0


async def test_the_conversation_is_that_of_a_domain_controller() -> None:
    async with running_collector(offers(SECURITY)) as collector:
        await simulate(collector, habits=Habits(), course=Course(rate=None, count=50), only=frozenset({"4776"}))
    enumerate_, end, *deliveries = collector.heard
    assert isinstance(enumerate_, Enumerate)
    assert (enumerate_.machine_id, enumerate_.max_elements, enumerate_.to) == ("dc01.contoso.example", 32_000, f"{collector.url}/wsman/SubscriptionManager/WEC")
    assert isinstance(end, End)
    assert end.operation_id == enumerate_.operation_id
    assert [type(each) for each in deliveries[-2:]] == [SubscriptionEnd, End]
    assert {type(each) for each in deliveries[:-2]} <= {Heartbeat, Events}
    offer = offers(SECURITY)(collector.url)[0]
    assert all(each.references == offer.references and each.ack_requested and each.to == offer.address for each in collector.of(Events))
    last = parse_event(collector.events()[-1])
    assert (
        collector.of(Events)[-1].bookmark
        == f'<BookmarkList><Bookmark Channel="Security" RecordId="{last.record_id}" IsCurrent="true"/></BookmarkList>'.encode()
    )
    assert len({request.message_id for request in collector.heard}) == len(collector.heard)


@pytest.mark.parametrize("fate", [Fate.REFUSE, Fate.DROP])
async def test_what_is_not_acknowledged_is_sent_again(fate: Fate) -> None:
    random = Random(7)

    def decide(request: Request) -> Fate:
        return fate if isinstance(request, Events) and random.random() < 0.4 else Fate.ACK

    acked: list[bytes] = []
    async with running_collector(offers(SECURITY), decide) as collector:
        done = await simulate(
            collector, course=Course(rate=None, count=1000), on_ack=lambda _machine, post: acked.extend(event.octets for _, event in post.events)
        )
    heard = Counter(collector.events())
    assert done.tally.sent == done.tally.acked == len(acked) == len(set(acked))
    assert set(acked) == set(heard)
    assert done.tally.resent == sum(heard.values()) - len(heard) > 0
    assert done.reasons == {"status-503" if fate is Fate.REFUSE else "connection-lost": done.tally.failures}


async def test_a_subscription_given_up_begins_anew_where_the_bookmark_says() -> None:
    stored: list[bytes] = []
    refusing = True

    def offer(url: str) -> list[Offer]:
        return [make_offer(SECURITY, Route(url=url, profile=SecurityProfile.CERTIFICATE), stored[-1] if stored else None)]

    def decide(request: Request) -> Fate:
        nonlocal refusing
        if isinstance(request, Events) and len(stored) == 3 and refusing:
            refusing = collector.of(Events).count(request) == 0 or len(collector.of(Events)) < 12
            return Fate.REFUSE
        if isinstance(request, Events):
            stored.append(request.bookmark)
        return Fate.ACK

    async with running_collector(offer, decide) as collector:
        done = await simulate(collector, course=Course(rate=None, count=1500), only=frozenset({"4776"}))
    assert done.tally.abandonments >= 1
    assert len(set(collector.events())) == 1500
    assert done.tally.unacked == 0
    assert done.tally.sent == 1500 + done.tally.withdrawn


async def test_a_changed_subscription_replaces_the_old_one_and_a_gone_one_ends() -> None:
    current = [SECURITY, SYSTEM]
    stored: dict[str, bytes] = {}

    def offer(url: str) -> list[Offer]:
        return [make_offer(each, Route(url=url, profile=SecurityProfile.CERTIFICATE), stored.get(str(each.id).upper())) for each in current]

    def decide(request: Request) -> Fate:
        if isinstance(request, Events):
            stored[request.identifier] = request.bookmark
        return Fate.ACK

    stop = trio.Event()
    async with running_collector(offer, decide) as collector, trio.open_nursery() as nursery:
        nursery.start_soon(lambda: simulate(collector, course=Course(rate=400), only=frozenset({"4776", "7045"}), stop=stop))
        await collector.until(lambda: len(collector.of(Events)) > 5)
        current[:] = [replace(SECURITY, max_time=0.02)]
        [changed] = offer(collector.url)
        await collector.until(lambda: any(each.generation == str(changed.version).upper() for each in collector.of(Events)))
        refreshed = len(collector.of(Enumerate))
        await collector.until(lambda: len(collector.of(Enumerate)) > refreshed + 1)
        seen = len(collector.of(Events))
        await collector.until(lambda: len(collector.of(Events)) > seen + 5)
        stop.set()
    assert {each.references for each in collector.of(Events)[seen:]} == {changed.references}
    records = {int(event.record_id) for event in map(parse_event, collector.events()) if event.event_id == "4776"}
    assert records == set(range(min(records), max(records) + 1))  # a batch that was under way may have come twice, and none is missing


async def test_what_nobody_asked_for_is_read_over() -> None:
    async with running_collector(offers(SECURITY)) as collector:
        done = await simulate(collector, course=Course(rate=None, count=5000), noise=1.0)
    assert (done.logged, done.tally.sent, done.waiting, collector.of(Events)) == (5000, 0, 0, [])


async def test_a_patient_machine_waits_for_a_subscription() -> None:
    current: list[Subscription] = []
    stop = trio.Event()

    def offer(url: str) -> Sequence[Offer]:
        return offers(*current)(url)

    async with running_collector(offer) as collector, trio.open_nursery() as nursery:
        patient = replace(HURRIED, patient=True)
        nursery.start_soon(lambda: simulate(collector, course=Course(rate=None), habits=patient, stop=stop))
        await collector.until(lambda: len(collector.of(Enumerate)) > 2)
        assert not collector.of(Events)
        current.append(SECURITY)
        await collector.until(lambda: len(collector.of(Events)) > 2)
        stop.set()


async def test_a_quiet_machine_sends_heartbeats() -> None:
    quick = replace(SECURITY, heartbeat=0.02)
    stop = trio.Event()
    async with running_collector(offers(quick)) as collector, trio.open_nursery() as nursery:
        nursery.start_soon(lambda: simulate(collector, course=Course(rate=1e-6), only=frozenset({"7045"}), stop=stop))
        await collector.until(lambda: len(collector.of(Heartbeat)) > 2)
        stop.set()
    assert not collector.of(Events)


async def test_without_a_bookmark_or_what_exists_the_first_message_tells_the_position() -> None:
    new_only = replace(SECURITY, read_existing=False)
    async with running_collector(offers(new_only)) as collector:
        done = await simulate(collector, course=Course(rate=None, count=20), only=frozenset({"4776"}))
    first = parse_event(collector.events()[0])
    assert (first.event_id, first.provider, first.record_id) == ("111", "Microsoft-Windows-EventForwarder", "")
    assert done.tally.acked == 20 == len(collector.events()) - 1


async def test_batches_keep_to_max_elements_and_max_envelope_size() -> None:
    small = replace(SECURITY, max_elements=7)
    tight = replace(SYSTEM, max_envelope_size=20_000)
    async with running_collector(offers(small, tight)) as collector:
        done = await simulate(collector, course=Course(rate=None, count=600), only=frozenset({"4776", "7045"}))
    assert done.tally.acked == 600
    names = {str(small.id).upper(): small, str(tight.id).upper(): tight}
    for batch in collector.of(Events):
        subscription = names[batch.identifier]
        assert len(list(batch.events())) <= (subscription.max_elements or 10**6)
        assert 2 * len(batch.buffer.decode()) + 2 <= subscription.max_envelope_size


async def test_rendered_text_is_sent_where_it_is_asked_for() -> None:
    rendered = replace(SECURITY, content_format=ContentFormat.RENDERED_TEXT)
    async with running_collector(offers(rendered)) as collector:
        done = await simulate(collector, course=Course(rate=None, count=50), only=frozenset({"4776"}))
    assert done.tally.acked == 50
    assert all("Logon Account" in parse_event(event).message for event in collector.events())


async def test_an_event_that_fits_no_envelope_is_left_out() -> None:
    tiny = replace(SECURITY, max_envelope_size=6_500)
    async with running_collector(offers(tiny)) as collector:
        done = await simulate(collector, course=Course(rate=None, count=300))
    assert done.tally.oversize > 0
    assert all(2 * len(batch.buffer.decode()) + 2 <= 6_500 for batch in collector.of(Events))


async def test_the_machine_without_a_collector_says_so() -> None:
    async with running_collector(offers(SECURITY)) as collector:
        pass
    with pytest.raises(DeliveryError) as caught:
        await simulate(collector)
    assert caught.value.reason == "connect"


async def test_a_collector_without_subscriptions_is_told() -> None:
    async with running_collector(offers()) as collector:
        with pytest.raises(DeliveryError) as caught:
            await simulate(collector)
    assert caught.value.reason == "no-subscription"


# -- TLS


def server_context(names: Sequence[str], authority: Authority, folder: Path) -> ssl.SSLContext:
    issued = authority.issue(*names)
    (folder / "server.pem").write_bytes(issued.certificate + issued.key)
    (folder / "ca.pem").write_bytes(authority.pem)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=folder / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(folder / "server.pem")
    return context


def certified(issuer: Authority, folder: Path, *names: str) -> list[tuple[str, Way]]:
    return [(name, issue_certificate(make_context(folder / "ca.pem"), issuer, name)) for name in names]


async def test_over_tls_every_machine_shows_its_own_certificate(tmp_path: Path) -> None:
    issuer = make_authority("Contoso Test Root")
    async with running_collector(offers(SECURITY, thumbprint=issuer.thumbprint), tls=server_context(["127.0.0.1"], issuer, tmp_path)) as collector:
        done = await simulate_wef(parse_manager(collector.url), certified(issuer, tmp_path, "dc01", "dc02"), course=Course(rate=None, count=100))
    assert done.tally.acked > 0
    assert done.tally.failures == 0


async def test_a_machine_of_another_authority_is_refused(tmp_path: Path) -> None:
    async with running_collector(offers(SECURITY), tls=server_context(["127.0.0.1"], make_authority("Contoso Test Root"), tmp_path)) as collector:
        with pytest.raises(DeliveryError) as caught:
            await simulate_wef(parse_manager(collector.url), certified(make_authority("Contoso Other Root"), tmp_path, "dc01"))
    assert caught.value.reason in ("tls-handshake", "connection-lost")


async def test_a_machine_without_the_certificate_asked_for_never_delivers(tmp_path: Path) -> None:
    issuer = make_authority("Contoso Test Root")
    async with running_collector(offers(SECURITY, thumbprint="00" * 20), tls=server_context(["127.0.0.1"], issuer, tmp_path)) as collector:
        with pytest.raises(DeliveryError) as caught:
            await simulate_wef(parse_manager(collector.url), certified(issuer, tmp_path, "dc01"))
    assert caught.value.reason == "no-subscription"


# -- its parts


@pytest.mark.parametrize(
    ("text", "url", "refresh", "issuer"),
    [
        ("https://gw.contoso.example", "https://gw.contoso.example:5986/wsman/SubscriptionManager/WEC", 60, ""),
        ("Server=HTTP://gw:5985/tier0/WEC,Refresh=900", "http://gw:5985/tier0/WEC", 900, ""),
        (f"server=https://gw:1/x, REFRESH=5 ,IssuerCA={'Aa' * 20}", "https://gw:1/x", 5, "aa" * 20),
        ("https://gw:5986/a=b,c", "https://gw:5986/a=b,c", 60, ""),
    ],
)
def test_a_policy_string_is_read(text: str, url: str, refresh: float, issuer: str) -> None:
    manager = parse_manager(text)
    assert (str(manager.url), manager.refresh, manager.issuer) == (url, refresh, issuer)


@pytest.mark.parametrize(
    "text", ["", "gw:5986", "ftp://gw", "Server=,Refresh=1", "Server=https://gw,Refresh=0", "Server=https://gw,IssuerCA=12", "Server=https://gw,Color=red"]
)
def test_what_is_no_policy_string_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_manager(text)


LOGGED = Logged(0, 1, "4728", "Microsoft-Windows-Security-Auditing", 4, b"")


@pytest.mark.parametrize(
    ("xpath", "wanted"),
    [
        ("*", True),
        ("*[System]", True),
        ("*[System[EventID=4728]]", True),
        ("*[System[(EventID=4726 or EventID=4728)]]", True),
        ("*[System[EventID=4726 or EventID=4729]]", False),
        ("*[System[(EventID >= 4727 and EventID <= 4730)]]", True),
        ("*[System[EventID > 4728 or Level < 4]]", False),
        ("*[System[EventID!=4728]]", False),
        ("*[System[Provider[@Name='Microsoft-Windows-Security-Auditing'] and EventID=4728]]", True),
        ('*[System[Provider[@Name="Other" or @Name="Service Control Manager"]]]', False),
        ("\n *[ System [ ( ( Level=4 or Level=0 ) ) and EventID = 4728 ] ]\t", True),
    ],
)
def test_xpath_of_events(xpath: str, wanted: bool) -> None:  # noqa: FBT001 - a table's column
    assert parse_select(xpath)(LOGGED) is wanted


@pytest.mark.parametrize(
    "xpath",
    [
        "",
        "Event",
        "*[EventData[Data='x']]",
        "*[System[EventID=]]",
        "*[System[EventID='4728']]",
        "*[System[Band=1]]",
        "*[System[EventID=1",
        "*[System[EventID=1]] or *",
        f"*[System[{' or '.join(f'EventID={number}' for number in range(33))}]]",
        f"*[System[{'(' * 5000}EventID=1{')' * 5000}]]",
    ],
)
def test_xpath_beyond_what_is_understood_is_refused(xpath: str) -> None:
    with pytest.raises(MessageError):
        parse_select(xpath)


@given(st.text(st.sampled_from("*[]()=<>!@'\" SystemEventIDorandLevelProviderName0123"), max_size=60))
def test_no_xpath_raises_anything_else(xpath: str) -> None:
    with contextlib.suppress(MessageError):
        parse_select(xpath)(LOGGED)


def test_a_query_that_cannot_be_run_takes_only_itself_down() -> None:
    select = '<Query><Select Path="{0}">{1}</Select><Suppress Path="{0}">*[System[EventID=4726]]</Suppress></Query>'
    text = f"<QueryList>{select.format('Security', '*')}{select.format('System', '*[UserData]')}</QueryList>"
    chosen = make_filter(text.encode())
    assert chosen.channels == ("Security",)
    assert len(chosen.refused) == 1
    assert chosen.wants("SECURITY", LOGGED)
    assert not chosen.wants("Security", LOGGED._replace(event_id="4726"))
    assert not chosen.wants("System", LOGGED)


@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"), max_size=20), st.integers(0, 2**63)
    )
)
def test_a_bookmark_is_read_as_it_was_written(marks: dict[str, int]) -> None:
    assert parse_bookmark(encode_bookmark(marks, next(iter(marks), ""))) == marks


@given(st.lists(st.integers(0, 50), max_size=60), st.integers(0, 60), st.integers(1, 12))
def test_a_log_is_a_ring_with_rising_record_ids(record_ids: list[int], mark: int, capacity: int) -> None:
    log = EventLog(capacity)
    for record_id in record_ids:
        log.append(WindowsEvent(event_id="1", channel="Security", record_id=str(record_id) if record_id else ""))
    channel = log["security"]
    kept = list(channel.read(0))
    assert [logged.serial for logged in kept] == list(range(max(0, len(record_ids) - capacity), len(record_ids)))
    assert all(one.record_id < other.record_id for one, other in pairwise(kept))
    after = list(channel.read(channel.after_record(mark)))
    assert [logged for logged in kept if logged.record_id > mark] == after
