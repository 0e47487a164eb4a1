"""LEEF syntax: a table of messages, the round trip, and arbitrary text."""

from __future__ import annotations

import string
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import MessageError
from wire.leef import LeefMessage, encode_leef, parse_leef

HEAD_1, HEAD_2 = "LEEF:1.0|Microsoft|Windows|10|4776|", "LEEF:2.0|Microsoft|Windows|10|4776|"
TWO = (("usrName", "alice"), ("src", "192.0.2.1"))

CASES = {
    "version 1, TAB": (HEAD_1 + "usrName=alice\tsrc=192.0.2.1", "\t", TWO, False),
    "version 2, no delimiter field": (HEAD_2 + "usrName=alice\tsrc=192.0.2.1", "\t", TWO, False),
    "version 2, empty delimiter field": (HEAD_2 + "|usrName=alice\tsrc=192.0.2.1", "\t", TWO, False),
    "version 2, character": (HEAD_2 + "^|usrName=alice^src=192.0.2.1", "^", TWO, False),
    "version 2, x5E": (HEAD_2 + "x5E|usrName=alice^src=192.0.2.1", "^", TWO, False),
    "version 2, 0x5E": (HEAD_2 + "0x5E|usrName=alice^src=192.0.2.1", "^", TWO, False),
    "version 2, x0009": (HEAD_2 + "x0009|usrName=alice\tsrc=192.0.2.1", "\t", TWO, False),
    "version 2, 0x09": (HEAD_2 + "0x09|usrName=alice\tsrc=192.0.2.1", "\t", TWO, False),
    "version 2, delimiter ;": (HEAD_2 + ";|usrName=alice;src=192.0.2.1", ";", TWO, False),
    "version 1 between carets": (HEAD_1 + "usrName=alice^src=192.0.2.1", "^", TWO, True),
    "version 1 between pipes": (HEAD_1 + "usrName=alice|src=192.0.2.1", "|", TWO, True),
    "TAB as rsyslog escapes it": (HEAD_1 + "usrName=alice#011src=192.0.2.1", "#011", TWO, True),
    "TAB as documents print it": (HEAD_1 + "usrName=alice<009>src=192.0.2.1", "<009>", TWO, True),
    "TAB as two characters": (HEAD_1 + "usrName=alice\\tsrc=192.0.2.1", "\\t", TWO, True),
    "= within a value": (HEAD_1 + "cmd=a=b=c\tsrc=", "\t", (("cmd", "a=b=c"), ("src", "")), False),
    "delimiter within a value": (HEAD_1 + "msg=one\ttwo\tsrc=x", "\t", (("msg", "one\ttwo"), ("src", "x")), False),
    "repeated keys": (HEAD_1 + "a=1\ta=2", "\t", (("a", "1"), ("a", "2")), False),
    "backslash at the end": (HEAD_1 + "a=1\\\\", "\t", (("a", "1\\\\"),), False),
    "no attributes": (HEAD_1, "\t", (), False),
    "trailing line end": (HEAD_1 + "a=1\r\n", "\t", (("a", "1"),), False),
    "^ in the only value": (HEAD_1 + "a=1^2", "\t", (("a", "1^2"),), False),
}

REFUSED = {
    "version 3": ("LEEF:3.0|a|b|c|d|x=1", "leef-version"),
    "no version": ("LEEF:|a|b|c|d|x=1", "leef-version"),
    "missing pipes": ("LEEF:1.0|a|b|c", "leef-header"),
    "an escaped pipe is none": ("LEEF:1.0|a|b|c|d\\|x=1", "leef-header"),
    "delimiter =": (HEAD_2 + "=|a=1", "leef-delimiter"),
    "delimiter = in hex": (HEAD_2 + "x3D|a=1", "leef-delimiter"),
    "delimiter a letter": (HEAD_2 + "a|b=1", "leef-delimiter"),
    "delimiter beyond ASCII": (HEAD_2 + "x20AC|b=1", "leef-delimiter"),
    "too many attributes": (HEAD_1 + "a=1\t" * 300, "too-many-keys"),
}


@pytest.mark.parametrize(("text", "delimiter", "attributes", "repaired"), CASES.values(), ids=CASES.keys())
def test_messages(text: str, delimiter: str, attributes: tuple[tuple[str, str], ...], *, repaired: bool) -> None:
    message = parse_leef(text)
    assert (message.vendor, message.product, message.product_version, message.event_id) == ("Microsoft", "Windows", "10", "4776")
    assert (message.delimiter, message.attributes, message.repaired) == (delimiter, attributes, repaired)


@pytest.mark.parametrize(("text", "rule"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(text: str, rule: str) -> None:
    with pytest.raises(MessageError) as error:
        parse_leef(text)
    assert error.value.rule == rule


FIELDS = st.text(string.ascii_letters + " |.", max_size=8)
VALUES = st.text(string.ascii_letters + " =|\\#0", max_size=12)
KEYS = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,10}", fullmatch=True)
MESSAGES = st.builds(
    LeefMessage,
    version=st.just("2.0"),
    vendor=FIELDS,
    product=FIELDS,
    product_version=FIELDS,
    event_id=FIELDS,
    delimiter=st.sampled_from("\t^;~"),
    attributes=st.lists(st.tuples(KEYS, VALUES), max_size=6).map(tuple),
)


@given(MESSAGES)
def test_round_trip(message: LeefMessage) -> None:
    if message.delimiter == "\t" and len(message.attributes) == 1:  # nothing shows what stands between attributes
        return
    assert parse_leef(encode_leef(message)) == message


@given(MESSAGES, st.text(max_size=10))
def test_a_value_never_forges_an_attribute_or_a_line(message: LeefMessage, value: str) -> None:
    forged = LeefMessage(vendor="a", product="b", event_id="1", delimiter=message.delimiter, attributes=(("x", f"{value}{message.delimiter}y=1\n"), ("z", "1")))
    assert [key for key, _ in parse_leef(encode_leef(forged)).attributes] == ["x", "z"]
    assert "\n" not in encode_leef(forged)


@given(st.one_of(st.text(max_size=100), st.text("LEF:.0123|=^x\t \\", max_size=60).map(lambda text: "LEEF:2.0|" + text)))
def test_arbitrary_text_raises_message_errors_only(text: str) -> None:
    with suppress(MessageError):
        parse_leef(text)
