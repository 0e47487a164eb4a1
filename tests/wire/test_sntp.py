"""SNTP's 48 octets: what we ask is what a server reads, what it answers is what we read, and nothing else gets through."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import MessageError, WireError
from wire.sntp import EPOCH, OCTETS, SECOND, Reply, encode_reply, encode_request, parse_reply, parse_request

NOW_NS = 1_790_000_000 * SECOND
NONCE = 0x0123_4567_89AB_CDEF

nonces = st.integers(0, (1 << 64) - 1)
years_68_ns = 68 * 365 * 86_400 * SECOND


@given(nonces)
def test_a_request_is_read_as_written(nonce: int) -> None:
    request = encode_request(nonce)
    assert len(request) == OCTETS
    assert parse_request(request) == nonce


@given(
    nonces,
    st.integers(1, 15),
    st.integers(0, 1 << 62),
    st.integers(-years_68_ns, years_68_ns),
    st.integers(-years_68_ns, years_68_ns),
)
def test_a_reply_is_read_as_written_in_every_era(nonce: int, stratum: int, now_ns: int, received: int, transmitted: int) -> None:
    reply = Reply(stratum, now_ns + received, now_ns + transmitted)
    written = encode_reply(reply, encode_request(nonce))
    if 0 in struct.unpack_from(">QQ", written, 32):  # an era's first instant says that there is no time
        return
    assert parse_reply(written, nonce, now_ns) == reply


@given(st.binary(max_size=100), nonces, st.integers(0, 1 << 62))
def test_arbitrary_octets(octets: bytes, nonce: int, now_ns: int) -> None:
    for read in (lambda: parse_reply(octets, nonce, now_ns), lambda: parse_request(octets)):
        with contextlib.suppress(WireError):
            read()


def changed(at: int, value: bytes) -> bytes:
    octets = encode_reply(Reply(2, NOW_NS, NOW_NS), encode_request(NONCE))
    return octets[:at] + value + octets[at + len(value) :]


@pytest.mark.parametrize(
    ("octets", "rule"),
    [
        pytest.param(changed(0, b"")[:47], "sntp-short", id="cut"),
        pytest.param(changed(0, b"\x14"), "sntp-version", id="version 2"),
        pytest.param(changed(0, b"\x23"), "sntp-mode", id="another client"),
        pytest.param(changed(24, bytes(8)), "sntp-origin", id="the answer to somebody else"),
        pytest.param(changed(1, b"\0"), "sntp-kiss", id="kiss o' death"),
        pytest.param(changed(0, b"\xe4"), "sntp-unsynchronized", id="a clock that doesn't know"),
        pytest.param(changed(1, b"\x10"), "sntp-stratum", id="stratum 16"),
        pytest.param(changed(40, bytes(8)), "sntp-time", id="no time"),
    ],
)
def test_what_is_refused(octets: bytes, rule: str) -> None:
    with pytest.raises(MessageError) as error:
        parse_reply(octets, NONCE, NOW_NS)
    assert error.value.rule == rule


def test_version_3_and_what_follows_the_48_octets_are_taken() -> None:
    assert parse_reply(changed(0, b"\x1c") + bytes(20), NONCE, NOW_NS) == Reply(2, NOW_NS, NOW_NS)


def test_the_turn_of_2036() -> None:
    turn = (1 << 32) - EPOCH
    reply = Reply(1, (turn + 5) * SECOND, (turn + 6) * SECOND)
    assert parse_reply(encode_reply(reply, encode_request(1)), 1, (turn - 5) * SECOND) == reply


def test_the_offset_leaves_the_way_out() -> None:
    assert Reply(2, 110, 120).offset_ns(sent_ns=5, arrived_ns=15 + 10) == 100
