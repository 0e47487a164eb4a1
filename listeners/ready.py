"""What a listener says once it accepts: the facts of the `ready` line."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.model import Transport
from pipeline.settings import SocketAddress


@dataclass(frozen=True, slots=True)
class Ready:
    """One bound address; its text is the line, `ready listeners.syslog udp [::1]:15514`.

    name:       the listener's name in the configuration.
    transport:  how to speak to it.
    address:    where it is bound, with the port the system chose where 0 was configured.
    """

    name: str
    transport: Transport
    address: SocketAddress

    def __str__(self) -> str:
        return f"ready {self.name} {self.transport} {self.address}"
