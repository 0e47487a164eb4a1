"""What holds the listening sockets while gateways come and go, as systemd does for socket units: the protocol of sd_listen_fds(3)."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from support.gateway_process import ROOT, GatewayProcess

from listeners.bind import ask_receive_buffer

ROOM: Final = 4 << 20

CONFIG: Final = """
[gateway]
state_dir = "state"
[listeners.syslog]
udp = ["127.0.0.1:{udp}"]
tcp = ["127.0.0.1:{tcp}"]
[metrics]
address = "127.0.0.1:0"
[[forwarders]]
name = "archive"
kind = "file"
path = "events.ndjson"
start = "beginning"
"""
"""Syslog on both sockets, to a file; it accepts on READY addresses."""

READY: Final = 3

START: Final = """
import json, os, sys
for at, descriptor in enumerate(json.loads(sys.argv[1])):
    os.dup2(descriptor, 100 + at)
for at in range(len(json.loads(sys.argv[1]))):
    os.dup2(100 + at, 3 + at, inheritable=True)
    os.close(100 + at)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.executable, [sys.executable, "-m", "gateway", *sys.argv[2:]])
"""
"""Puts the sockets where they belong and becomes the gateway: $LISTEN_PID is its own."""


class SocketHolder:
    """Bound sockets, by the transport that is to be spoken there."""

    def __init__(self, stack: ExitStack) -> None:
        self.udp: Final = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self.tcp: Final = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
        for sock in (self.udp, self.tcp):
            sock.bind(("127.0.0.1", 0))
        ask_receive_buffer(self.udp, ROOM)
        self.tcp.listen(1024)

    @contextmanager
    def gateway(self, config: Path, *, ready: int, environ: Mapping[str, str] | None = None) -> Iterator[GatewayProcess]:
        """A gateway that these sockets are passed to, running and accepting on `ready` addresses; killed at the end if it still runs."""
        with self.started(config, environ) as gateway:
            gateway.await_ready(ready)
            yield gateway

    @contextmanager
    def started(self, config: Path, environ: Mapping[str, str] | None = None) -> Iterator[GatewayProcess]:
        """As `gateway`, before it is ready."""
        sockets = [self.udp.fileno(), self.tcp.fileno()]
        command = [sys.executable, "-S", "-c", START, json.dumps(sockets), "run", "--config", str(config)]
        passing = {"LISTEN_FDS": "2", "LISTEN_FDNAMES": "tidegate-syslog.socket:tidegate-syslog.socket"}
        everything = {**os.environ, **passing, **(environ or {})}
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=everything, pass_fds=sockets) as process:
            try:
                yield GatewayProcess(process, config)
            finally:
                if process.poll() is None:
                    process.kill()


def write_config(folder: Path, udp: socket.socket, tcp: socket.socket) -> Path:
    """CONFIG for the ports of these sockets, in `folder`."""
    path = folder / "gateway.toml"
    path.write_text(CONFIG.format(udp=udp.getsockname()[1], tcp=tcp.getsockname()[1]))
    return path


@contextmanager
def held_sockets() -> Iterator[SocketHolder]:
    """A socket for datagrams and one for connections, on loopback."""
    with ExitStack() as stack:
        yield SocketHolder(stack)
