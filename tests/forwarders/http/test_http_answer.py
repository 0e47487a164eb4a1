"""What statuses mean to each profile: no status, and no answer that goes with it, gives a record up."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarders.http.answer import FAULTS, GENERIC, Answer, Statuses, retry_after, what_it_says, words
from forwarders.http.hec_codes import CODES, read
from pipeline.errors import Fault

NOW = 1_700_000_000.0
EVERY = range(100, 600)
TAKEN = {200, 201, 202, 203, 204, 205}


def test_every_status_is_taken_or_somebodys_fault() -> None:
    assert {status for status in EVERY if GENERIC.fault(status) is None} == TAKEN
    assert {status for status in EVERY if GENERIC.fault(status) is Fault.REFUSED} == {400, 422}
    assert {status for status in EVERY if GENERIC.fault(status) is Fault.TOO_LARGE} == {413}
    assert {GENERIC.fault(status) for status in (*range(300, 400), 401, 403, 404, 407)} == {Fault.DENIED}
    assert {status for status in range(100, 500) if GENERIC.fault(status) is Fault.RETRY} == {408, 409, 423, 424, 425, 429}
    assert {status for status in range(500, 600) if GENERIC.fault(status) is not Fault.RETRY} == {501, 505, 511}
    assert Statuses(frozenset({204})).fault(200) is Fault.DENIED


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        (" 7 ", 7.0),
        ("-5", None),
        ("1.5", None),
        ("", None),
        ("soon", None),
        ("9" * 5000, 999_999_999.0),
        ("Tue, 14 Nov 2023 22:14:20 GMT", 60.0),
        ("Tue, 14 Nov 2023 22:13:00 GMT", 0.0),
        ("Tue, 99 Nov 2023 22:13:00 GMT", None),
        ("\u0661\u0662", None),
    ],
)
def test_retry_after(said: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": said}, NOW) == seconds


@given(st.text())
def test_no_retry_after_is_an_error(said: str) -> None:
    seconds = retry_after({"retry-after": said}, NOW)
    assert seconds is None or seconds >= 0


@given(st.binary(max_size=2000))
def test_words_can_be_shown(octets: bytes) -> None:
    said = words(octets)
    assert len(said) <= 200
    assert said.isprintable()


def test_where_a_redirect_leads_is_said() -> None:
    assert what_it_says(Answer(302, {"location": "https://login.contoso.example/\x1b[31m"}, b"Moved")).startswith(
        "302 sends us to https://login.contoso.example/?[31m"
    )


@given(st.binary(max_size=200), st.integers(0, 300))
def test_bodies_are_read_within_a_limit(body: bytes, limit: int) -> None:
    expected = body if len(body) <= limit else None
    assert Answer(200, {}, body).text(limit) == expected
    zipped = Answer(200, {"content-encoding": "gzip"}, gzip.compress(body))
    assert zipped.text(limit) == expected
    assert Answer(200, {}, body, whole=False).text(limit) is None
    assert Answer(200, {"content-encoding": "br"}, body).text(limit) is None


@given(st.binary(max_size=100), st.integers(0, 120))
def test_a_truncated_gzip_body_is_none(body: bytes, cut: int) -> None:
    octets = gzip.compress(body)
    assert Answer(200, {"content-encoding": "gzip"}, octets[: min(cut, len(octets) - 9)]).text(1000) is None


def test_a_bomb_is_not_unpacked() -> None:
    bomb = zlib.compressobj(9, wbits=31)
    octets = bomb.compress(bytes(50 << 20)) + bomb.flush()
    assert Answer(200, {"content-encoding": "gzip"}, octets).text(1 << 16) is None


@pytest.mark.parametrize("body", [b"", b"<html>welcome</html>", b"[]", b'{"code":"0"}', b'{"code":true}', b'{"code":99}', b'{"text":"OK"}'])
def test_hec_takes_nothing_without_its_own_word(body: bytes) -> None:
    for status in EVERY:
        assert read(Answer(status, {}, body)).fault is FAULTS.get(status, Fault.RETRY if status >= 500 else Fault.DENIED)


@pytest.mark.parametrize("code", range(28))
def test_hec_codes(code: int) -> None:
    for status in EVERY:
        said = read(Answer(status, {}, b'{"text":"...","code":%d,"ackId":5}' % code))
        assert (said.fault is None) == (code in (0, 24, 25) and status == 200)
        assert CODES[code] in (None, said.fault)
        assert said.reason == f"hec-{code}"


@given(st.integers(100, 599), st.binary(max_size=200))
def test_hec_survives_any_answer(status: int, body: bytes) -> None:
    assert read(Answer(status, {}, body)).fault is not None or body
