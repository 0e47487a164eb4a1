"""Refusals: what a failure is taken for, and that each reason is explained, counted, logged and kept."""

from __future__ import annotations

import re
import ssl
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listeners.wef import diagnosis
from listeners.wef.diagnosis import KERBEROS_ERRORS, diagnose, judge_handshake, judge_token
from listeners.wef.refusals import EXPLANATIONS, Refusal, Refusals, explanation_of
from pipeline.log import LogSettings, PeerLog
from pipeline.log_lines import open_log
from pipeline.metrics import Metrics
from pipeline.model import Transport
from pipeline.rejects import Rejects
from wire.ap_req import AES, RC4, InitialToken, Mechanism, Request
from wire.keytab import Key

DOCUMENTED = Path(__file__).parents[2] / "docs/listeners/wef-refusals.md"
REQUEST = Request("HTTP/gw.contoso.example", "CONTOSO.EXAMPLE", 18, 3, 18)
KEY = Key(("HTTP", "gw.contoso.example"), "CONTOSO.EXAMPLE", 1, 0, 3, 18, b"secret")

FAILURES = {
    "the library says that the clocks differ": (REQUEST, [KEY], 37, "kerberos-clock-skew"),
    "a ticket of tomorrow": (REQUEST, [KEY], 33, "kerberos-clock-skew"),
    "expired": (REQUEST, [KEY], 32, "kerberos-expired"),
    "replayed": (REQUEST, [KEY], 34, "kerberos-replay"),
    "another realm": (replace(REQUEST, realm="FABRIKAM.EXAMPLE"), [KEY], 35, "kerberos-wrong-realm"),
    "another host": (replace(REQUEST, service="HTTP/10.0.0.5"), [KEY], 35, "kerberos-wrong-spn"),
    "another service of the host": (replace(REQUEST, service="HOST/gw.contoso.example"), [KEY], 35, "kerberos-wrong-spn"),
    "names in another case are the same": (replace(REQUEST, service="http/GW.contoso.example", realm="Contoso.example"), [KEY], 31, "kerberos-wrong-key"),
    "an older key": (REQUEST, [replace(KEY, version=2)], 44, "kerberos-unknown-kvno"),
    "no key of the type": (REQUEST, [replace(KEY, encryption=17)], 45, "kerberos-missing-enctype"),
    "a key of another version of the type": (REQUEST, [replace(KEY, encryption=17), replace(KEY, version=2)], 45, "kerberos-missing-enctype"),
    "no version told, another key": (replace(REQUEST, key_version=None), [replace(KEY, version=9)], 31, "kerberos-wrong-key"),
    "no keys": (REQUEST, [], 35, "kerberos-wrong-realm"),
    "everything is there": (REQUEST, [KEY], 60, "kerberos-failed"),
    "the library gives no number": (REQUEST, [KEY], None, "kerberos-failed"),
    "nothing is known of the token": (None, [KEY], None, "kerberos-failed"),
    "nothing but the number is": (None, [KEY], 37, "kerberos-clock-skew"),
}


@pytest.mark.parametrize(("request_", "keys", "error", "reason"), FAILURES.values(), ids=FAILURES)
def test_failures(request_: Request | None, keys: list[Key], error: int | None, reason: str) -> None:
    refusal = diagnose(request_, keys, None if error is None else KERBEROS_ERRORS + error, "what the library said")
    assert refusal.reason == reason
    assert "secret" not in refusal.detail


def token(mechanism: Mechanism, *offered: Mechanism, request: Request | None = None) -> InitialToken:
    return InitialToken(mechanism, offered or (mechanism,), request)


KERBEROS, NTLM, OTHER = Mechanism.KERBEROS, Mechanism.NTLM, Mechanism.OTHER
TOKENS = {
    "Kerberos": (token(KERBEROS, request=REQUEST), ""),
    "Kerberos to come": (token(KERBEROS, KERBEROS, NTLM), ""),
    "AES of every kind": (token(KERBEROS, request=replace(REQUEST, encryption=19, session_encryption=20)), ""),
    "RC4": (token(KERBEROS, request=replace(REQUEST, encryption=RC4)), "kerberos-rc4"),
    "a session key of RC4": (token(KERBEROS, request=replace(REQUEST, session_encryption=RC4)), "kerberos-rc4"),
    "DES": (token(KERBEROS, request=replace(REQUEST, encryption=3, session_encryption=3)), "kerberos-rc4"),
    "NTLM": (token(NTLM), "kerberos-ntlm"),
    "NTLM of a client that has Kerberos": (token(NTLM, NTLM, KERBEROS), "kerberos-ntlm"),
    "nothing known": (token(OTHER), "kerberos-mechanism"),
    "something else first": (token(OTHER, OTHER, KERBEROS), "kerberos-mechanism"),
    "something else, then NTLM": (token(OTHER, OTHER, NTLM), "kerberos-ntlm"),
}


@pytest.mark.parametrize(("first", "reason"), TOKENS.values(), ids=TOKENS)
def test_first_tokens(first: InitialToken, reason: str) -> None:
    refusal = judge_token(first, AES)
    assert (refusal.reason if refusal else "") == reason


def test_rc4_where_it_is_allowed() -> None:
    assert judge_token(token(KERBEROS, request=replace(REQUEST, encryption=RC4)), {*AES, RC4}) is None


text = st.text(max_size=50)
numbers = st.integers(-(2**31), 2**31)
requests = st.builds(Request, text, text, numbers, st.none() | numbers, numbers)


@given(st.none() | requests, st.lists(st.just(KEY), max_size=20), st.none() | st.integers(0, 2**32), text)
def test_every_failure_is_one_that_is_explained(request_: Request | None, keys: list[Key], minor: int | None, said: str) -> None:
    refusal = diagnose(request_, keys, minor, said)
    assert refusal.reason in EXPLANATIONS
    assert len(refusal.detail) < 2000


@pytest.mark.parametrize("error", [None, OSError("gone"), ssl.SSLEOFError(8, "eof"), ssl.SSLError(1, "odd"), EOFError()], ids=repr)
def test_every_end_of_a_handshake_is_one_that_is_explained(error: BaseException | None) -> None:
    assert judge_handshake(error).reason in EXPLANATIONS


def test_every_reason_that_is_given_is_explained_and_every_explained_one_is_given() -> None:
    tables = {*diagnosis.BY_KERBEROS_ERROR.values(), *diagnosis.BY_TLS_REASON.values(), *diagnosis.BY_VERIFY_CODE.values()}
    assert tables <= set(EXPLANATIONS)
    for reason, explanation in EXPLANATIONS.items():
        assert re.fullmatch(r"(tls|kerberos)-[a-z0-9-]+", reason)
        assert explanation.meaning
        assert explanation.fix
        assert explanation_of(reason) is explanation
    assert explanation_of("bad-time") is None


@pytest.mark.parametrize("reason", EXPLANATIONS)
def test_the_documentation_has_every_reason(reason: str) -> None:
    explanation = EXPLANATIONS[reason]
    assert f"| `{reason}` | {explanation.meaning} | {explanation.fix} |" in DOCUMENTED.read_text()


def test_a_refusal_is_counted_logged_and_kept_and_a_flood_of_them_is_not_a_flood_of_lines() -> None:
    metrics, rejects, lines = Metrics(), Rejects(), StringIO()
    refusals = Refusals("listeners.wef", metrics, PeerLog(open_log(lines, LogSettings()), lambda: 0.0), rejects.keep, lambda: 7)
    for number in range(100):
        refusals.tell(Refusal("kerberos-wrong-spn", f"ticket {number}"), "192.0.2.1", Transport.HTTP)
    refusals.tell(Refusal("tls-expired"), "192.0.2.1", Transport.HTTPS, counted=True)
    assert metrics.value("tidegate_connections_refused_total", listener="listeners.wef", reason="kerberos-wrong-spn") == 100
    assert metrics.value("tidegate_connections_refused_total", listener="listeners.wef", reason="tls-expired") == 0
    assert len(lines.getvalue().splitlines()) < 10
    before, last = rejects.last(2)
    assert (before.reject.rule, before.reject.detail, before.origin.received_at_ns) == ("kerberos-wrong-spn", "ticket 99", 7)
    assert (last.reject.rule, last.origin.peer, last.origin.transport) == ("tls-expired", "192.0.2.1", Transport.HTTPS)
