"""Queries: what is written from a profile's keys selects just these, and is read as it was written; XPath by tables."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.wef import TEXTS, WORDS

from pipeline.errors import MessageError
from wire.event import EventKey
from wire.wef.query import IDS_PER_SELECT, MOST_EXPRESSIONS, Query, Selector, build_queries, encode_query_list, parse_query_list, split_by_channel
from wire.wef.xpath import Truth, comparisons, event_ids, parse_xpath, selects

AUDITING, CONTROL = "Microsoft-Windows-Security-Auditing", "Service Control Manager"

KEYS = st.builds(
    EventKey,
    st.sampled_from(["Security", "System", "Microsoft-Windows-NTLM/Operational", 'Odd "channel" & <more>']),
    st.sampled_from([AUDITING, CONTROL, "O'Reilly", "*"]),
    st.integers(0, 65535).map(str) | st.just("*"),
)


def delivered(queries: tuple[Query, ...], key: EventKey) -> Truth:
    found = [selects(parse_xpath(selector.xpath), key) for query in queries for selector in query.selectors if selector.channel == key.channel]
    return max(found, key=lambda truth: truth.value, default=Truth.NO)


@given(st.sets(KEYS, max_size=80), KEYS)
def test_what_is_written_selects_the_keys_and_no_other_id(keys: set[EventKey], other: EventKey) -> None:
    queries = build_queries(keys)
    assert all(delivered(queries, key) is Truth.YES for key in keys)
    if other.event_id != "*" and not any(key.channel == other.channel and key.event_id in (other.event_id, "*") for key in keys):
        assert delivered(queries, other) is Truth.NO
    for query in queries:
        for selector in query.selectors:
            expression = parse_xpath(selector.xpath)
            assert len(event_ids(expression)) <= IDS_PER_SELECT
            assert len(list(comparisons(expression))) <= MOST_EXPRESSIONS
    assert build_queries(sorted(keys, reverse=True)) == queries


@given(st.lists(st.builds(Query, st.lists(st.builds(Selector, WORDS, TEXTS, st.booleans()), min_size=1, max_size=3).map(tuple)), max_size=3))
def test_round_trip(queries: list[Query]) -> None:
    for pretty in (False, True):
        read = parse_query_list(encode_query_list(queries, pretty=pretty).encode())
        assert [[(each.channel, each.xpath, each.suppress) for each in query.selectors] for query in read] == [
            [(each.channel, each.xpath, each.suppress) for each in query.selectors] for query in queries
        ]


@given(st.binary(max_size=200))
def test_arbitrary_octets_raise_nothing_else(octets: bytes) -> None:
    with suppress(MessageError):
        parse_query_list(b"<QueryList><Query><Select Path='a'>%b</Select></Query></QueryList>" % octets)


WRITTEN = {
    "a log of one program": ([EventKey("Security", AUDITING, "4776"), EventKey("Security", AUDITING, "517")], ["*[System[(EventID=517 or EventID=4776)]]"]),
    "a log of many": ([EventKey("System", CONTROL, "7045")], ["*[System[Provider[@Name='Service Control Manager'] and EventID=7045]]"]),
    "a provider with a quote": ([EventKey("System", "O'Reilly", "1")], ['*[System[Provider[@Name="O\'Reilly"] and EventID=1]]']),
    "any provider": ([EventKey("System", "*", "1")], ["*[System[EventID=1]]"]),
    "any ID of a provider": ([EventKey("Security", AUDITING, "*")], [f"*[System[Provider[@Name='{AUDITING}']]]"]),
    "everything": ([EventKey("Security", "*", "*"), EventKey("Security", "*", "1")], ["*"]),
    "21 IDs": (
        [EventKey("Security", AUDITING, str(number)) for number in range(100, 121)],
        [f"*[System[({' or '.join(f'EventID={number}' for number in range(100, 120))})]]", "*[System[EventID=120]]"],
    ),
}


@pytest.mark.parametrize(("keys", "xpaths"), WRITTEN.values(), ids=WRITTEN.keys())
def test_written(keys: list[EventKey], xpaths: list[str]) -> None:
    (query,) = build_queries(keys)
    assert [selector.xpath for selector in query.selectors] == xpaths


def test_split_by_channel_keeps_what_suppresses_beside_what_it_suppresses() -> None:
    text = (
        b'<QueryList><Query Id="0" Path="Security"><Select>*[System[EventID=1]]</Select><Select Path="System">*</Select>'
        b'<Suppress Path="security">*[System[Level=4]]</Suppress></Query><Query Id="1"><Suppress Path="Setup">*</Suppress></Query>'
        b'<Query Id="2"><Select Path="SECURITY">*[System[EventID &lt; 9]]</Select></Query></QueryList>'
    )
    assert [(each.channel, each.text) for each in split_by_channel(parse_query_list(text))] == [
        (
            "Security",
            (
                '<QueryList><Query Id="0"><Select Path="Security">*[System[EventID=1]]</Select><Suppress Path="security">*[System[Level=4]]</Suppress></Query>'
                '<Query Id="1"><Select Path="SECURITY">*[System[EventID &lt; 9]]</Select></Query></QueryList>'
            ),
        ),
        ("System", '<QueryList><Query Id="0"><Select Path="System">*</Select></Query></QueryList>'),
    ]


REFUSED = {
    "no query list": (b"<Subscription/>", "not-a-query-list"),
    "a Select without channel": (b"<QueryList><Query><Select>*</Select></Query></QueryList>", "missing-path"),
    "too long": (b" " * 300_000, "query-too-long"),
    "no XML": (b"<QueryList>", "not-well-formed"),
}


@pytest.mark.parametrize(("octets", "rule"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(octets: bytes, rule: str) -> None:
    with pytest.raises(MessageError) as raised:
        parse_query_list(octets)
    assert raised.value.rule == rule


KEY = EventKey("System", CONTROL, "7045")
XPATHS = {
    "everything": ("*", Truth.YES),
    "an element every event has": ("*[System]", Truth.YES),
    "its ID": ("*[System[EventID=7045]]", Truth.YES),
    "its ID, by a path": ("*[System/EventID = 7045]", Truth.YES),
    "its ID, from the event": ("Event/System[EventID=7045]", Truth.YES),
    "its ID, in other letters": ("event[SYSTEM[eventid=7045]]", Truth.YES),
    "its ID, with a zero": ("*[System[EventID=07045]]", Truth.YES),
    "another ID": ("*[System[EventID=7041]]", Truth.NO),
    "a range": ("*[System[EventID >= 7040 and EventID<=7050]]", Truth.YES),
    "beyond a range": ("*[System[(EventID>7045 or EventID <7045)]]", Truth.NO),
    "all but it": ("*[System[EventID!=7045]]", Truth.NO),
    "its provider": ("*[System[Provider[@Name='service control manager']]]", Truth.YES),
    "its provider, one of two": ('*[System[Provider[@Name="x" or @Name="Service Control Manager"]]]', Truth.YES),
    "another provider": ("*[System[Provider[@Name='x'] and EventID=7045]]", Truth.NO),
    "any provider but one": ("*[System[Provider[@Name!='x']]]", Truth.YES),
    "its channel": ("*[System[Channel='System']]", Truth.YES),
    "both of two": ("*[System[EventID=7045]] and *[System[EventID=1]]", Truth.NO),
    "one of two": ("*[System[EventID=1]] or *[System[EventID=7045]]", Truth.YES),
    "a level besides": ("*[System[EventID=7045 and Level=4]]", Truth.SOMETIMES),
    "a level instead": ("*[System[EventID=7045 or Level=4]]", Truth.YES),
    "another ID, and a level": ("*[System[EventID=1 and Level=4]]", Truth.NO),
    "its data": ("*[System[EventID=7045]] and *[EventData[Data[@Name='ServiceName']='x']]", Truth.SOMETIMES),
    "a bit": ("*[System[band(Keywords,0x80000000)]]", Truth.SOMETIMES),
    "an age": ("*[System[TimeCreated[timediff(@SystemTime) &lt;= 3600]]]".replace("&lt;", "<"), Truth.SOMETIMES),
    "a function nobody knows": ("*[System[not(EventID=7045)]]", Truth.SOMETIMES),
    "the other way round": ("*[System[7045=EventID]]", Truth.SOMETIMES),
    "a star elsewhere": ("*[System[*=7045]]", Truth.SOMETIMES),
    "text for an ID": ("*[System[EventID='x']]", Truth.SOMETIMES),
    "a greater provider": ("*[System[Provider[@Name>'a']]]", Truth.SOMETIMES),
    "words in a name": ("*[System[Provider[@Name='this and that'] or EventID=7045]]", Truth.YES),
}


@pytest.mark.parametrize(("text", "truth"), XPATHS.values(), ids=XPATHS.keys())
def test_xpath(text: str, truth: Truth) -> None:
    assert selects(parse_xpath(text), KEY) is truth


BAD_XPATHS = {
    "nothing": ("", "bad-xpath"),
    "an open bracket": ("*[System[EventID=1]", "bad-xpath"),
    "a bracket too many": ("*[System]]", "bad-xpath"),
    "nothing to compare with": ("*[System[EventID=]]", "bad-xpath"),
    "an open quote": ("*[System[Provider[@Name='x]]]", "bad-xpath"),
    "an operator there isn't": ("*[System[EventID==1]]", "bad-xpath"),
    "arithmetic": ("*[System[EventID=1+1]]", "bad-xpath"),
    "deep": ("(" * 100 + "*" + ")" * 100, "xpath-too-deep"),
    "a long way": ("a/" * 100 + "a", "xpath-too-deep"),
    "long": ("a" * 100_000, "xpath-too-long"),
}


@pytest.mark.parametrize(("text", "rule"), BAD_XPATHS.values(), ids=BAD_XPATHS.keys())
def test_bad_xpath(text: str, rule: str) -> None:
    with pytest.raises(MessageError) as raised:
        parse_xpath(text)
    assert raised.value.rule == rule


WORDS_OF_XPATH = [*" *[]()/@='<>!,", " and ", " or ", "EventID", "System", "7045", "not", "Provider", "Name"]


@given(st.lists(st.sampled_from(WORDS_OF_XPATH), max_size=30).map("".join) | st.text(max_size=30))
def test_arbitrary_xpath_raises_nothing_else(text: str) -> None:
    with suppress(MessageError):
        expression = parse_xpath(text)
        selects(expression, KEY)
        event_ids(expression)


def test_a_long_list_of_ids_is_read_in_full() -> None:
    ids = [str(number) for number in range(4000)]
    expression = parse_xpath("*[System[(" + " or ".join(f"EventID={event_id}" for event_id in ids) + ")]]")
    assert event_ids(expression) == tuple(ids)
    assert selects(expression, EventKey("Security", AUDITING, "3999")) is Truth.YES
