"""Plans in the kernel: whatever rows, cases and fills a mapping has, and whatever texts they meet, its records are the reference engine's."""

from __future__ import annotations

import json
from dataclasses import replace

import orjson
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from support.engines import ORIGIN, Engines
from support.events import HOSTILE, SAMPLES, SIDS, WELL_KNOWN_SIDS

import kernel
from normalizers.document import Constant
from normalizers.native_ops import INPUTS, SUFFIXES
from normalizers.native_plan import encode_profile
from normalizers.plan import ANY, Branch, Choice, Fill, Input, OcsfClass, Op, Options, Plan, Row, Test, Uid, Where
from normalizers.profiles import Profile, load_profile
from normalizers.settings import NormalizeSettings
from normalizers.transforms import TESTS, TRANSFORMS
from wire.event import EventKey, WindowsEvent
from wire.event_xml import encode_event
from wire.layouts.layout import Reading

SHIPPED = load_profile("mdi-current")
KEY = EventKey("Security", "Microsoft-Windows-Security-Auditing", "4776")
REST = EventKey(ANY, ANY, ANY)

# ---- the document ----


@pytest.mark.parametrize("settings", [NormalizeSettings(), NormalizeSettings(captions=False, observables=False, tenant_uid="t")], ids=["all", "least"])
def test_every_shipped_plan_is_the_kernels(settings: NormalizeSettings) -> None:
    document = json.loads(encode_profile(SHIPPED, settings, Reading(), keep_all=False))
    left = {tuple(part["key"]) for part in document["plans"] if part["plan"] is None}
    assert not left


def test_two_documents_have_all_plans_between_them() -> None:
    whole, events, packets = (
        json.loads(encode_profile(SHIPPED, NormalizeSettings(), Reading(), keep_all=False, packets=which)) for which in (None, False, True)
    )
    assert events["radius"] is None
    assert packets["radius"] == whole["radius"]
    assert len(events["plans"]) == len(packets["plans"]) == len(whole["plans"])
    assert all((one["plan"] is None) != (other["plan"] is None) for one, other in zip(events["plans"], packets["plans"], strict=True))


@pytest.mark.parametrize("document", [b"", b"{}", b"[]", b"\xff"], ids=["nothing", "no member", "no object", "no JSON"])
def test_another_document_is_refused(document: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        kernel.Normalizer(document)


def test_what_the_kernel_does_not_have_is_refused() -> None:
    document = encode_profile(SHIPPED, NormalizeSettings(), Reading(), keep_all=False)
    for known, unknown in ((b'"image_path"', b'"imagine_path"'), (b'"group_sid"', b'"troop_sid"'), (b'"leaf":3,', b'"leaf":200,')):
        with pytest.raises(ValueError, match=r"."):
            kernel.Normalizer(document.replace(known, unknown))


VALUES = st.lists(st.none() | st.integers(-(2**40), 2**40) | HOSTILE | SIDS, min_size=3, max_size=3)
OPTIONS = Options({"0x1": "one", "a": 1}, "const", 1, 3)


@given(st.sampled_from(sorted(SUFFIXES)), VALUES)
def test_transforms_write_what_the_document_says(name: str, values: list[str | int | None]) -> None:
    written = TRANSFORMS[name](values[: max(2, INPUTS.get(name, 1))], OPTIONS)
    assert written is None or written.keys() <= set(SUFFIXES[name])


# ---- plans of any shape ----

NAMES = ["A", "B", "C", "Dd", "Name With Space"]
ENVELOPE = ["TimeMs", "TimeText", "TimeOffset", "TimeExact", "EventID", "Computer", "RecordID", "Level", "Keywords", "UserID", "ActivityID", "Unknown"]
PATHS = ["user", "user.name", "user.uid", "a", "a.b", "a.b_id", "a.c.d", "status_id", "time", "message", "metadata.labels", "metadata.debug", "activity_name"]
PATHS += ["unmapped.A", "unmapped.X", "device.hostname", "device", "observables", "class_uid", "severity", "metadata.event_code"]
TEXTS = [
    "",
    "-",
    " ",
    "N/A",
    "%%1793",
    " %%12 ",
    "%%",
    "x$",
    "D\\n",
    "\\\\h",
    "S-1-5-18",
    "%{s-1-5-21-1-2-500}",
    "S-1-0-0",
    "0x0",
    "0xC0000064",
    "-1",
    "4294967296",
]
TEXTS += [
    "CN=a\\,b,DC=x,DC=y",
    "CN=a+OU=b,DC=\\c3\\a4",
    "cn=\\ff,1.2=x",
    "CN=a+b,DC=",
    "::1%eth0",
    "10.0.0.1",
    "010.0.0.1",
    "1::",
    "1:2:3:4:5:6:7::",
    "::ffff:1.2.3.4",
]
TEXTS += [
    '"C:\\a b\\c.exe" -k',
    "C:\\x y\\z.EXE -k",
    "\\??\\a.sysx b",
    '""',
    "/",
    "{AB-c}",
    "{\u00c4}",
    "one two\tthree",
    "audit success",
    "0x8020000000000000",
    "\u00e4\u20ac\U0001f600",
]
CONSTANTS: st.SearchStrategy[Constant] = st.sampled_from(["k", "", 0, 7, True, ["l", "m"], [{"b": "1", "a": "2"}]])
TABLE = {"-1": "minus", "x$": 4, "0x0": "zero", "4": "Four", "": "empty", "0xc0000064": "gone", "audit success": 1}

INPUT_OF = st.one_of(
    st.builds(Input, st.sampled_from([Where.PAYLOAD, Where.PEEKED]), st.sampled_from(NAMES)),
    st.builds(Input, st.just(Where.ENVELOPE), st.sampled_from(ENVELOPE)),
    st.builds(Input, st.just(Where.WRITTEN), st.sampled_from(PATHS)),
)
SOME_PATHS = st.lists(st.sampled_from(PATHS), max_size=2).map(tuple)


@st.composite
def rows(draw: st.DrawFn) -> Row:
    names = draw(st.lists(st.sampled_from(sorted(SUFFIXES)), min_size=1, max_size=2))
    least = max(INPUTS.get(name, 1) for name in names)
    options = Options(draw(st.sampled_from([{}, TABLE])), draw(st.none() | CONSTANTS), draw(st.integers(0, 9)), draw(st.integers(0, 9)))
    inputs = draw(st.lists(INPUT_OF, min_size=least, max_size=3))
    return Row(tuple(TRANSFORMS[name] for name in names), tuple(inputs), draw(st.sampled_from(PATHS)), draw(SOME_PATHS), options)


FILLS = st.builds(
    Fill,
    SOME_PATHS,
    st.sampled_from(["", "user", "a"]),
    st.sampled_from(["", "user.name", "time"]),
    st.dictionaries(st.sampled_from(PATHS), CONSTANTS, max_size=2),
)
NATIVE_TESTS: list[Test] = [TESTS["group_sid"], TESTS["in"]]


def choices(ops: st.SearchStrategy[Op]) -> st.SearchStrategy[Choice]:
    branch = st.builds(
        Branch,
        st.none() | st.sampled_from(NATIVE_TESTS),
        INPUT_OF,
        st.just(("x$", "4")),
        st.none() | st.sampled_from([1, 2]),
        st.lists(ops, max_size=3).map(tuple),
    )
    return st.builds(Choice, st.lists(branch, min_size=1, max_size=3).map(tuple))


OPS: st.SearchStrategy[Op] = st.one_of(rows(), FILLS, choices(st.one_of(rows(), FILLS)))
WAYS = [
    Uid(("'a", "@payload", "@Computer|lower", "=time|seconds", "A", "=user.name/@UserID", "=time|tens"), None, weak=True),
    Uid(("'b", "@RecordID", "=time|seconds", "@TimeExact", "@EventID|seconds"), Input(Where.ENVELOPE, "RecordID"), weak=False),
]


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    return Plan(
        key=KEY,
        ocsf_class=OcsfClass(3002, 3, "Identity & Access Management", "Authentication", {0: "Unknown", 1: "Logon", 2: 'Log"off"'}),
        activity=draw(st.sampled_from([None, 0, 1])),
        message=draw(st.sampled_from(["", "Text."])),
        const=draw(st.dictionaries(st.sampled_from(PATHS), CONSTANTS, max_size=3)),
        ops=tuple(draw(st.lists(OPS, max_size=8))),
        uids=draw(st.sampled_from([(WAYS[0],), (WAYS[1], WAYS[0])])),
        missing=frozenset(draw(st.sampled_from([("-",), ("-", "N/A", "a longer text for nothing")]))),
        mapped=frozenset(draw(st.lists(st.sampled_from(NAMES)))),
    )


def events() -> st.SearchStrategy[WindowsEvent]:
    text = st.sampled_from(TEXTS) | st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=12) | WELL_KNOWN_SIDS
    return st.builds(
        lambda data, computer, record, level, keywords, user: replace(
            SAMPLES["4776"], data=tuple(data), computer=computer, record_id=record, level=level, keywords=keywords, user_sid=user
        ),
        st.lists(st.tuples(st.sampled_from([*NAMES, "Other", "\u00e4", "zz"]), text), max_size=8),
        text,
        st.sampled_from(["", "12"]),
        text,
        text,
        text,
    )


@given(plans(), st.lists(events(), min_size=1, max_size=3), st.builds(NormalizeSettings, observables=st.booleans(), captions=st.booleans()))
def test_a_plan_of_any_shape(plan: Plan, found: list[WindowsEvent], settings: NormalizeSettings) -> None:
    captions = {**SHIPPED.plans.captions, "a.b_id": {1: "one", 7: "seven"}}
    observables = (*SHIPPED.plans.observables, ("a.b", 4), ("message", 4))
    every = replace(SHIPPED.plans, captions=captions, observables=observables, by_key={REST: SHIPPED.plans.by_key[REST], KEY: plan})
    engines = Engines(Profile("any", frozenset([KEY]), every), settings)
    messages = [encode_event(event) for event in found]
    try:
        for message in messages:
            engines.reference.explain(message, ORIGIN)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, orjson.JSONEncodeError):
        assume(False)  # a mapping that contradicts itself is nobody's
    engines.agree(messages)
