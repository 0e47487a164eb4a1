"""The Logs Ingestion API of Azure Monitor, Microsoft Entra ID's token endpoint and the endpoints of managed identities, as Microsoft's documents
describe them, strictly: what Azure would refuse is refused.

Documents: Azure Monitor, "Logs Ingestion API" and "Azure Monitor service limits"; Microsoft identity platform, "OAuth 2.0 client credentials flow" and
"Application authentication certificate credentials"; Managed identities, "How to use managed identities on an Azure VM"; App Service, "REST endpoint
reference"; Azure Arc, "Authenticate against Azure resources with Azure Arc-enabled servers". Microsoft's own client accepts its answers:
tests/forwarders/http/test_sentinel_client.py.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl
from uuid import UUID

import orjson
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from support.http_peer import Asked, Reply

TENANT: Final = "contoso.example"
CLIENT: Final = "11111111-2222-4333-8444-555555555555"
SECRET: Final = "app-secret~1"
FEDERATED: Final = "eyJhbGciOiJub25lIn0.e30.issued-by-somebody-else"
RULE: Final = "dcr-000a00a000a00000a000000aa000a0aa"
AUDIENCE: Final = "https://monitor.azure.com"
MOST: Final = 1 << 20
"""The document says 1 MB; the service, and Microsoft's own client, mean this many octets."""
ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
JSON: Final = {"content-type": "application/json; charset=utf-8"}


def problem(status: int, code: str, message: str, **headers: str) -> Reply:
    return Reply(status, orjson.dumps({"error": {"code": code, "message": message}}), {**JSON, "x-ms-request-id": "req-1", **headers})


def unknown(status: int, error: str, description: str) -> Reply:
    said = {"error": error, "error_description": description, "error_codes": [], "timestamp": "", "trace_id": "", "correlation_id": ""}
    return Reply(status, orjson.dumps(said), JSON)


@dataclass
class SentinelFake:
    """One data collection rule, one application, one managed identity.

    streams:      that the rule declares; None for any.
    certificate:  of the application.
    lifetime:     seconds a token is said to be good for.
    role:         whether the role assignment has arrived.
    scripted:     replies to the next calls in the place of honest ones; None for honesty.
    rows:         what was taken, by stream.
    """

    streams: frozenset[str] | None = None
    certificate: x509.Certificate | None = None
    lifetime: int = 3599
    role: bool = True
    now: int = 1_700_000_000
    scripted: list[Reply | None] = field(default_factory=list)
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    tokens: list[str] = field(default_factory=list)
    revoked: set[str] = field(default_factory=set)
    arc_key: Path | None = None

    def taken(self) -> int:
        return sum(map(len, self.rows.values()))

    def answer(self, asked: Asked) -> Reply:
        if asked.path == f"/{TENANT}/oauth2/v2.0/token":
            return self._sign_in(asked)
        if asked.path.startswith("/dataCollectionRules/"):
            return self._ingest(asked)
        if asked.path in ("/metadata/identity/oauth2/token", "/msi/token"):
            return self._managed(asked)
        return problem(404, "NotFound", "no such resource")

    def _token(self, *, text: bool = False) -> Reply:
        self.tokens.append(f"token-{len(self.tokens)}")
        lifetime = str(self.lifetime) if text else self.lifetime
        return Reply(200, orjson.dumps({"token_type": "Bearer", "expires_in": lifetime, "access_token": self.tokens[-1]}), JSON)

    def _sign_in(self, asked: Asked) -> Reply:
        if asked.method != "POST" or asked.headers.get("content-type") != "application/x-www-form-urlencoded":
            return unknown(400, "invalid_request", "AADSTS900144: The request body must contain the following parameter: 'grant_type'.")
        form = dict(parse_qsl(asked.body.decode()))
        if form.get("grant_type") != "client_credentials" or form.get("scope") != f"{AUDIENCE}/.default":
            return unknown(400, "invalid_scope", "AADSTS70011: The provided value for the input parameter 'scope' is not valid.")
        if form.get("client_id") != CLIENT:
            return unknown(400, "unauthorized_client", "AADSTS700016: Application was not found in the directory.")
        if "client_secret" in form:
            good = form["client_secret"] == SECRET
        else:
            assertion = form.get("client_assertion", "")
            good = form.get("client_assertion_type") == ASSERTION and (assertion == FEDERATED or self._signed(assertion, asked))
        return self._token() if good else unknown(401, "invalid_client", "AADSTS7000215: Invalid client secret provided.")

    def _signed(self, assertion: str, asked: Asked) -> bool:
        """Whether it is a JWT as "certificate credentials" describes it, signed with the application's certificate."""
        assert self.certificate is not None
        key = self.certificate.public_key()
        assert isinstance(key, rsa.RSAPublicKey)
        head, body, signature = assertion.split(".")
        header, claims = (orjson.loads(_unbase64(part)) for part in (head, body))
        try:
            key.verify(_unbase64(signature), f"{head}.{body}".encode(), padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH), hashes.SHA256())
        except InvalidSignature:
            return False
        thumbprint = self.certificate.fingerprint(hashes.SHA256())
        UUID(claims["jti"])
        return (
            (header["alg"], header["typ"], _unbase64(header["x5t#S256"])) == ("PS256", "JWT", thumbprint)
            and claims["aud"] == f"http://{asked.headers['host']}{asked.path}"
            and claims["iss"] == claims["sub"] == CLIENT
            and claims["nbf"] <= self.now < claims["exp"] <= self.now + 600
        )

    def _managed(self, asked: Asked) -> Reply:
        if asked.path == "/msi/token":
            if asked.headers.get("x-identity-header") != "header-secret" or asked.query.get("api-version") != "2019-08-01":
                return Reply(403)
        elif asked.headers.get("metadata") != "true" or "x-forwarded-for" in asked.headers:
            return unknown(400, "bad_request_102", "Required metadata header not specified")
        elif self.arc_key is not None and asked.headers.get("authorization") != f"Basic {self.arc_key.read_text().strip()}":
            return Reply(401, b"", {"www-authenticate": f"Basic realm={self.arc_key}"})
        if asked.query.get("resource") != AUDIENCE:
            return unknown(400, "invalid_resource", "AADSTS500011: The resource principal was not found in the tenant.")
        if asked.query.get("client_id", CLIENT) != CLIENT:
            return unknown(400, "invalid_request", "Identity not found")
        return self._token(text=True)

    def _ingest(self, asked: Asked) -> Reply:  # noqa: PLR0911 - one for every rule
        step = self.scripted.pop(0) if self.scripted else None
        if step is not None:
            return step
        _, _, rule, middle, stream = asked.path.split("/")
        token = asked.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.tokens or token in self.revoked:
            return problem(401, "InvalidToken", "The authentication token is not valid")
        if not self.role:
            message = f"The authentication token provided does not have access to ingest data for the data collection rule with immutable Id '{rule}'."
            return problem(403, "OperationFailed", message)
        if middle != "streams" or asked.query.get("api-version") != "2023-01-01":
            return problem(400, "UnsupportedApiVersion", "api-version")
        if rule != RULE or (self.streams is not None and stream not in self.streams):
            return problem(404, "NotFound", f"Data collection rule or stream {stream} not found.")
        if asked.headers.get("content-type") != "application/json":
            return problem(415, "UnsupportedMediaType", "Content-Type")
        if max(asked.octets, len(asked.body)) > MOST:
            return problem(413, "ContentLengthLimitExceeded", f"Maximum allowed content length: {MOST} bytes.")
        try:
            rows = orjson.loads(asked.body)
        except orjson.JSONDecodeError:
            return problem(400, "InvalidPayload", "malformed JSON")
        if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
            return problem(400, "InvalidPayload", "The shape of the data must be a JSON array")
        self.rows.setdefault(stream, []).extend(rows)
        return Reply(204)


def _unbase64(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
