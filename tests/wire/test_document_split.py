"""Events found in documents of many: a table of documents, each whole and cut anywhere, with the same result."""

from __future__ import annotations

from collections.abc import Callable

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.document_split import Split, scan_events, scan_objects

LIMIT = 2000
Scan = Callable[..., Split]

ONE = b"<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><EventID>1</EventID></System></Event>"
TWO = b'<Event><System/><UserData><Event xmlns="other"><Inner>x</Inner></Event></UserData></Event>'
BROKEN = b"<Event><System><EventID>1</EventID></System><EventData><Data>cut"
PREFIXED = b"<e:Event xmlns:e='x'><e:System/></e:Event>"
SCRIPTED = b"<Event><System/><EventData><Data><![CDATA[</Event> <Event>]]></Data><!-- </Event> --></EventData></Event>"

DOCUMENTS = [
    pytest.param(ONE, [ONE], 0, id="one event"),
    pytest.param(b"<?xml version='1.0'?>\n<Events>\n" + ONE + b"\n" + TWO + b"</Events>\n", [ONE, TWO], 0, id="Event Viewer's wrapper"),
    pytest.param(ONE + TWO + ONE, [ONE, TWO, ONE], 0, id="no root"),
    pytest.param(b"<?xml version='1.0'?>" + ONE + b"\r\n<?xml version='1.0'?>" + ONE, [ONE, ONE], 0, id="a declaration each"),
    pytest.param(b"\xef\xbb\xbf" + ONE + b"\x00\x00", [ONE], 0, id="byte order mark and NUL padding"),
    pytest.param(TWO, [TWO], 0, id="an Event inside UserData is part of its event"),
    pytest.param(PREFIXED + ONE, [PREFIXED, ONE], 0, id="a namespace prefix"),
    pytest.param(SCRIPTED + ONE, [SCRIPTED, ONE], 0, id="CDATA and comments hide tags"),
    pytest.param(b"<!-- saved <Event> --><Events>" + ONE + b"</Events>", [ONE], 0, id="a comment is no event"),
    pytest.param(BROKEN + ONE, [BROKEN, ONE], 0, id="an event never closed ends where the next begins"),
    pytest.param(ONE + BROKEN, [ONE, BROKEN], 0, id="an event never closed at the end"),
    pytest.param(ONE + b"garbage" + ONE, [ONE, ONE], 7, id="octets between events are counted"),
    pytest.param(b"<EventLog>" + ONE, [ONE], 10, id="a longer name is no event"),
    pytest.param(b"<Event/>" + ONE, [b"<Event/>", ONE], 0, id="an empty element"),
    pytest.param(b"", [], 0, id="nothing"),
]

ARRAYS = [
    pytest.param(b'[{"a": 1}, {"b": {"c": "}"}}]', [b'{"a": 1}', b'{"b": {"c": "}"}}'], 0, id="array"),
    pytest.param(b'[\n  {\n    "a": "\\"{"\n  }\n]\n', [b'{\n    "a": "\\"{"\n  }'], 0, id="printed, with a quote inside"),
    pytest.param(b'{"a":1}{"b":2}\n{"c":3}', [b'{"a":1}', b'{"b":2}', b'{"c":3}'], 0, id="one after the other"),
    pytest.param(b"[]", [], 0, id="empty array"),
    pytest.param(b'[{"a": 1}', [b'{"a": 1}'], 0, id="array never closed"),
    pytest.param(b'[{"a": 1}, {"b"', [b'{"a": 1}', b'{"b"'], 0, id="object never closed"),
]


def feed(scan: Scan, pieces: list[bytes]) -> tuple[list[bytes], int]:
    found, stray, buffer, passing = [], 0, b"", (0, False)
    for at, piece in enumerate([*pieces, b""]):
        buffer += piece
        split = scan(buffer, LIMIT, last=at == len(pieces), passing=passing)
        passing = split.passing
        found += [buffer[start:end] for start, end in zip(split.spans[::2], split.spans[1::2], strict=True)]
        stray += split.stray
        buffer = buffer[split.consumed :]
        assert len(buffer) <= LIMIT + 2000
    assert buffer == b""
    return found, stray


@pytest.mark.parametrize(("document", "events", "stray"), DOCUMENTS)
def test_events_are_found_however_the_document_is_cut(document: bytes, events: list[bytes], stray: int) -> None:
    assert feed(scan_events, [document]) == (events, stray)
    assert feed(scan_events, [bytes([octet]) for octet in document]) == (events, stray)
    for at in range(0, len(document), 7):
        assert feed(scan_events, [document[:at], document[at:]]) == (events, stray)


@pytest.mark.parametrize(("document", "events", "stray"), ARRAYS)
def test_objects_are_found_however_the_document_is_cut(document: bytes, events: list[bytes], stray: int) -> None:
    assert feed(scan_objects, [document]) == (events, stray)
    assert feed(scan_objects, [bytes([octet]) for octet in document]) == (events, stray)


@pytest.mark.parametrize(
    ("scan", "long", "behind"),
    [
        pytest.param(scan_events, b"<Event><System/>" + b"x" * 9000 + b"</Event>", ONE, id="xml"),
        pytest.param(scan_objects, b'{"a": "' + b"x" * 9000 + b'"}', b'{"b":1}', id="json"),
    ],
)
def test_event_beyond_the_limit_is_handed_on_cut_and_the_next_is_found(scan: Scan, long: bytes, behind: bytes) -> None:
    for pieces in ([long + behind], [(long + behind)[at : at + 500] for at in range(0, len(long + behind), 500)]):
        found, _ = feed(scan, pieces)
        assert long[: LIMIT + 1] in found
        assert behind in found


@given(st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=3), max_size=6), st.integers(1, 40))
def test_any_json_array_comes_apart(values: list[dict[str, str]], size: int) -> None:
    document = orjson.dumps(values)
    found, stray = feed(scan_objects, [document[at : at + size] for at in range(0, len(document), size)])
    assert [orjson.loads(text) for text in found] == values
    assert stray == 0


TOKENS = [b"<Event", b">", b"<Event>", b"</Event>", b"<System>", b"<!--", b"-->", b"<![CDATA[", b"]]>", b"'", b'"', b"{", b"}", b"\\", b"x", b" ", b"<Events>"]


@given(st.one_of(st.binary(max_size=400), st.lists(st.sampled_from(TOKENS), max_size=80).map(b"".join)), st.integers(1, 60))
def test_arbitrary_octets_only_end(octets: bytes, size: int) -> None:
    for scan in (scan_events, scan_objects):
        buffer, passing = b"", (0, False)
        for at in range(0, len(octets) + size, size):
            buffer += octets[at : at + size]
            split = scan(buffer, 100, last=at >= len(octets), passing=passing)
            passing = split.passing
            assert 0 <= split.consumed <= len(buffer)
            assert list(split.spans) == sorted(split.spans)
            buffer = buffer[split.consumed :]
        assert buffer == b""


@pytest.mark.parametrize("piece", [b"<", b"<Event ", b"<Event>", b"<!--", b'{"', b"[", b"<Event><System>", b'"\\', b"<?xml "])
def test_hostile_documents_cost_linear_time(piece: bytes) -> None:
    octets = piece * (1_000_000 // len(piece))
    for scan in (scan_events, scan_objects):
        buffer, passing = b"", (0, False)
        for at in range(0, len(octets), 65_536):
            buffer += octets[at : at + 65_536]
            split = scan(buffer, 65_536, last=False, passing=passing)
            passing = split.passing
            buffer = buffer[split.consumed :]
            assert len(buffer) <= 2 * 65_536 + 4096
