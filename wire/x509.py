"""When a certificate is valid (RFC 5280 section 4.1): enough X.509 to tell an operator that one expires, and no more.

    Certificate    SEQUENCE of tbsCertificate, signatureAlgorithm, signatureValue
    TBSCertificate SEQUENCE of [0] version (may be missing), serialNumber, signature, issuer, validity, ...
    Validity       SEQUENCE of notBefore, notAfter, each a UTCTime (YYMMDDHHMMSSZ, 50 to 99 are 1950 to 1999)
                   or a GeneralizedTime (YYYYMMDDHHMMSSZ)

Trust is OpenSSL's business.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from pipeline.errors import MessageError
from wire.der import CONTEXT, SEQUENCE, Element, parse_element

PEM: Final = re.compile(rb"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]{1,65536}+)-----END CERTIFICATE-----")
UTC_TIME, GENERALIZED_TIME = 0x17, 0x18
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
    certificate = parse_element(der, 0, len(der), SEQUENCE)
    tbs = parse_element(der, certificate.start, certificate.end, SEQUENCE)
    member = parse_element(der, tbs.start, tbs.end)
    if member.tag == CONTEXT:  # [0] version; the serial number else
        member = parse_element(der, member.end, tbs.end)
    for _ in ("signature", "issuer"):
        member = parse_element(der, member.end, tbs.end, SEQUENCE)
    validity = parse_element(der, member.end, tbs.end, SEQUENCE)
    first = parse_element(der, validity.start, validity.end)
    second = parse_element(der, first.end, validity.end)
    return Validity(_time(der, first), _time(der, second))


def _decode(text: bytes) -> bytes:
    try:
        return base64.b64decode(b"".join(text.split()), validate=True)
    except ValueError as error:
        raise MessageError("bad-base64", document="RFC 7468 section 2") from error


def _time(der: bytes, element: Element) -> datetime:
    tag, content = element.tag, der[element.start : element.end]
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
