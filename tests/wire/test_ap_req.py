"""First security tokens: what is said in the clear is read back, whatever else comes is a MessageError."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import MessageError
from wire.ap_req import (
    KERBEROS,
    KERBEROS_OF_WINDOWS_2000,
    NEGOEX,
    NTLM,
    InitialToken,
    Mechanism,
    Request,
    encode_ap_req,
    encode_initial_token,
    encode_later_token,
    encode_negotiation,
    parse_ap_req,
    parse_initial_token,
    parse_later_token,
)
from wire.der import encode_element

REQUEST = Request("HTTP/gateway.contoso.example", "CONTOSO.EXAMPLE", 18, 3, 18)
NTLM_NEGOTIATE = b"NTLMSSP\0\x01\0\0\0" + bytes(24)

names = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="/"), min_size=0, max_size=40)
signed = st.integers(-(2**31), 2**31 - 1)
requests = st.builds(Request, st.lists(names, min_size=1, max_size=4).map("/".join), names, signed, st.none() | st.integers(0, 2**32 - 1), signed)


@given(requests, st.binary(max_size=300), st.binary(max_size=300))
def test_an_ap_req_reads_back(request: Request, ticket: bytes, authenticator: bytes) -> None:
    assert parse_ap_req(encode_ap_req(request, ticket, authenticator)) == request


@given(requests, st.binary(max_size=70_000))
def test_a_token_reads_back_bare_framed_and_negotiated(request: Request, ticket: bytes) -> None:
    ap_req = encode_ap_req(request, ticket)
    framed = encode_initial_token(ap_req)
    assert parse_initial_token(ap_req) == parse_initial_token(framed) == InitialToken(Mechanism.KERBEROS, (Mechanism.KERBEROS,), request)
    negotiated = parse_initial_token(encode_negotiation((KERBEROS_OF_WINDOWS_2000, KERBEROS, NTLM), framed))
    assert negotiated == InitialToken(Mechanism.KERBEROS, (Mechanism.KERBEROS, Mechanism.KERBEROS, Mechanism.NTLM), request)


@given(requests, st.none() | st.integers(0, 3))
def test_a_later_token_reads_back(request: Request, state: int | None) -> None:
    framed = encode_initial_token(encode_ap_req(request))
    assert parse_later_token(encode_later_token(framed, state)) == parse_initial_token(framed)
    assert parse_later_token(encode_later_token(None, state)) is None


TOKENS = {
    "NTLM as it is": (NTLM_NEGOTIATE, InitialToken(Mechanism.NTLM, (Mechanism.NTLM,), None)),
    "NTLM in SPNEGO": (encode_negotiation((NTLM,), NTLM_NEGOTIATE), InitialToken(Mechanism.NTLM, (Mechanism.NTLM,), None)),
    "NTLM behind NEGOEX": (
        encode_negotiation((NEGOEX, NTLM), NTLM_NEGOTIATE),
        InitialToken(Mechanism.NTLM, (Mechanism.OTHER, Mechanism.NTLM), None),
    ),
    "NEGOEX first, Kerberos possible": (
        encode_negotiation((NEGOEX, KERBEROS), b"NEGOEXTS"),
        InitialToken(Mechanism.OTHER, (Mechanism.OTHER, Mechanism.KERBEROS), None),
    ),
    "no token yet": (encode_negotiation((KERBEROS, NTLM), None), InitialToken(Mechanism.KERBEROS, (Mechanism.KERBEROS, Mechanism.NTLM), None)),
}


@pytest.mark.parametrize(("token", "read"), TOKENS.values(), ids=TOKENS)
def test_tokens(token: bytes, read: InitialToken) -> None:
    assert parse_initial_token(token) == read


WHOLE = encode_ap_req(REQUEST, b"t" * 200, b"a" * 200)
REFUSED = {
    "nothing": (b"", "der-truncated"),
    "no DER": (b"hello, world", "der-tag"),
    "the client's empty token": (b"\x60\x00", "der-truncated"),
    "length of five octets": (b"\x60\x85\x01\x01\x01\x01\x01", "der-length"),
    "indefinite length": (b"\x60\x80\x06\x01\x2a\x00\x00", "der-length"),
    "tag of several octets": (b"\x7f\x81\x01\x00", "der-tag"),
    "another Kerberos message than AP-REQ": (encode_element(0x60, encode_element(0x06, KERBEROS), b"\x02\x00", WHOLE), "gss-token-id"),
    "no mechanism offered": (encode_negotiation((), None), "gss-no-mechanism"),
    "the end is missing": (WHOLE[:-1], "der-truncated"),
    "no ticket": (encode_element(0x6E, encode_element(0x30)), "kerberos-missing-member"),
    "a name of 256 octets": (encode_ap_req(Request("a" * 256, "R", 18, None, 18)), "kerberos-name"),
    "a name of five components": (encode_ap_req(Request("a/b/c/d/e", "R", 18, None, 18)), "kerberos-name"),
}


@pytest.mark.parametrize(("token", "rule"), REFUSED.values(), ids=REFUSED)
def test_refused(token: bytes, rule: str) -> None:
    with pytest.raises(MessageError) as raised:
        parse_initial_token(token)
    assert raised.value.rule == rule


def test_negotiation_in_negotiation_is_not_followed() -> None:
    token = b"x"
    for _ in range(2000):
        token = encode_negotiation((KERBEROS,), token)
    assert parse_initial_token(token).mechanism is Mechanism.OTHER


@given(st.binary(max_size=200))
def test_any_octets(octets: bytes) -> None:
    for parse in (parse_initial_token, parse_later_token):
        with contextlib.suppress(MessageError):
            parse(octets)


@given(at=st.integers(0, len(WHOLE) + 80), damage=st.binary(min_size=1, max_size=4), cut=st.booleans())
def test_any_damage(at: int, damage: bytes, *, cut: bool) -> None:
    token = encode_negotiation((KERBEROS,), encode_initial_token(WHOLE))
    with contextlib.suppress(MessageError):
        parse_initial_token(token[:at] + damage + (b"" if cut else token[at + len(damage) :]))
