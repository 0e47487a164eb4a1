"""Certificates over HTTPS: mutual TLS as Windows does it, and the name that a client's certificate gives its source.

Documents: RFC 8446 and RFC 5246 (TLS 1.3 and 1.2), RFC 5280 (certificates), [MS-WSMV] section 3.1.4.1.30.1 (the thumbprint of the issuer, by which a client
finds its certificate again).

Windows sends its own certificate alone, so every certificate of `client_ca` is trusted for itself, root or not (a partial chain), and the issuing
ones have to be there. Which of them issued this client's certificate is told by name and signature.

Choices:
  - the certificate is asked for in the first handshake, there is no other; renegotiation is refused, and no tickets are issued. A TLS 1.2 session
    may be taken up by its ID while OpenSSL remembers it (300 s at most): it shows the certificate it began with, and a revocation waits so long;
  - no application protocol is negotiated (ALPN): clients speak HTTP/1.1 then;
  - the end of the stream without close_notify is a normal end; HTTP says where a message ends.
"""

from __future__ import annotations

import hashlib
import re
import ssl
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal
from weakref import WeakKeyDictionary

import trio
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from listeners.file_stamp import stamp
from listeners.http.connection import Connection
from listeners.http.messages import Response
from listeners.http.tls_stream import TlsStream
from listeners.renewal import Apply
from listeners.tls import handshake_threads
from listeners.wef.diagnosis import judge_handshake
from listeners.wef.identity import Identity, certificate_identity
from listeners.wef.refusals import Refusal, Refusals
from listeners.wef.session import Opened
from listeners.wef.settings import CertificateEndpoint, EndpointSettings
from pipeline.errors import ConfigError, PeerError
from pipeline.log import Log
from pipeline.model import Transport
from wire.http_rules import Head
from wire.multipart_encrypted import SOAP_UTF_16

HOST: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252}[A-Za-z0-9_])?", re.ASCII)
"""A name of one computer and nothing else: no wildcard, no NUL, no space, not of any length."""

MAX_NAMES: Final = 16
MAX_LISTED: Final = 4
WITHOUT_ISSUER: Final = frozenset({"tls-no-certificate", "tls-unknown-issuer"})
MAX_FILE: Final = 4 << 20
UNREADABLE: Final = (ValueError, TypeError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, UnsupportedAlgorithm)
"""What reading a certificate raises that OpenSSL took and that breaks RFC 5280 in some corner."""


@dataclass(frozen=True, slots=True)
class Trust:
    """What one handshake needs.

    context:  the server's side.
    issuers:  certificates of `client_ca`.
    """

    context: ssl.SSLContext
    issuers: tuple[x509.Certificate, ...]


def load_trust(endpoint: CertificateEndpoint) -> Trust:
    """Read an endpoint's files.

    Raises:
        ConfigError: one can't be read, isn't PEM, or the key isn't the certificate's.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.num_tickets = 0
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_cert_chain(endpoint.certificate, endpoint.key, password=_no_password)
    except OSError as error:  # ssl.SSLError is one
        what = f"listeners.wef.endpoints {endpoint.certificate}, {endpoint.key}"
        raise ConfigError(what, error.strerror or str(error), "give a PEM certificate and its unencrypted PEM key, readable by this user") from error
    issuers = [issuer for path in endpoint.client_ca for issuer in _load_authorities(path)]
    for issuer in issuers:
        context.load_verify_locations(cadata=issuer.public_bytes(Encoding.DER))
    for path in endpoint.client_crl:
        _load_revocations(context, path)
    return Trust(context, tuple(issuers))


def _load_authorities(path: Path) -> list[x509.Certificate]:
    fix = "give PEM certificates of the authorities that issue client certificates, readable by this user"
    try:
        with path.open("rb") as file:
            return x509.load_pem_x509_certificates(file.read(MAX_FILE))
    except OSError as error:
        raise ConfigError(f"listeners.wef.endpoints.client_ca {path}", error.strerror or str(error), fix) from error
    except ValueError as error:
        raise ConfigError(f"listeners.wef.endpoints.client_ca {path}", f"has no readable certificate: {error}", fix) from error


def _load_revocations(context: ssl.SSLContext, path: Path) -> None:
    try:
        context.load_verify_locations(path)
    except OSError as error:
        fix = "give the authority's list as PEM, readable by this user: openssl crl -inform der -in ca.crl -out crl.pem"
        raise ConfigError(f"listeners.wef.endpoints.client_crl {path}", error.strerror or str(error), fix) from error
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF


def _no_password() -> str:
    raise ssl.SSLError(0, "the key is encrypted")


class CertificateAuthenticator:
    """An endpoint where clients show certificates (`listeners.wef.session.Authenticator`).

    Args:
        endpoint: its settings; the files are read again when one of them has changed, the last good ones stay where the new can't be used.
        refusals: hears who was turned away.
        log: says when files were read again, and why they couldn't be.

    Raises:
        ConfigError: as `load_trust`.
    """

    transport: Final = Transport.HTTPS

    def __init__(self, endpoint: CertificateEndpoint, refusals: Refusals, log: Log) -> None:
        self._refusals: Final = refusals
        self._threads: Final = handshake_threads()
        self._log: Final = log
        self._endpoint, self._files = endpoint, _files(endpoint)
        self._stamp = stamp(self._files)
        self._trust = load_trust(endpoint)
        self._identities: Final[WeakKeyDictionary[trio.abc.Stream, Identity]] = WeakKeyDictionary()

    async def secure(self, stream: trio.abc.Stream, peer: str) -> trio.abc.Stream:
        """Shake hands, and learn who it is.

        Raises:
            PeerError: the client isn't let in; told to `refusals`, counted by the caller.
        """
        trust = self._current()
        secured = TlsStream(stream, trust.context, self._threads)
        try:
            await secured.shake_hands()
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise self._refuse(_with_authorities(judge_handshake(error.__cause__), trust.issuers), peer) from error
        found = identify(secured.tls.getpeercert(binary_form=True) or b"", trust.issuers)
        if isinstance(found, Refusal):
            raise self._refuse(found, peer)
        self._identities[secured] = found
        return secured

    def prepare(self, endpoint: EndpointSettings) -> Apply:
        """Get ready for other files, or for the same ones as they are now.

        Raises:
            ConfigError: as `load_trust`.
        """
        if not isinstance(endpoint, CertificateEndpoint):
            raise TypeError(type(endpoint).__name__)
        files = _files(endpoint)
        stamped, trust = stamp(files), load_trust(endpoint)

        def apply() -> None:
            self._endpoint, self._files, self._stamp, self._trust = endpoint, files, stamped, trust

        return apply

    def session(self, connection: Connection) -> CertificateSession:
        """The session of a connection whose handshake `secure` did."""
        return CertificateSession(self._identities[connection.stream])

    def _refuse(self, refusal: Refusal, peer: str) -> PeerError:
        self._refusals.tell(refusal, peer, self.transport, counted=True)
        return PeerError(refusal.reason, peer)

    def _current(self) -> Trust:
        now = stamp(self._files)
        if now != self._stamp:
            self._stamp = now
            try:
                self._trust = load_trust(self._endpoint)
            except ConfigError as error:
                self._log.error("certificates not reloaded, the former ones stay", error=str(error))
            else:
                self._log.info("certificates reloaded", certificate=str(self._endpoint.certificate), authorities=len(self._trust.issuers))
        return self._trust


def _files(endpoint: CertificateEndpoint) -> tuple[Path, ...]:
    return (endpoint.certificate, endpoint.key, *endpoint.client_ca, *endpoint.client_crl)


@dataclass(frozen=True, slots=True)
class CertificateSession:
    """One connection's source (`listeners.wef.session.Session`): the handshake said all there is."""

    identity: Identity

    async def admit(self, head: Head) -> Response | None:  # noqa: ARG002 - the protocol's
        """Let every request through."""
        return None

    async def open_body(self, head: Head, body: bytes) -> Opened:
        """The content as it came: TLS unsealed it."""
        return Opened(body, head.field("content-type") or "")

    async def answer(self, status: int, body: bytes = b"") -> Response:
        """The response, as it is."""
        return Response(status, body, (("Content-Type", SOAP_UTF_16),) if body else ())


def _with_authorities(refusal: Refusal, issuers: Sequence[x509.Certificate]) -> Refusal:
    """Whose certificates would have been taken, where the client had none of them: the thumbprints are what IssuerCA may be.

    The standard library doesn't show a certificate that wasn't accepted, so who issued the client's can't be told.
    """
    if refusal.reason not in WITHOUT_ISSUER:
        return refusal
    listed = [f"{thumbprint(issuer)} {_text(issuer, 'subject')[:100]}" for issuer in issuers[:MAX_LISTED]]
    more = [f"{len(issuers) - MAX_LISTED} more"] if len(issuers) > MAX_LISTED else []
    return Refusal(refusal.reason, f"{refusal.detail}; client_ca has {', '.join(listed + more)}")


def identify(der: bytes, issuers: Sequence[x509.Certificate]) -> Identity | Refusal:
    """Who a certificate is that OpenSSL has verified.

    Args:
        der: the certificate.
        issuers: those that may have issued it.
    """
    fingerprint = hashlib.sha256(der).hexdigest()
    try:
        certificate = x509.load_der_x509_certificate(der)
        issuer = next((issuer for issuer in issuers if _issued(issuer, certificate)), None)
    except UNREADABLE as error:
        return Refusal("tls-certificate", f"sha-256 {fingerprint}: {error}")
    if issuer is None:
        return Refusal("tls-missing-intermediate", f"issued by {_text(certificate, 'issuer')}")
    names = tuple(dict.fromkeys(name for name in _names(certificate) if HOST.fullmatch(name)))[:MAX_NAMES]
    subject = _text(certificate, "subject") or ",".join(f"DNS:{name}" for name in names) or f"sha-256:{fingerprint}"
    return certificate_identity(names, subject, thumbprint(issuer))


def thumbprint(certificate: x509.Certificate) -> str:
    """What Windows calls a certificate by: SHA-1 of its DER as 40 upper-case hexadecimal digits."""
    return hashlib.sha1(certificate.public_bytes(Encoding.DER), usedforsecurity=False).hexdigest().upper()


def _issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, *UNREADABLE):
        return False
    return True


def _names(certificate: x509.Certificate) -> Iterator[str]:
    """DNS names of subjectAltName, else the common names; none where the certificate is odd there."""
    try:
        alternatives: Iterable[str] = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)
    except (x509.ExtensionNotFound, *UNREADABLE):
        alternatives = ()
    yield from alternatives
    try:
        common = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    except UNREADABLE:
        return
    if not alternatives:
        yield from (attribute.value for attribute in common if isinstance(attribute.value, str))


def _text(certificate: x509.Certificate, member: Literal["subject", "issuer"]) -> str:
    """A name as RFC 4514 writes it; empty where it is, or is odd."""
    try:
        name: x509.Name = getattr(certificate, member)
        return name.rfc4514_string()
    except UNREADABLE:
        return ""
