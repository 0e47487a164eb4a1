"""Telling systemd how the service is: the notification protocol of sd_notify(3), for a unit of `Type=notify`."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Final

READY: Final = "READY=1"
RELOADING: Final = "RELOADING=1"
STOPPING: Final = "STOPPING=1"


def notify(environ: Mapping[str, str], *states: str) -> bool:
    """Send states to the socket that `$NOTIFY_SOCKET` names; False where nobody listens, which is no error.

    Args:
        environ: the environment.
        states: assignments, `READY=1`.
    """
    path = environ.get("NOTIFY_SOCKET", "")
    if not path.startswith(("/", "@")):
        return False
    address = f"\0{path[1:]}" if path.startswith("@") else path  # an abstract address, unix(7)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as sock:
        try:
            sock.sendto("\n".join(states).encode(), address)
        except OSError:
            return False
    return True
