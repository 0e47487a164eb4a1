"""The QueryList of a subscription: written from event keys, read, and split by channel ([MS-EVEN6] section 2.2.16, the winevt query schema).

    <QueryList>
      <Query Id="0">
        <Select Path="Security">*[System[(EventID=4726 or EventID=4728)]]</Select>
        <Suppress Path="Security">...</Suppress>
      </Query>
    </QueryList>

A query selects what any of its Selects does and none of its Suppresses; a list, what any of its queries does. A Select is documented for 32 expressions,
and collectors report silence past 22 event IDs: none written here names more than 20. In logs that many programs write to, an ID alone says nothing, so
there the provider is named too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from pipeline.errors import MessageError
from wire.event import EventKey
from wire.wef.envelope import BLANK, Element, parse_document
from wire.wef.spelling import attribute, escape
from wire.wef.xpath import ANY

DOCUMENT: Final = "[MS-EVEN6] section 2.2.16"
IDS_PER_SELECT: Final = 20
MOST_IDS: Final = 22
"""Past which sources have been reported to deliver nothing."""
MOST_EXPRESSIONS: Final = 32
MAX_QUERY: Final = 256 * 1024
SHARED_LOGS: Final = frozenset({"Application", "Setup", "System"})


@dataclass(frozen=True, slots=True)
class Selector:
    """A Select or a Suppress.

    channel:   its Path, or its Query's.
    xpath:     its text.
    suppress:  whether it is a Suppress.
    line:      where it stands, from 1; 0 where it was never read.
    """

    channel: str
    xpath: str
    suppress: bool = False
    line: int = 0


@dataclass(frozen=True, slots=True)
class Query:
    """Selectors that belong together: a Suppress holds for the Selects beside it."""

    selectors: tuple[Selector, ...]


@dataclass(frozen=True, slots=True)
class ChannelQuery:
    """What one channel is asked for: the query of one Windows subscription.

    channel:  its name.
    text:     a QueryList element.
    """

    channel: str
    text: str


def build_queries(keys: Iterable[EventKey]) -> tuple[Query, ...]:
    """The queries that deliver events of these keys, one for each channel, in the order of the channels' names.

    Args:
        keys: as a profile has them; `*` stands for any provider or ID.
    """
    channels: dict[str, list[EventKey]] = {}
    for key in sorted(set(keys)):
        channels.setdefault(key.channel, []).append(key)
    return tuple(Query(tuple(Selector(channel, xpath) for xpath in _xpaths(channel, wanted))) for channel, wanted in channels.items())


def _xpaths(channel: str, keys: Iterable[EventKey]) -> Iterator[str]:
    named: dict[str, set[str]] = {}
    for key in keys:
        provider = key.provider if channel in SHARED_LOGS or key.event_id == ANY else ANY
        named.setdefault(provider, set()).add(key.event_id)
    for provider, found in named.items():
        source = "" if provider == ANY else f"Provider[@Name={_quoted(provider)}]"
        if ANY in found:
            yield f"*[System[{source}]]" if source else "*"
            continue
        ids = sorted(found, key=lambda event_id: (len(event_id), event_id))
        for start in range(0, len(ids), IDS_PER_SELECT):
            tests = [f"EventID={event_id}" for event_id in ids[start : start + IDS_PER_SELECT]]
            either = tests[0] if len(tests) == 1 else f"({' or '.join(tests)})"
            yield f"*[System[{source} and {either}]]" if source else f"*[System[{either}]]"


def _quoted(text: str) -> str:
    return f'"{text}"' if "'" in text else f"'{text}'"


def encode_query_list(queries: Iterable[Query], *, pretty: bool = False) -> str:
    """A QueryList element, on one line or for a person."""
    lines = ["<QueryList>"]
    for number, query in enumerate(queries):
        lines.append(f'  <Query Id="{number}">')
        for selector in query.selectors:
            name = "Suppress" if selector.suppress else "Select"
            lines.append(f'    <{name} Path="{attribute(selector.channel)}">{escape(selector.xpath)}</{name}>')
        lines.append("  </Query>")
    lines.append("</QueryList>")
    return "\n".join(lines) if pretty else "".join(line.lstrip() for line in lines)


def parse_query_list(octets: bytes, line: int = 0) -> tuple[Query, ...]:
    """Read a QueryList document in UTF-8.

    Args:
        octets: the document.
        line: lines before it, where it stands in another one.

    Raises:
        MessageError: as `wire.wef.envelope.parse_document`, query-too-long, not-a-query-list, missing-path.
    """
    if len(octets) > MAX_QUERY:
        raise MessageError("query-too-long", document=DOCUMENT, detail=f"{len(octets)} octets, at most {MAX_QUERY}")
    return read_query_list(parse_document(octets).root, line)


def read_query_list(root: Element, line: int = 0) -> tuple[Query, ...]:
    """The same from a document that was read.

    Args:
        root: its root.
        line: lines before it, where it is part of another document.
    """
    if root.name != "QueryList":  # of whatever namespace: unquoted in a subscription it has the subscription's
        raise MessageError("not-a-query-list", document=DOCUMENT, detail=root.name[:40])
    queries = (Query(tuple(_selectors(child, line))) for child in root.children if child.name == "Query")
    return tuple(query for query in queries if query.selectors)


def _selectors(query: Element, line: int) -> Iterator[Selector]:
    for child in query.children:
        if child.name in ("Select", "Suppress"):
            channel = child.attributes.get("Path", "") or query.attributes.get("Path", "")
            if not channel:
                raise MessageError("missing-path", document=DOCUMENT, detail=f"line {line + child.line}")
            yield Selector(channel, child.text.strip(BLANK), child.name == "Suppress", line + child.line)


def split_by_channel(queries: Iterable[Query]) -> tuple[ChannelQuery, ...]:
    """What each channel is asked for, in the order in which channels are first named; channels' names are compared without regard to case."""
    names: dict[str, str] = {}
    parts: dict[str, list[Query]] = {}
    for query in queries:
        mine: dict[str, list[Selector]] = {}
        for selector in query.selectors:
            folded = selector.channel.lower()
            names.setdefault(folded, selector.channel)
            mine.setdefault(folded, []).append(selector)
        for folded, selectors in mine.items():
            if any(not selector.suppress for selector in selectors):
                parts.setdefault(folded, []).append(Query(tuple(selectors)))
    return tuple(ChannelQuery(names[folded], encode_query_list(found)) for folded, found in parts.items())
