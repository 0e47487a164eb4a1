"""Keywords in every spelling, and the audit result in them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.keywords import AUDIT_FAILURE, AUDIT_SUCCESS, audit_result, parse_keywords


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("0x8020000000000000", AUDIT_SUCCESS, id="event XML"),
        pytest.param("0X8010000000000000", AUDIT_FAILURE, id="upper-case prefix"),
        pytest.param("-9214364837600034816", AUDIT_SUCCESS, id="signed decimal"),
        pytest.param("9232379236109516800", AUDIT_SUCCESS, id="unsigned decimal"),
        pytest.param("Audit Success", AUDIT_SUCCESS, id="Splunk"),
        pytest.param("Failure Audit", AUDIT_FAILURE, id="Snare"),
        pytest.param("Audit_failure", AUDIT_FAILURE, id="ArcSight"),
        pytest.param("AUDIT_SUCCESS", AUDIT_SUCCESS, id="NXLog"),
        pytest.param("Classic", "Classic", id="a name without bits here"),
        pytest.param("0x" + "f" * 17, "0x" + "f" * 17, id="more than 64 bits"),
        pytest.param("", "", id="none"),
    ],
)
def test_parse_keywords(text: str, expected: str) -> None:
    assert parse_keywords(text) == expected


@given(st.integers(0, 2**64 - 1))
def test_numbers_keep_their_bits(bits: int) -> None:
    assert int(parse_keywords(hex(bits)), 16) == int(parse_keywords(str(bits)), 16) == bits


@pytest.mark.parametrize(
    ("keywords", "expected"),
    [(AUDIT_SUCCESS, "Audit Success"), (AUDIT_FAILURE, "Audit Failure"), ("0x8000000000000000", ""), ("", ""), ("Classic", "")],
    ids=["success", "failure", "neither", "none", "no number"],
)
def test_audit_result(keywords: str, expected: str) -> None:
    assert audit_result(keywords) == expected


@given(st.text(max_size=40))
def test_any_text_is_taken(text: str) -> None:
    audit_result(parse_keywords(text))
