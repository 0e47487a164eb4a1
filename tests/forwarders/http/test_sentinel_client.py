"""Microsoft's own client against the fake Azure: it accepts what the fake says, so the fake says what Azure would."""

from __future__ import annotations

import ssl
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import pytest
import trio
import trustme
from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError
from azure.monitor.ingestion import LogsIngestionClient
from support.http_peer import http_peer
from support.sentinel_fake import AUDIENCE, RULE, SentinelFake, problem

STREAM = "Custom-Mine"

Rows = list[MutableMapping[str, Any]]


class KnownToken:
    """A credential of the client's kind whose token is there already."""

    def __init__(self, value: str) -> None:
        self.value, self.scopes = value, set[str]()

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        self.scopes.update(scopes)
        return AccessToken(self.value, 4_000_000_000)


async def upload(fake: SentinelFake, rows: Rows, folder: Path, token: str = "token-0") -> KnownToken:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    fake.tokens.append("token-0")
    credential = KnownToken(token)

    def send(port: int) -> None:
        with LogsIngestionClient(f"https://localhost:{port}", credential, connection_verify=str(folder / "ca.pem"), retry_total=0) as client:
            client.upload(RULE, STREAM, rows)

    async with http_peer(fake.answer, context) as peer:
        await trio.to_thread.run_sync(send, peer.port)
    return credential


async def test_rows_arrive(tmp_path: Path) -> None:
    fake = SentinelFake(streams=frozenset({STREAM}))
    rows: Rows = [{"TimeGenerated": "2024-03-15T12:00:00Z", "Text": "x" * 900, "Number": number} for number in range(1000)]  # it counts no separators
    credential = await upload(fake, rows, tmp_path)
    assert fake.rows[STREAM] == rows
    assert credential.scopes == {f"{AUDIENCE}/.default"}


@pytest.mark.parametrize(
    ("fake", "token", "status"),
    [
        (SentinelFake(), "another", 401),
        (SentinelFake(role=False), "token-0", 403),
        (SentinelFake(streams=frozenset()), "token-0", 404),
        (SentinelFake(scripted=[problem(429, "TooManyRequests", "later", **{"retry-after": "1"})]), "token-0", 429),
    ],
    ids=["token", "role", "stream", "too many"],
)
async def test_errors(fake: SentinelFake, token: str, status: int, tmp_path: Path) -> None:
    with pytest.raises(ExceptionGroup) as caught:
        await upload(fake, [{"TimeGenerated": "2024-03-15T12:00:00Z"}], tmp_path, token)
    (error,) = caught.value.exceptions
    assert isinstance(error, HttpResponseError)
    assert error.status_code == status
