"""A certificate authority for trials: it issues short-lived certificates to the demo's gateway and to simulated machines (RFC 5280).

Keys are ECDSA P-256, which every Windows that forwards events can use. It keeps no record of what it issued and revokes nothing: not for production.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pipeline.errors import ConfigError

LIFETIME: Final = timedelta(days=30)
SKEW: Final = timedelta(hours=1)
"""Issued a little in the past, for peers whose clocks are late."""

USAGE: Final = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
MAX_COMMON_NAME: Final = 64  # RFC 5280 appendix A.1, ub-common-name


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate and its private key, unencrypted, both PEM."""

    certificate: bytes
    key: bytes


@dataclass(frozen=True, slots=True)
class Authority:
    """A root: its certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def thumbprint(self) -> str:
        """SHA-1 of the certificate in lower-case hexadecimal: what Windows calls it by."""
        return self.certificate.fingerprint(hashes.SHA1()).hex()  # noqa: S303 - a name, by which Windows finds certificates

    @property
    def pem(self) -> bytes:
        """The certificate."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def issue(self, *names: str) -> Issued:
        """A certificate for a machine, good for both sides of TLS.

        Args:
            names: its DNS names and addresses; the first is its common name too.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            _builder(names[0])
            .issuer_name(self.certificate.subject)
            .public_key(key.public_key())
            .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(USAGE, critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )
        return Issued(builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM), _encode_key(key))

    def encode_key(self) -> bytes:
        """Its own key as PEM, unencrypted."""
        return _encode_key(self.key)


def make_authority(name: str) -> Authority:
    """A new root of that common name."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(name)
    builder = (
        builder.issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return Authority(builder.sign(key, hashes.SHA256()), key)


def read_authority(certificate: Path, key: Path) -> Authority:
    """An authority from its PEM files.

    Raises:
        ConfigError: one can't be read or used.
    """
    try:
        root = x509.load_pem_x509_certificate(certificate.read_bytes())
        private = serialization.load_pem_private_key(key.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"{certificate}, {key}", getattr(error, "strerror", None) or str(error), "name a PEM certificate and its unencrypted key") from error
    if not isinstance(private, ec.EllipticCurvePrivateKey) or private.public_key() != root.public_key():
        raise ConfigError(f"{certificate}, {key}", "aren't a certificate and its ECDSA key", "name those of an authority with an ECDSA key")
    return Authority(root, private)


def _builder(name: str) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    common_name = x509.NameAttribute(NameOID.COMMON_NAME, name[:MAX_COMMON_NAME])
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([common_name]))
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + LIFETIME)
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    signs = {"key_cert_sign": signs_certificates, "crl_sign": signs_certificates, "digital_signature": not signs_certificates}
    never = dict.fromkeys(("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only"), False)
    return x509.KeyUsage(**signs, **never)


def _encode_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
