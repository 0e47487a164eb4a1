"""Subscriptions of Windows' own collector: the round trip, where lines are, what is refused."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.wef import FIXTURES, TEXTS, WORDS

from pipeline.errors import MessageError
from wire.wef.collector_subscription import CollectorSubscription, encode_collector_subscription, parse_collector_subscription
from wire.wef.query import Query, Selector

NUMBERS = st.none() | st.integers(0, 10**8)
SUBSCRIPTIONS = st.builds(
    CollectorSubscription,
    id=TEXTS,
    description=TEXTS,
    type=st.sampled_from(["SourceInitiated", "CollectorInitiated"]),
    enabled=st.booleans(),
    mode=st.sampled_from(["Normal", "MinLatency", "MinBandwidth", "Custom"]),
    pull=st.booleans(),
    max_items=NUMBERS,
    max_latency_ms=NUMBERS,
    heartbeat_ms=NUMBERS,
    expires=TEXTS,
    queries=st.lists(st.builds(Query, st.tuples(st.builds(Selector, WORDS, TEXTS, st.booleans()))), max_size=3).map(tuple),
    read_existing=st.booleans(),
    content_format=st.sampled_from(["Events", "RenderedText"]),
    log_file=WORDS,
    allowed_computers=TEXTS,
)


def without_lines(subscription: CollectorSubscription) -> CollectorSubscription:
    queries = tuple(Query(tuple(replace(selector, line=0) for selector in query.selectors)) for query in subscription.queries)
    return replace(subscription, queries=queries, lines=())


@given(SUBSCRIPTIONS)
def test_round_trip(subscription: CollectorSubscription) -> None:
    assert without_lines(parse_collector_subscription(encode_collector_subscription(subscription))) == subscription


@given(st.binary(max_size=200))
def test_arbitrary_octets_raise_nothing_else(octets: bytes) -> None:
    with suppress(MessageError):
        parse_collector_subscription(octets)
    with suppress(MessageError):
        parse_collector_subscription((FIXTURES / "collector-subscription.xml").read_bytes()[: len(octets) * 12] + octets)


WRITTEN = (FIXTURES / "collector-subscription.xml").read_bytes()
QUERY = b'<Query><QueryList><Query Id="0"><Select Path="a">*</Select></Query></QueryList></Query>'
FORMS = {
    "a section": QUERY.replace(b"<QueryList", b"<![CDATA[<QueryList").replace(b"List></Query>", b"List>]]></Query>"),
    "an element": QUERY,
    "escaped": b"<Query>&lt;QueryList>&lt;Query>&lt;Select Path='a'>*&lt;/Select>&lt;/Query>&lt;/QueryList></Query>",
}


@pytest.mark.parametrize("query", FORMS.values(), ids=FORMS.keys())
def test_the_query_in_every_form_has_its_line(query: bytes) -> None:
    octets = b'\n<Subscription\nxmlns="http://schemas.microsoft.com/2006/03/windows/events/subscription">\n%b</Subscription>' % query
    (found,) = parse_collector_subscription(octets).queries
    assert [(selector.channel, selector.xpath, selector.line) for selector in found.selectors] == [("a", "*", 4)]


def test_lines() -> None:
    found = parse_collector_subscription(WRITTEN)
    lines = WRITTEN.decode().splitlines()
    for query in found.queries:
        for selector in query.selectors:
            assert f'Path="{selector.channel}"' in lines[selector.line - 1]
            assert selector.xpath in lines[selector.line - 1]
    assert all(f"<{name}" in lines[line - 1] for name, line in found.lines)
    assert found.line("Expires") == 1


def test_what_is_not_there_has_the_default_of_wecutil() -> None:
    octets = b'<Subscription xmlns="http://schemas.microsoft.com/2006/03/windows/events/subscription">%b</Subscription>' % QUERY
    found = parse_collector_subscription(octets)
    assert (found.type, found.enabled, found.mode, found.read_existing, found.content_format) == ("CollectorInitiated", True, "Normal", False, "RenderedText")
    assert (found.max_items, found.max_latency_ms, found.heartbeat_ms, found.log_file, found.pull) == (None, None, None, "ForwardedEvents", False)


REFUSED = {
    "another document": (b"<html/>", "not-a-subscription"),
    "no namespace": (b"<Subscription>" + QUERY + b"</Subscription>", "not-a-subscription"),
    "no query": (WRITTEN[: WRITTEN.index(b"<Query>")] + b"</Subscription>", "missing-element:Query"),
    "an empty query": (WRITTEN[: WRITTEN.index(b"<Query>")] + b"<Query> </Query></Subscription>", "missing-element:Query"),
    "a query that is none": (WRITTEN[: WRITTEN.index(b"<Query>")] + b"<Query>*</Query></Subscription>", "not-well-formed"),
    "a document type": (b"<!DOCTYPE Subscription>" + WRITTEN[WRITTEN.index(b"<Sub") :], "doctype"),
    "long": (WRITTEN + b" " * 300_000, "query-too-long"),
}


@pytest.mark.parametrize(("octets", "rule"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(octets: bytes, rule: str) -> None:
    with pytest.raises(MessageError) as raised:
        parse_collector_subscription(octets)
    assert raised.value.rule == rule
