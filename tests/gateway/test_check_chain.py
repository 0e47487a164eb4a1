"""Check reads certificates as their readers will: chain, name, use, strength; and whether authorities are any."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gateway.check.chain import check_authorities, check_chain
from gateway.check.findings import Level

HOST = "gateway.contoso.example"
ROOT = trustme.CA()
ISSUING = ROOT.create_child_ca()
LEAF = ISSUING.issue_cert(HOST)
OWN = LEAF.cert_chain_pems[0].bytes()
Made = Callable[[], bytes]
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def self_made(*, names: tuple[str, ...] = (HOST,), common: str = HOST, use: x509.ObjectIdentifier | None = None, bits: int = 0, issuer: str = "") -> bytes:
    """A certificate, by its own key whatever issuer it names."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits) if bits else ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
    builder = x509.CertificateBuilder(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer or common)]), subject, key.public_key(), 7, NOW, NOW + timedelta(days=9)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
    if use is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([use]), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def worst(path: Path, host: str | None = HOST, roots: tuple[Path, ...] = ()) -> tuple[Level, str]:
    found = max(check_chain(path, host, roots), key=lambda one: list(Level).index(one.level))
    assert found.fix or found.level is Level.OK
    return found.level, found.why


ISSUER, ROOT_PEM = ISSUING.cert_pem.bytes(), ROOT.cert_pem.bytes()

#   file                                          level          words                 why
CASES: list[tuple[Made, Level, str, str]] = [
    (lambda: OWN + ISSUER + ROOT_PEM,             Level.OK,      "whole, 3",           "all of it"),
    (lambda: OWN + ISSUER,                        Level.UNKNOWN, "isn't in the file",  "all but the root"),
    (lambda: OWN,                                 Level.UNKNOWN, "isn't in the file",  "the certificate alone"),
    (lambda: OWN + ROOT_PEM,                      Level.WARNING, "isn't issued by",    "a gap"),
    (lambda: OWN + self_made(),                   Level.WARNING, "isn't issued by",    "somebody else's issuer"),
    (self_made,                                   Level.OK,      "whole, 1",           "one that is its own root"),
    (lambda: self_made(names=()),                 Level.OK,      "whole, 1",           "a common name, where there is no other"),
    (lambda: self_made(names=("*.contoso.example",)), Level.OK,  "whole, 1",           "a wildcard"),
    (lambda: self_made(names=("*.example",)),     Level.ERROR,   "isn't for gateway",  "a wildcard of one label for two"),
    (lambda: self_made(names=("x.example",)),     Level.ERROR,   "isn't for gateway",  "another name"),
    (lambda: self_made(use=ExtendedKeyUsageOID.CLIENT_AUTH), Level.ERROR, "isn't for servers", "a client's"),
    (lambda: self_made(use=ExtendedKeyUsageOID.SERVER_AUTH), Level.OK, "whole",        "a server's"),
    (lambda: self_made(bits=1024),                Level.WARNING, "1024 bits",          "a short key"),
    (lambda: b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", Level.UNKNOWN, "can't be looked into", "garbage"),
]  # fmt: skip


@pytest.mark.parametrize(("made", "level", "words"), [case[:3] for case in CASES], ids=[case[3] for case in CASES])
def test_a_chain(tmp_path: Path, made: Made, level: Level, words: str) -> None:
    (tmp_path / "server.pem").write_bytes(made())
    found, why = worst(tmp_path / "server.pem")
    assert (found, words in why) == (level, True), why


def test_a_chain_up_to_a_root_that_we_know(tmp_path: Path) -> None:
    (tmp_path / "server.pem").write_bytes(OWN + ISSUER)
    (tmp_path / "ca.pem").write_bytes(ROOT_PEM)
    assert worst(tmp_path / "server.pem", roots=(tmp_path / "ca.pem",)) == (Level.OK, "its chain is whole, 2 of them")


@pytest.mark.parametrize(("host", "level"), [("192.0.2.1", Level.OK), ("[2001:db8::1]", Level.OK), ("192.0.2.2", Level.ERROR), (None, Level.OK)])
def test_an_address_for_a_name(tmp_path: Path, host: str | None, level: Level) -> None:
    leaf = ROOT.issue_cert("192.0.2.1", "2001:db8::1")
    (tmp_path / "server.pem").write_bytes(leaf.cert_chain_pems[0].bytes() + ROOT_PEM)
    assert worst(tmp_path / "server.pem", host)[0] is level


def test_authorities(tmp_path: Path) -> None:
    for name, octets in (("ca.pem", ROOT_PEM + ISSUER), ("leaf.pem", OWN), ("garbage.pem", b"x")):
        (tmp_path / name).write_bytes(octets)
    found = list(check_authorities(tmp_path / name for name in ("ca.pem", "leaf.pem", "garbage.pem")))
    assert [(Path(one.what).name, one.level) for one in found] == [("leaf.pem", Level.WARNING), ("garbage.pem", Level.UNKNOWN)]
