"""Tokens of Microsoft Entra ID for an application: the client credentials grant, with a secret, a certificate, or another issuer's token.

Documents: Microsoft identity platform, "OAuth 2.0 client credentials flow" (three cases of the access token request) and "Application authentication
certificate credentials" (the assertion: JWT, RFC 7519, PS256 of RFC 7518, `x5t#S256` of RFC 7515 section 4.1.8).

    POST /TENANT/oauth2/v2.0/token      client_id, scope, grant_type=client_credentials, and
                                        client_secret=..., or client_assertion_type=...:jwt-bearer and client_assertion=JWT
      <- 200                            {"token_type": "Bearer", "expires_in": 3599, "access_token": "..."}
      <- 400, 401                       {"error": "invalid_client", "error_description": "AADSTS7000215: ..."}
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

import orjson
import trio
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from forwarders.http.access_token import AccessToken, read_token
from forwarders.http.answer import Statuses
from forwarders.http.client import Client
from forwarders.http.sentinel_settings import CLOUDS, Cloud, IdentitySettings
from pipeline.errors import DeliveryError, Fault

STATUSES: Final = Statuses(taken=frozenset({200}))
ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_LIFETIME_S: Final = 600
LONGEST_FILE: Final = 64 << 10


class EntraCredential:
    """A Credential: one application.

    Args:
        identity: its settings.
        cloud: where it is.
        client: to ask with; somebody else's to open and close.
        clock: seconds since the Unix epoch.
        new_id: makes a GUID for an assertion.
    """

    def __init__(self, identity: IdentitySettings, cloud: Cloud, client: Client, *, clock: Callable[[], float], new_id: Callable[[], UUID]) -> None:
        self._identity, self._client, self._clock, self._new_id = identity, client, clock, new_id
        authority, audience = CLOUDS[cloud]
        self._url: Final = f"{identity.authority or authority}/{identity.tenant}/oauth2/v2.0/token"
        self._scope: Final = f"{audience}/.default"

    async def open(self) -> None:
        """The client is ready."""

    async def close(self) -> None:
        """The client is somebody else's."""

    async def fetch(self) -> AccessToken:
        form = {"client_id": self._identity.client_id or "", "scope": self._scope, "grant_type": "client_credentials", **await self._proof()}
        answer = await self._client.post(self._url, urlencode(form).encode(), {"content-type": "application/x-www-form-urlencoded"})
        return read_token(self._client, answer, STATUSES)

    async def _proof(self) -> dict[str, str]:
        if self._identity.secret is not None:
            return {"client_secret": self._identity.secret.get_secret_value().decode()}
        return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": await trio.to_thread.run_sync(self._assertion)}

    def _assertion(self) -> str:
        """Read what we are known by, as it is now: it may have been renewed."""
        identity = self._identity
        if identity.token_file is not None:
            return _read(identity.token_file).decode("ascii", "replace").strip()
        assert identity.certificate is not None, "one of three"  # noqa: S101 - the settings say so
        assert identity.key is not None, "goes with it"  # noqa: S101 - likewise
        try:
            certificate = x509.load_pem_x509_certificate(_read(identity.certificate))
            key = load_pem_private_key(_read(identity.key), None)
        except (ValueError, TypeError) as error:
            raise _unusable(identity.certificate, f"{error}; give a PEM certificate and its unencrypted PEM key") from error
        if not isinstance(key, rsa.RSAPrivateKey) or key.public_key() != certificate.public_key():
            raise _unusable(identity.key, "not the RSA key of the certificate")
        now = int(self._clock())
        claims = {
            "aud": self._url,
            "iss": identity.client_id,
            "sub": identity.client_id,
            "jti": str(self._new_id()),
            "nbf": now,
            "iat": now,
            "exp": now + ASSERTION_LIFETIME_S,
        }
        return encode_assertion(certificate, key, claims)


def encode_assertion(certificate: x509.Certificate, key: rsa.RSAPrivateKey, claims: Mapping[str, object]) -> str:
    """A JWT signed with a certificate's key (PS256), in compact form."""
    header = {"alg": "PS256", "typ": "JWT", "x5t#S256": _base64(certificate.fingerprint(hashes.SHA256()))}
    signed = f"{_base64(orjson.dumps(header))}.{_base64(orjson.dumps(claims))}"
    scheme = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=padding.PSS.DIGEST_LENGTH)
    return f"{signed}.{_base64(key.sign(signed.encode(), scheme, hashes.SHA256()))}"


def _base64(octets: bytes) -> str:
    return urlsafe_b64encode(octets).rstrip(b"=").decode()


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(LONGEST_FILE)
    except OSError as error:
        raise _unusable(path, error.strerror or str(error)) from error


def _unusable(path: Path, why: str) -> DeliveryError:
    return DeliveryError("credential-file", Fault.DENIED, detail=f"{path}: {why}")
