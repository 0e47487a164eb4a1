"""Tokens of a managed identity, from the endpoint that Azure puts beside a program.

    where                     endpoint                                                header           api-version
    App Service, Functions    IDENTITY_ENDPOINT                                       X-IDENTITY-HEADER  2019-08-01
    Arc-enabled server        IDENTITY_ENDPOINT, with IMDS_ENDPOINT                   Metadata         2020-06-01
    virtual machine           http://169.254.169.254/metadata/identity/oauth2/token   Metadata         2018-02-01

Documents: Managed identities for Azure resources, "How to use managed identities on an Azure VM to acquire an access token" (request, errors, retry);
App Service, "REST endpoint reference"; Azure Arc, "Authenticate against Azure resources with Azure Arc-enabled servers".

The agent of Arc asks for proof that we may read what the group himds may: it answers 401 with the path of a file whose content it wants to see. That file
has to be one of the agent's, or anybody who answers on that port would have us read him any other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlencode

import trio

from forwarders.http.access_token import AccessToken, read_token
from forwarders.http.answer import Statuses
from forwarders.http.client import Client
from forwarders.http.settings import check_url
from pipeline.errors import DeliveryError, Fault

IMDS: Final = "http://169.254.169.254/metadata/identity/oauth2/token"
ARC_FOLDER: Final = Path("/var/opt/azcmagent/tokens")
ARC_REALM: Final = re.compile(r"Basic realm=\"?([^\"]{1,4096}?)\"?", re.IGNORECASE)
LONGEST_KEY: Final = 4096
UNAUTHORIZED: Final = 401

STATUSES: Final = Statuses(taken=frozenset({200}), own={404: Fault.RETRY, 410: Fault.RETRY, 400: Fault.DENIED})
"""404 and 410: the endpoint is being updated. 400: there is no such identity."""


class Endpoint(NamedTuple):
    """Where tokens are, and how they are asked for."""

    url: str
    headers: Mapping[str, str]
    version: str
    challenges: bool = False


def find_endpoint(environ: Mapping[str, str]) -> Endpoint:
    """The endpoint that the environment speaks of."""
    url, header = environ.get("IDENTITY_ENDPOINT"), environ.get("IDENTITY_HEADER")
    if url and header:
        return Endpoint(url, {"x-identity-header": header}, "2019-08-01")
    if url and environ.get("IMDS_ENDPOINT"):
        return Endpoint(url, {"metadata": "true"}, "2020-06-01", challenges=True)
    return Endpoint(IMDS, {"metadata": "true"}, "2018-02-01")


class ManagedIdentity:
    """A Credential: this machine, or an identity assigned to it.

    Args:
        client_id: of a user-assigned identity; None for the machine's own.
        audience: what the token is for.
        client: to ask with, without a proxy; opened and closed here.
        endpoint: see `find_endpoint`.
        folder: where Arc's agent keeps its files.
    """

    def __init__(self, client_id: str | None, audience: str, client: Client, endpoint: Endpoint, *, folder: Path = ARC_FOLDER) -> None:
        self._client, self._endpoint, self._folder = client, endpoint, folder
        query = {"api-version": endpoint.version, "resource": audience, **({"client_id": client_id} if client_id else {})}
        self._url: Final = f"{endpoint.url}?{urlencode(query)}"

    async def open(self) -> None:
        try:
            check_url(self._endpoint.url)
        except ValueError as error:
            raise DeliveryError("token-endpoint", Fault.DENIED, detail=f"IDENTITY_ENDPOINT is no URL: {error}") from error
        await self._client.open()

    async def close(self) -> None:
        await self._client.close()

    async def fetch(self) -> AccessToken:
        answer = await self._client.request("GET", self._url, self._endpoint.headers)
        if self._endpoint.challenges and answer.status == UNAUTHORIZED:
            key = await trio.to_thread.run_sync(self._read_key, answer.headers.get("www-authenticate", ""))
            self._client.conceal(key)
            answer = await self._client.request("GET", self._url, {**self._endpoint.headers, "authorization": f"Basic {key}"})
        return read_token(self._client, answer, STATUSES)

    def _read_key(self, challenge: str) -> str:
        found = ARC_REALM.fullmatch(challenge.strip())
        path = Path(found[1]) if found else Path()
        if path.parent != self._folder or path.suffix != ".key":
            raise DeliveryError(
                "token-challenge", Fault.DENIED, detail=f"the agent of Arc wants to see something else than a key of its own: {challenge[:100]}"
            )
        try:
            with path.open("rb") as file:
                key = file.read(LONGEST_KEY + 1)
        except OSError as error:
            raise DeliveryError("token-challenge", Fault.DENIED, detail=f"{path}: {error.strerror}; is this user a member of the group himds?") from error
        if len(key) > LONGEST_KEY or not key.isascii() or b"\n" in key.strip() or b"\r" in key.strip():
            raise DeliveryError("token-challenge", Fault.DENIED, detail=f"{path} holds no key")
        return key.decode().strip()
