"""A machine that shows a certificate: TLS to the collector, each machine with a certificate of its own ([MS-WSMV], https/mutual).

Certificates come from a file, or are issued on the spot by an authority whose key is at hand, one for each machine: to a collector a machine is
its certificate, and two that share one would share their bookmarks.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final

import trio

from gateway.authority import Authority
from gateway.simulate.wef_connection import Proof
from pipeline.errors import ConfigError, DeliveryError, Fault


def make_context(ca: Path | None, *, insecure: bool = False) -> ssl.SSLContext:
    """A client's side of TLS, no certificate in it yet.

    Args:
        ca: the authorities of the collector's certificate; the system's if None.
        insecure: whether any collector will do.

    Raises:
        ConfigError: the file can't be used.
    """
    try:
        context = ssl.create_default_context(cafile=ca)
    except OSError as error:  # ssl.SSLError too
        raise ConfigError(f"--ca {ca}", error.strerror or str(error), "name a PEM file") from error
    if insecure:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def read_certificate(context: ssl.SSLContext, path: Path) -> CertificateWay:
    """The certificate, its intermediates and its key in one PEM file.

    Raises:
        ConfigError: the file can't be used.
    """
    try:
        context.load_cert_chain(path)
    except OSError as error:
        raise ConfigError(f"--cert {path}", error.strerror or str(error), "name a PEM file with a certificate and its key") from error
    return CertificateWay(context)


def issue_certificate(context: ssl.SSLContext, authority: Authority, name: str) -> CertificateWay:
    """A new certificate for a machine of that name, as short-lived as the simulation."""
    issued = authority.issue(name)
    with NamedTemporaryFile(suffix=".pem") as file:  # OpenSSL reads certificates from files alone; this one is nobody else's to read
        file.write(issued.certificate + issued.key)
        file.flush()
        context.load_cert_chain(file.name)
    return CertificateWay(context, authority.thumbprint)


class CertificateWay:
    """TLS with the machine's certificate: nothing more to prove, and no other seal (RFC 8446, RFC 5246)."""

    def __init__(self, context: ssl.SSLContext, issuer: str = "") -> None:
        self._context: Final = context
        self.issuer = issuer

    async def secure(self, stream: trio.SocketStream, host: str, /) -> trio.abc.Stream:
        """Shake hands."""
        encrypted = trio.SSLStream(stream, self._context, server_hostname=host, https_compatible=True)
        try:
            await encrypted.do_handshake()
        except (trio.BrokenResourceError, ssl.SSLError) as error:
            raise DeliveryError("tls-handshake", Fault.RETRY, detail=str(error.__cause__ or error)) from error
        return encrypted

    async def proof(self, host: str, /) -> Proof:  # noqa: ARG002 - the handshake proved it
        """Nothing left to prove."""
        await trio.lowlevel.checkpoint()
        return Unsealed()


class Unsealed:
    """What TLS carries needs no other seal."""

    async def step(self, answer: str | None) -> str | None:  # noqa: ARG002 - there are no tokens
        """No tokens."""
        await trio.lowlevel.checkpoint()
        return None

    def seal(self, octets: bytes, content_type: str) -> tuple[bytes, str]:
        """As it is."""
        return octets, content_type

    def unseal(self, body: bytes, content_type: str) -> bytes:  # noqa: ARG002 - its byte order mark says it
        """As it is."""
        return body
