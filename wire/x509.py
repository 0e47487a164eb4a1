"""When a certificate is valid (RFC 5280 section 4.1): enough X.509 to tell an operator that one expires, and no more.

    Certificate    SEQUENCE of tbsCertificate, signatureAlgorithm, signatureValue
    TBSCertificate SEQUENCE of [0] version (may be missing), serialNumber, signature, issuer, validity, ...
    Validity       SEQUENCE of notBefore, notAfter, each a UTCTime (YYMMDDHHMMSSZ, 50 to 99 are 1950 to 1999)
                   or a GeneralizedTime (YYYYMMDDHHMMSSZ)

Trust is OpenSSL's business. DER (X.690) is read with every length checked against what holds it.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from pipeline.errors import MessageError

DOCUMENT: Final = "RFC 5280 section 4.1"
PEM: Final = re.compile(rb"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]{1,65536}+)-----END CERTIFICATE-----")
SEQUENCE, VERSION, UTC_TIME, GENERALIZED_TIME = 0x30, 0xA0, 0x17, 0x18
LONG_FORM: Final = 0x80
MAX_LENGTH_OCTETS: Final = 4
CENTURY_TURN: Final = 50
TIME: Final = re.compile(r"([0-9]{2}|[0-9]{4})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Validity:
    """The period, both ends included."""

    not_before: datetime
    not_after: datetime


def parse_validities(pem: bytes) -> tuple[Validity, ...]:
    """The validity of every certificate in a PEM text (RFC 7468), in order.

    Raises:
        MessageError: one of them isn't a certificate.
    """
    return tuple(parse_validity(_decode(found[1])) for found in PEM.finditer(pem))


def parse_validity(der: bytes) -> Validity:
    """The validity of one certificate.

    Raises:
        MessageError: it isn't one.
    """
    _, certificate, _ = _element(der, 0, SEQUENCE)
    _, tbs, _ = _element(certificate, 0, SEQUENCE)
    tag, _, at = _element(tbs, 0)
    if tag == VERSION:
        _, _, at = _element(tbs, at)
    for _ in ("signature", "issuer"):
        _, _, at = _element(tbs, at, SEQUENCE)
    _, validity, _ = _element(tbs, at, SEQUENCE)
    tag, first, at = _element(validity, 0)
    not_before = _time(tag, first)
    tag, second, _ = _element(validity, at)
    return Validity(not_before, _time(tag, second))


def _decode(text: bytes) -> bytes:
    try:
        return base64.b64decode(b"".join(text.split()), validate=True)
    except ValueError as error:
        raise MessageError("bad-base64", document="RFC 7468 section 2") from error


def _element(octets: bytes, at: int, expected: int | None = None) -> tuple[int, bytes, int]:
    """The DER element at `at`: its tag, its content, and the offset behind it (X.690 section 8.1)."""
    if len(octets) - at < 2:  # noqa: PLR2004 - tag and length
        raise MessageError("truncated", offset=at, document=DOCUMENT)
    tag, length, start = octets[at], octets[at + 1], at + 2
    if length & LONG_FORM:
        count = length ^ LONG_FORM
        if not 0 < count <= MAX_LENGTH_OCTETS or len(octets) - start < count:
            raise MessageError("bad-length", offset=at, document="X.690 section 10.1")
        length, start = int.from_bytes(octets[start : start + count]), start + count
    if length > len(octets) - start:
        raise MessageError("truncated", offset=at, document=DOCUMENT)
    if expected is not None and tag != expected:
        raise MessageError("unexpected-tag", offset=at, document=DOCUMENT, detail=f"{tag:#x}")
    return tag, octets[start : start + length], start + length


def _time(tag: int, content: bytes) -> datetime:
    found = TIME.fullmatch(content.decode("ascii", "replace")) if tag in (UTC_TIME, GENERALIZED_TIME) else None
    if found is None or (len(found[1]) == 4) != (tag == GENERALIZED_TIME):  # noqa: PLR2004 - digits of a year
        raise MessageError("bad-time", document="RFC 5280 section 4.1.2.5", detail=content[:20].decode("ascii", "replace"))
    year, month, day, hour, minute, second = map(int, found.groups())
    if tag == UTC_TIME:
        year += 1900 if year >= CENTURY_TURN else 2000
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError as error:
        raise MessageError("bad-time", document="RFC 5280 section 4.1.2.5", detail=found[0]) from error
