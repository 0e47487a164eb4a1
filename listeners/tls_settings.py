"""What every listener's table for TLS has: the server's files, and whose clients are believed."""

from __future__ import annotations

import ssl
from typing import ClassVar

from pydantic import Field

from pipeline.settings import Address, Duration, FilePath, Settings


class TlsSettings(Settings):
    """A table for TLS.

    table:             its name in the configuration, for errors.

    addresses:         where to listen.
    certificate, key:  PEM files, read again when they change; the certificate is followed by its intermediates.
    client_ca:         PEM files of the authorities whose client certificates are believed; none: no client is asked for one.
    client_crl:        PEM files of their revocation lists, read again when they change; with any, an authority without a current one has its clients refused.
    handshake:         how long a client may take to finish the handshake.
    """

    table: ClassVar[str]

    addresses: tuple[Address, ...] = Field(min_length=1)
    certificate: FilePath
    key: FilePath
    client_ca: tuple[FilePath, ...] = ()
    client_crl: tuple[FilePath, ...] = ()
    handshake: Duration = Field(default=10.0, gt=0)

    @property
    def verify_mode(self) -> ssl.VerifyMode:
        """What becomes of a client without a certificate."""
        return ssl.CERT_REQUIRED if self.client_ca else ssl.CERT_NONE
