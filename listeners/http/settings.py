"""What bounds every HTTP peer; a listener that speaks HTTP extends these settings with its own."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from listeners.admission import EVERYBODY
from pipeline.settings import Duration, Network, Settings, Size


class HttpSettings(Settings):
    """Limits of all endpoints of a listener together.

    head:                  octets of a request's line and fields.
    body:                  octets of a request's content, as it is on the wire.
    bodies:                octets of content being read or answered at once, in all; later requests wait.
    header_deadline:       from the first octet of a request (of a connection: from its start) to the end of its fields.
    body_deadline:         from there to the end of its content, waiting for `bodies` not counted.
    handshake:             how long a client may take for TLS.
    connections:           open at once.
    connections_per_peer:  of those, from one address.
    allow:                 networks that may connect; everybody by default.
    proxies:               networks of load balancers that begin every connection with a PROXY protocol header; where there are any, nobody else may connect,
                           and the address in the header is the peer's.
    """

    head: Size = Field(default=64 << 10, ge=8 << 10, le=1 << 20)
    body: Size = Field(default=1 << 20, ge=1 << 10, le=1 << 30)
    bodies: Size = Field(default=64 << 20, ge=1 << 20)
    header_deadline: Duration = Field(default=10.0, gt=0)
    body_deadline: Duration = Field(default=60.0, gt=0)
    handshake: Duration = Field(default=10.0, gt=0)
    connections: int = Field(default=4096, ge=1)
    connections_per_peer: int = Field(default=64, ge=1)
    allow: tuple[Network, ...] = Field(default=EVERYBODY, min_length=1)
    proxies: tuple[Network, ...] = ()


PEER_SHARE: Final = 8
"""One address may fill so small a part of `bodies`, one body at least."""
