"""What certificates say, as their readers will take it (RFC 5280, RFC 9525): the chain, the name, what they are for, how strong they are.

looked at          an error where                       a warning where                        unknown where
chain                                                   a certificate isn't its issuer's        the last one's issuer is no root we know
name               clients are told another one
use                it isn't for servers
key, signature                                          RSA under 2048 bits, SHA-1 or MD5
client_ca                                               it is nobody who issues certificates
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509.oid import ExtendedKeyUsageOID

from gateway.check.findings import Finding, Level

Said = TypeVar("Said", bound=x509.ExtensionType)

WEAK_RSA: Final = 2048
WEAK_HASHES: Final = frozenset({"sha1", "md5"})
CHARACTERS: Final = 120
FOR_SERVERS: Final = frozenset({ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE})
UNREADABLE: Final = (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, x509.InvalidVersion)
"""What reading a certificate raises that OpenSSL took and that breaks RFC 5280 in some corner."""


def check_chain(path: Path, host: str | None = None, roots: Iterable[Path] = ()) -> Iterator[Finding]:
    """Look at a server's certificate and what follows it.

    Args:
        path: PEM, the server's own first.
        host: what clients are told, where we know it.
        roots: PEM of authorities, among them roots that clients have, beside those of this machine.
    """
    what = str(path)
    try:
        chain = x509.load_pem_x509_certificates(path.read_bytes())
        known = [found for root in roots for found in x509.load_pem_x509_certificates(root.read_bytes()) if found.issuer == found.subject]
        yield _check_links(what, chain, known)
        yield from _check_server(what, chain[0], host)
    except UNREADABLE as error:
        yield Finding(Level.UNKNOWN, what, f"can't be looked into ({type(error).__name__})", f"openssl x509 -noout -text -in {path}")


def check_authorities(paths: Iterable[Path]) -> Iterator[Finding]:
    """Look at whom clients' certificates are believed of."""
    for path in paths:
        try:
            others = [found for found in x509.load_pem_x509_certificates(path.read_bytes()) if not _issues(found)]
        except UNREADABLE as error:
            yield Finding(Level.UNKNOWN, str(path), f"can't be looked into ({type(error).__name__})", f"openssl x509 -noout -text -in {path}")
            continue
        if others:
            why = f"{_name(others[0].subject)} is no authority: nobody's certificate is issued by it"
            yield Finding(Level.WARNING, str(path), why, "name the authorities that issue clients' certificates")


def _check_links(what: str, chain: Sequence[x509.Certificate], known: Sequence[x509.Certificate]) -> Finding:
    for own, issuer in pairwise(chain):
        if not _issued(own, issuer):
            why = f"{_name(own.subject)} isn't issued by {_name(issuer.subject)}, which follows it"
            return Finding(Level.WARNING, what, why, "put the server's certificate first, each one's issuer behind it")
    last = chain[-1]
    if last.issuer == last.subject or any(_issued(last, root) for root in (*known, *_roots(last))):
        return Finding(Level.OK, what, f"its chain is whole, {len(chain)} of them")
    why = f"its issuer {_name(last.issuer)} isn't in the file, nor among the roots we know"
    return Finding(Level.UNKNOWN, what, why, "if that is no root that clients have, put its certificate behind this one")


def _check_server(what: str, own: x509.Certificate, host: str | None) -> Iterator[Finding]:
    if host is not None and not _names_it(own, host):
        yield Finding(Level.ERROR, what, f"isn't for {host}, which is what clients are told", "have one issued with that name, or correct the url")
    uses = _extension(own, x509.ExtendedKeyUsage)
    if uses is not None and not FOR_SERVERS & set(uses):
        yield Finding(Level.ERROR, what, "isn't for servers (extended key usage)", "have one issued for Server Authentication, as the template Web Server does")
    key = own.public_key()
    if isinstance(key, RSAPublicKey) and key.key_size < WEAK_RSA:
        yield Finding(Level.WARNING, what, f"its RSA key has {key.key_size} bits, which clients may refuse", f"have one issued with {WEAK_RSA} or more")
    hashed = own.signature_hash_algorithm
    if own.issuer != own.subject and hashed is not None and hashed.name in WEAK_HASHES:
        yield Finding(Level.WARNING, what, f"is signed with {hashed.name}, which clients may refuse", "have one issued with SHA-256")


def _names_it(own: x509.Certificate, host: str) -> bool:
    names = _extension(own, x509.SubjectAlternativeName)
    if names is None:  # RFC 9525 wouldn't look further; Windows does
        common = own.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        return any(_matches(str(name.value), host) for name in common)
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return any(_matches(name, host) for name in names.get_values_for_type(x509.DNSName))
    return address in names.get_values_for_type(x509.IPAddress)


def _matches(name: str, host: str) -> bool:
    """RFC 9525 section 6.3: a wildcard is the whole first label, and means one."""
    name, host = name.lower(), host.lower()
    return name == host or (name.startswith("*.") and name[1:] == host[host.find(".") :] and "." in host)


def _issues(found: x509.Certificate) -> bool:
    constraints = _extension(found, x509.BasicConstraints)
    return found.issuer == found.subject if constraints is None else constraints.ca


def _extension(found: x509.Certificate, kind: type[Said]) -> Said | None:
    try:
        return found.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _issued(own: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        own.verify_directly_issued_by(issuer)
    except (InvalidSignature, *UNREADABLE):
        return False
    return True


def _roots(last: x509.Certificate) -> Iterator[x509.Certificate]:
    """Of this machine, those with the issuer's name."""
    wanted = last.issuer.public_bytes()
    for der in ssl.create_default_context().get_ca_certs(binary_form=True):
        if wanted in der:
            yield x509.load_der_x509_certificate(der)


def _name(name: x509.Name) -> str:
    return name.rfc4514_string()[:CHARACTERS] or "nobody"
