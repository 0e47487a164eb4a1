"""CEF syntax: a table of messages as products write them, the round trip, and what no octets may do."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import MessageError
from wire.cef import MAX_KEYS, CefMessage, encode_cef, parse_cef

HEAD: Final = "CEF:0|Contoso|Guard|1.0|100|stopped|10|"

#   extension, pairs, why
EXTENSIONS: Final = [
    ("", (), "none"),
    (" ", (), "white space alone"),
    ("src=192.0.2.1 dst=192.0.2.2", (("src", "192.0.2.1"), ("dst", "192.0.2.2")), "two"),
    (" src=192.0.2.1", (("src", "192.0.2.1"),), "a space after the header"),
    ("msg=two words cs1Label=Reason or Error Code", (("msg", "two words"), ("cs1Label", "Reason or Error Code")), "values with spaces"),
    ("msg=a  x=1", (("msg", "a "), ("x", "1")), "two spaces: one is the value's"),
    ("cs1= cs1Label=Foo", (("cs1", ""), ("cs1Label", "Foo")), "a key without value"),
    ("request=https://x/?a=b&c=d x=1", (("request", "https://x/?a=b&c=d"), ("x", "1")), "= unescaped in a value"),
    ("duser=CN\\=Eve\\\\, Adams,OU\\=Staff", (("duser", "CN=Eve\\, Adams,OU=Staff"),), "= and backslash escaped"),
    ("msg=a\\nb\\rc", (("msg", "a\nb\rc"),), "line breaks escaped"),
    ("path=C:\\Users x=\\", (("path", "C:\\Users"), ("x", "\\")), "backslashes that escape nothing"),
    ("a=1 a=2", (("a", "1"), ("a", "2")), "a key twice"),
    ("ad.field[0]=x ad.Error_,Code=3", (("ad.field[0]", "x"), ("ad.Error_,Code", "3")), "keys as seen in the wild"),
    ("msg=a|b\\|c", (("msg", "a|b|c"),), "pipes, needlessly escaped or not"),
]


@pytest.mark.parametrize(("extension", "pairs"), [case[:2] for case in EXTENSIONS], ids=[case[2] for case in EXTENSIONS])
def test_extensions(extension: str, pairs: tuple[tuple[str, str], ...]) -> None:
    assert parse_cef(HEAD + extension).extension == pairs


def test_header_fields_are_unescaped() -> None:
    message = parse_cef("CEF:0|a\\|b|c\\\\d||e\\f|g|Low|x=1")
    assert message == CefMessage("0", "a|b", "c\\d", "", "e\\f", "g", "Low", (("x", "1"),))


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        pytest.param("LEEF:1.0|", "missing-field:Version", id="another format"),
        pytest.param("CEF:", "missing-field:Version", id="nothing follows"),
        pytest.param("CEF:0|a|b|c|d", "missing-field:Signature-ID", id="the header ends early"),
        pytest.param("CEF:0|a|b|c|d|e|f\\|x=1", "missing-field:Severity", id="the last pipe is escaped"),
        pytest.param("CEF:0|a|b|c|d|e|f\\", "missing-field:Severity", id="ends in a backslash"),
        pytest.param(HEAD + "no pairs at all", "bad-extension", id="text without a key"),
        pytest.param(HEAD + " ".join(f"k{n}=1" for n in range(MAX_KEYS + 1)), "too-many-keys", id="one key too many"),
    ],
)
def test_refused(text: str, rule: str) -> None:
    with pytest.raises(MessageError) as refused:
        parse_cef(text)
    assert refused.value.rule == rule


fields: Final = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
keys: Final = st.from_regex(r"[A-Za-z][A-Za-z0-9_.]{0,20}", fullmatch=True)


@given(st.builds(CefMessage, st.just("0"), *[fields] * 6, extension=st.lists(st.tuples(keys, fields), max_size=8).map(tuple)))
def test_what_is_written_is_read(message: CefMessage) -> None:
    assert parse_cef(encode_cef(message)) == message


@given(st.text(max_size=200), st.booleans())
def test_any_text_raises_nothing_but_message_errors(text: str, headed: bool) -> None:  # noqa: FBT001 - drawn
    with suppress(MessageError):
        parse_cef(HEAD + text if headed else text)


@pytest.mark.parametrize("piece", ["\\", "|", "a", " ", "=", " =", " a", "\\|", "x\\= ", "k=v"])
def test_the_longest_hostile_text_is_read_in_linear_time(piece: str) -> None:
    hostile = (piece * (1 + (1 << 18) // len(piece)))[: 1 << 18]
    for text in (HEAD + hostile, HEAD + "k=" + hostile, "CEF:0|" + hostile):
        began = time.process_time()
        with suppress(MessageError):
            parse_cef(text)
        assert time.process_time() - began < 3
