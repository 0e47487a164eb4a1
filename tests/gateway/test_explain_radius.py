"""`explain --last` of RADIUS: whose packet met silence, by which rule, what it says, and what its sender has to change."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.explain import RefusedMessage, account_for_refused, render_json, render_text
from gateway.fixes import fix_for
from listeners.radius.exchange import UNKNOWN_CLIENT
from normalizers.normalizer import Normalizer
from wire.radius.attributes import Attribute
from wire.radius.authenticators import encode_accounting_request

NORMALIZER = Normalizer()
PACKET = encode_accounting_request(1, [Attribute(1, b"CONTOSO\\ana"), Attribute(40, (1).to_bytes(4)), Attribute(2, b"hidden password!")], b"secret")

RULES = [
    UNKNOWN_CLIENT,
    *("radius-short", "radius-length", "radius-code", "radius-attribute", "radius-authenticator"),
    *("radius-message-authenticator", "radius-no-message-authenticator"),
    *("missing-attribute:Acct-Session-Id", "missing-attribute:Acct-Status-Type", "malformed-attribute:Acct-Status-Type"),
]


def refused(raw: bytes, rule: str = "radius-authenticator", identity: str | None = None) -> RefusedMessage:
    return RefusedMessage(
        listener="listeners.radius",
        transport="udp",
        peer="192.0.2.1",
        received_at_ns=0,
        rule=rule,
        offset=4,
        detail="",
        raw=base64.b64encode(raw).decode(),
        identity=identity,
    )


def test_a_packet_is_shown_by_its_attributes_and_without_its_secrets() -> None:
    account = account_for_refused(NORMALIZER, refused(PACKET, identity="vpn1"))
    text = render_text([account], colour=False)
    assert "from vpn1 at 192.0.2.1 over udp" in text
    assert "CONTOSO\\\\ana" in text or "CONTOSO\\ana" in text
    assert "Start" in text
    assert "another secret" in text
    assert "hidden" not in text
    assert '"rule": "radius-authenticator"' in render_json([account])


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_has_a_fix(rule: str) -> None:
    assert fix_for(rule, "radius")


@given(st.binary(max_size=200))
def test_any_octets_can_be_shown(raw: bytes) -> None:
    assert "radius-authenticator" in render_text([account_for_refused(NORMALIZER, refused(raw))], colour=False)
