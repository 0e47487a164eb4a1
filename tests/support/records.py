"""OCSF records for whoever encodes them: the fixtures', generated events', hostile ones and such that no mapping would make.

`hostile` has every text of a good record replaced by what an attacker would write into an account's name; `broken` keeps OCSF's names and
puts anything below them.
"""

from __future__ import annotations

import json
from array import array
from pathlib import Path
from typing import Any, Final

import orjson
from hypothesis import strategies as st
from support.required_events import required_events

from normalizers.normalizer import Normalizer
from pipeline.model import Frames, Origin, Transport
from wire import event_xml
from wire.event import WindowsEvent

FIXTURES: Final = Path(__file__).parents[2] / "fixtures"
ORIGIN: Final = Origin("listeners.wef", Transport.HTTPS, "dc01.contoso.example", 1_700_000_000_000_000_000)
NORMALIZER: Final = Normalizer("mdi-current", keep_all=True)

Record = dict[str, Any]

NAMES: Final = tuple(sorted(f"{path.parent.name}/{path.stem}" for folder in ("events", "radius") for path in (FIXTURES / folder).glob("*.json")))
"""`events/4728`, `radius/asa-stop`: every record among the fixtures."""


def fixture_record(name: str) -> Record:
    record: Record = json.loads((FIXTURES / f"{name}.json").read_bytes())
    return record


fixture_records: Final = st.sampled_from(NAMES).map(fixture_record)


def record_of(event: WindowsEvent) -> Record:
    message = event_xml.encode_event(event)
    batch = NORMALIZER.normalize(Frames(message, array("I", (0, len(message))), ORIGIN))
    record: Record = orjson.loads(batch.records)
    return record


good: Final = st.one_of(fixture_records, required_events().map(record_of))

BREAKERS: Final = (
    "\r",
    "\n",
    "\r\n",
    "\x85",
    "\u2028",
    "\u2029",
    "\v",
    "\f",
    "\x1c",
    "\x1e",
    "\t",
    "\0",
    "\x1b",
    "=",
    "|",
    "\\",
    "\\n",
    "\\=",
    "\\|",
    "^",
    " suser=root",
    "\nCEF:0|x|y|1|1|n|1|suser=root",
    "\tusrName=root",
    "\nLEEF:2.0|x|y|1|1|x09|usrName=root",
    '"',
    "'",
    "{",
    "ä",
    "\u00a0",
    "\ud800",
    "\U0001f511",
    "a",
    " ",
)
hostile_texts: Final = st.lists(st.sampled_from(BREAKERS), min_size=1, max_size=6).map("".join)


def _replaced(node: Any, draw: st.DrawFn) -> Any:
    if isinstance(node, dict):
        return {key: _replaced(item, draw) for key, item in node.items()}
    if isinstance(node, list):
        return [_replaced(item, draw) for item in node]
    return draw(hostile_texts) if isinstance(node, str) and draw(st.booleans()) else node


@st.composite
def hostile(draw: st.DrawFn) -> Record:
    record: Record = _replaced(draw(fixture_records), draw)
    record["unmapped"] = draw(st.dictionaries(hostile_texts, st.one_of(hostile_texts, st.lists(hostile_texts, max_size=3)), max_size=4))
    return record


_ANYTHING: Final = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), hostile_texts),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(("name", "uid", "ip", "debug", "x.y")), inner, max_size=3)),
    max_leaves=6,
)


def _broken(node: Any, draw: st.DrawFn) -> Any:
    if draw(st.integers(0, 9)) == 0:
        return draw(_ANYTHING)
    if isinstance(node, dict):
        return {key: _broken(item, draw) for key, item in node.items()}
    return node


@st.composite
def broken(draw: st.DrawFn) -> Record:
    record = draw(fixture_records)
    return {key: _broken(item, draw) for key, item in record.items()}
