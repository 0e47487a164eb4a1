"""Where simulated syslog goes: `udp://HOST:PORT`, `tcp://HOST:PORT` or `tls://HOST:PORT`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from pipeline.errors import ConfigError
from pipeline.model import Transport

TRANSPORTS: Final = {"udp": Transport.UDP, "tcp": Transport.TCP, "tls": Transport.TLS}
DEFAULT_PORTS: Final = {Transport.UDP: 514, Transport.TCP: 601, Transport.TLS: 6514}  # RFC 5426 3.3, RFC 6587 (IANA), RFC 5425 4.1
LAST_PORT: Final = 65535

_TARGET: Final = re.compile(r"(udp|tcp|tls)://(?:\[([0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|([^:/\[\]\s]+))(?::([0-9]{1,5}))?/?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Target:
    """A syslog receiver: how to reach it, host as a name or an IP literal without brackets, port 1 to 65535."""

    transport: Transport
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.transport}://[{self.host}]:{self.port}" if ":" in self.host else f"{self.transport}://{self.host}:{self.port}"


def parse_target(text: str) -> Target:
    """`udp://127.0.0.1:514` to a Target; without a port it is the transport's own.

    Raises:
        ConfigError: it isn't such an address.
    """
    found = _TARGET.fullmatch(text)
    if found is None or not 0 < int(found[4] or 1) <= LAST_PORT:
        raise ConfigError(f"target {text!r}", "not an address of a syslog receiver", "write udp://HOST:PORT, tcp://HOST:PORT or tls://HOST:PORT")
    transport = TRANSPORTS[found[1]]
    return Target(transport, found[2] or found[3], int(found[4]) if found[4] else DEFAULT_PORTS[transport])
