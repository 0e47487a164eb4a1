"""The validity of certificates made by another implementation, and nothing but MessageError for anything else."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import MessageError
from wire.x509 import parse_validities, parse_validity

CA = trustme.CA()


def issued(not_after: datetime) -> bytes:
    return CA.issue_cert("gateway.contoso.example", not_before=datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC), not_after=not_after).cert_chain_pems[0].bytes()


@pytest.mark.parametrize(
    "not_after",
    [
        datetime(2000, 1, 1, tzinfo=UTC),
        datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC),
        datetime(2050, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
    ],
    ids=["UTCTime", "the last UTCTime", "the first GeneralizedTime", "no expiry"],
)
def test_validity(not_after: datetime) -> None:
    (found,) = parse_validities(b"leading text\n" + issued(not_after))
    assert found.not_before == datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert found.not_after == not_after


def test_a_chain_in_its_order() -> None:
    leaf = issued(datetime(2031, 2, 3, tzinfo=UTC))
    first, second = parse_validities(leaf + CA.cert_pem.bytes())
    assert first.not_after == datetime(2031, 2, 3, tzinfo=UTC)
    assert second.not_after == x509.load_pem_x509_certificate(CA.cert_pem.bytes()).not_valid_after_utc


def test_no_certificate() -> None:
    assert parse_validities(b"-----BEGIN PRIVATE KEY-----\n") == ()


@given(st.binary(max_size=300))
def test_any_octets_raise_nothing_but_message_errors(octets: bytes) -> None:
    with pytest.raises(MessageError):
        parse_validity(octets)


@given(st.data())
def test_mutated_certificates_raise_nothing_but_message_errors(data: st.DataObject) -> None:
    der = bytearray(x509.load_pem_x509_certificate(CA.cert_pem.bytes()).public_bytes(Encoding.DER))
    der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    try:
        parse_validity(bytes(der[: data.draw(st.integers(0, len(der)))]))
    except MessageError:
        return
