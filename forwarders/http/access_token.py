"""An access token and how it is got: the answer of a token endpoint (RFC 6749 section 5), kept until shortly before it ends."""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol

import trio

from forwarders.http.answer import Answer, Statuses, parse_object, words
from forwarders.http.client import Client
from pipeline.errors import DeliveryError, Fault

MARGIN_S: Final = 300.0
LONGEST_TOKEN: Final = 32 << 10
DIGITS: Final = 9


class AccessToken(NamedTuple):
    """A bearer token, and for how many seconds it is one."""

    value: str
    lifetime: float


class Credential(Protocol):
    """A way to a token."""

    async def open(self) -> None:
        """Get ready. Raises DeliveryError."""

    async def fetch(self) -> AccessToken:
        """Ask for a new one.

        Raises:
            DeliveryError: DENIED if we aren't known, RETRY if the endpoint can't say so now.
        """

    async def close(self) -> None:
        """Let go."""


class TokenCache:
    """The token that is good at the moment.

    Args:
        credential: gets one.
    """

    def __init__(self, credential: Credential) -> None:
        self._credential = credential
        self._token: AccessToken | None = None
        self._until = 0.0

    async def get(self) -> tuple[str, bool]:
        """A token, and whether it is a new one. Raises DeliveryError, as `Credential.fetch`."""
        now = trio.current_time()
        if self._token is not None and now < self._until:
            return self._token.value, False
        self._token = await self._credential.fetch()
        self._until = now + self._token.lifetime - min(MARGIN_S, self._token.lifetime / 2)
        return self._token.value, True

    def forget(self) -> None:
        """Ask for a new one next time."""
        self._token = None


def read_token(client: Client, answer: Answer, statuses: Statuses) -> AccessToken:
    """The token in an answer.

    Raises:
        DeliveryError: there is none, with what the endpoint says. No record is to blame for that, so it is RETRY or DENIED.
    """
    said = parse_object(answer) or {}
    fault = statuses.fault(answer.status)
    if fault is not None:
        code, description = said.get("error"), said.get("error_description")
        detail = words(f"{answer.status} {code}: {description}".encode("utf-8", "replace")) if isinstance(code, str) else ""
        raise client.failure(answer, Fault.RETRY if fault is Fault.RETRY else Fault.DENIED, reason=f"token-{answer.status}", detail=detail)
    value, lifetime = said.get("access_token"), str(said.get("expires_in", ""))
    if not isinstance(value, str) or not (value.isascii() and value.isprintable()) or len(value) > LONGEST_TOKEN:
        raise DeliveryError("token-unreadable", Fault.RETRY, detail="the answer to our sign-in holds no token")
    return AccessToken(value, float(lifetime) if lifetime.isascii() and lifetime.isdecimal() and len(lifetime) <= DIGITS else 0.0)
