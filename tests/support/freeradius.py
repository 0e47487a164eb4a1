"""A real FreeRADIUS server as accounting home server, unpacked below .cache, on a free loopback port: what arrives is kept, and can be read back.

    with running_freeradius(tmp_path) as home:
        ...  # send accounting to home.address, signed with home.secret
        for arrived in home.arrived():
            arrived.values("User-Name")

It answers every Accounting-Request it could verify, after its `detail` module has written the attributes down, in the order they came in.
"""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Final

from support import peers

SECRET: Final = "the next hop's own secret"
READY: Final = "Ready to process requests"

RADIUSD_CONF: Final = """\
prefix = {folder}
logdir = {folder}
run_dir = {folder}
libdir = {modules}
max_requests = 65536
cleanup_delay = 0
security {{
    allow_vulnerable_openssl = yes
    status_server = yes
}}
thread pool {{
    start_servers = 1
    max_servers = 1
}}
client gateway {{
    ipaddr = 127.0.0.1
    secret = "{secret}"
}}
modules {{
    detail {{
        filename = {folder}/detail
        header = "%t"
        log_packet_header = yes
    }}
}}
server home {{
    listen {{
        type = acct
        ipaddr = 127.0.0.1
        port = {port}
    }}
    accounting {{
        detail
    }}
}}
"""

ATTRIBUTE: Final = re.compile(r"\t([\w.-]+(?::[0-9]+)?) = (.*)")
OWN: Final = frozenset({"Packet-Type", "Timestamp"})
"""Lines that the detail module adds, beside those about addresses (`Packet-...`)."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """One Accounting-Request that FreeRADIUS took: its attributes by the names of its own dictionary, as its detail file writes them."""

    attributes: tuple[tuple[str, str], ...]

    def values(self, name: str) -> list[str]:
        """The values of one attribute in their order, text without its quotes."""
        return [value.removeprefix('"').removesuffix('"') for other, value in self.attributes if other == name]


@dataclass(frozen=True, slots=True)
class FreeRadius:
    """The server.

    address:  where it takes accounting.
    secret:   what it expects packets to be signed with.
    """

    address: tuple[str, int]
    secret: str
    detail: Path

    def arrived(self) -> list[Arrived]:
        """Everything it took so far, a retransmission it answered from memory excepted."""
        blocks = self.detail.read_text().split("\n\n")[:-1]  # an empty line ends each; what follows the last is being written
        return [Arrived(tuple(_attributes(block))) for block in blocks if block.strip()]


def _attributes(block: str) -> Iterator[tuple[str, str]]:
    for line in block.splitlines():
        found = ATTRIBUTE.fullmatch(line)
        if found and found[1] not in OWN and not found[1].startswith("Packet-"):
            yield found[1], found[2]


@contextlib.contextmanager
def running_freeradius(folder: Path, *, secret: str = SECRET, port: int | None = None) -> Iterator[FreeRadius]:
    """Serve until left; its files are in `folder`.

    Args:
        folder: a folder of the test's own.
        secret: that of its one client, which is loopback.
        port: where it was before, to come back there; a free one if None.
    """
    port = free_port() if port is None else port
    (folder / "radiusd.conf").write_text(RADIUSD_CONF.format(folder=folder, modules=peers.freeradius_modules(), secret=secret, port=port))
    (folder / "detail").touch()  # below /dev, where memory's file system is, it makes none
    peer = peers.freeradius()
    command = [*peer.command, "-d", str(folder), "-n", "radiusd", "-f", "-l", "stdout"]
    with subprocess.Popen(command, env=peer.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            log = process.stdout
            assert log is not None
            said = []
            for line in log:
                said.append(line)
                if READY in line:
                    break
            else:
                raise RuntimeError(f"FreeRADIUS didn't start: {''.join(said)}")
            Thread(target=log.read, daemon=True).start()  # a full pipe would stop it
            yield FreeRadius(("127.0.0.1", port), secret, folder / "detail")
        finally:
            process.terminate()


def free_port() -> int:
    """A UDP port nobody has now: FreeRADIUS can't be asked which one it took."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
