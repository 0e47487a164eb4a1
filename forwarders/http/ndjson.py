"""The generic HTTP destination: one POST of newline-delimited JSON for each row, taken when its status says so (docs/forwarders/http.md).

What its server does with the records before it answers is its own affair. The body of a good answer isn't looked at.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Final

from forwarders.destination import Delivered, Limits
from forwarders.http.answer import GENERIC
from forwarders.http.client import Client
from forwarders.http.ndjson_settings import NdjsonSettings
from pipeline.settings import Secret
from pipeline.spool.row import Row


class NdjsonDestination:
    """A Destination: one URL.

    Args:
        settings: its table.
        clock: seconds since the Unix epoch.
    """

    def __init__(self, settings: NdjsonSettings, *, clock: Callable[[], float]) -> None:
        self._settings: Final = settings
        self.limits: Final = Limits(octets=settings.batch)
        self._client: Final = Client.of(settings, clock, settings.bearer, settings.password, *settings.secret_headers.values())
        self._headers: Final = {
            **settings.headers,
            **{name: value.get_secret_value().decode() for name, value in settings.secret_headers.items()},
            **authorization(settings.bearer, settings.username, settings.password),
            "content-type": settings.content_type,
        }

    async def open(self, state: bytes) -> None:  # noqa: ARG002 - a server of this kind keeps no place for us
        """See that the server is there; nothing is sent to it.

        Raises:
            DeliveryError: as `Client.open`.
        """
        await self._client.open(reach=self._settings.url)

    async def deliver(self, row: Row) -> Delivered:
        """Send all records. There is no state.

        Raises:
            DeliveryError: by the answer's status (`forwarders.http.answer`), or as `Client.request`.
        """
        answer = await self._client.post(self._settings.url, row.ndjson(), self._headers, compress=self._settings.compress)
        fault = GENERIC.fault(answer.status)
        if fault is not None:
            raise self._client.failure(answer, fault)
        return Delivered()

    async def close(self) -> None:
        """Disconnect."""
        await self._client.close()


def authorization(bearer: Secret | None, username: str | None, password: Secret | None) -> dict[str, str]:
    """The Authorization field of a token (RFC 6750 section 2.1) or of a user and password (RFC 7617), where there is one."""
    if bearer is not None:
        return {"authorization": f"Bearer {bearer.get_secret_value().decode()}"}
    if username is not None and password is not None:
        return {"authorization": f"Basic {b64encode(username.encode() + b':' + password.get_secret_value()).decode()}"}
    return {}
