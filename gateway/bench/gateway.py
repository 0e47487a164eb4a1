"""A gateway to be measured: the whole of it in a process, a state directory and on ports of its own; asked by its metrics and the kernel (proc(5)).

A destination that can't be reached stands behind it, so that everything is kept in the spool and nothing is spent on forwarding. At the end it is
killed: nobody needs what it holds.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from string import Template
from subprocess import PIPE
from typing import Final

import httpx2
import trio
from prometheus_client.parser import text_string_to_metric_families

from gateway.authority import Authority
from gateway.demo_certificates import make_certificates
from kernel import Engine
from pipeline.errors import DeliveryError, Fault, GatewayError, SpoolError
from pipeline.settings import SocketAddress, parse_address
from pipeline.spool.database import FILE_NAME, open_reader
from pipeline.spool.records import scan_records

START_S: Final = 30.0
SAID: Final = 2000
"""Characters of its log that are shown where it didn't start."""
TICK_S: Final = 1 / os.sysconf("SC_CLK_TCK")
UTIME, STIME = 11, 12  # fields of /proc/PID/stat behind the parenthesis
SAMPLE: Final = 2000
OURS: Final = "TIDEGATE_"
SUPERVISOR: Final = frozenset(
    {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "STATE_DIRECTORY", "CREDENTIALS_DIRECTORY"}
)
"""Variables that were meant for another gateway: systemd's, and overrides of a configuration."""
READY: Final = 6
WEF_URL: Final = "https://localhost:5986"

CONFIG: Final = Template("""\
[gateway]
name = "bench"
state_dir = "state"
engine = "$engine"

[spool]
max_bytes = "$room B"

[listeners.syslog]
udp = ["127.0.0.1:0"]
tcp = ["127.0.0.1:0"]

[listeners.syslog.tls]
addresses = ["127.0.0.1:0"]
certificate = "server.pem"
key = "server.key"

[[listeners.wef.endpoints]]
address = "127.0.0.1:0"
url = "$url"
auth = "certificate"
certificate = "server.pem"
key = "server.key"
client_ca = ["ca.pem"]

[[listeners.wef.subscriptions]]
name = "bench"
max_items = 200
max_envelope = "1 MiB"
max_time = "1 s"

[listeners.radius]
addresses = ["127.0.0.1:0"]

[[listeners.radius.clients]]
name = "bench"
cidr = "127.0.0.0/8"
secret = "file:radius.secret"

[[forwarders]]
name = "nowhere"
kind = "sensor"
layout = "splunk"
address = "tcp://$nowhere"
start = "beginning"

[metrics]
address = "127.0.0.1:0"

[log]
level = "warning"
""")


@dataclass(frozen=True, slots=True)
class Usage:
    """What its process used so far: CPU seconds of all threads, octets sent to the disk (None where the system doesn't tell)."""

    cpu_s: float
    written: int | None


@dataclass(frozen=True, slots=True)
class Spoken:
    """What its metrics said: sample values by name and labels as they are written, `tidegate_received_total`, (("listener", "..."),)."""

    samples: Mapping[tuple[str, tuple[tuple[str, str], ...]], float]

    def total(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that have these labels."""
        wanted = labels.items()
        return sum(value for (sample, found), value in self.samples.items() if sample == name and wanted <= dict(found).items())

    def buckets(self, name: str) -> list[tuple[float, float]]:
        """A histogram's: (upper bound, how many were at most that), rising."""
        return sorted((float(dict(labels)["le"]), value) for (sample, labels), value in self.samples.items() if sample == f"{name}_bucket")


@dataclass(frozen=True, slots=True)
class BenchGateway:
    """One that runs.

    authority:  issues clients' certificates.
    secret:     shared with its RADIUS client.
    """

    folder: Path
    process: trio.Process
    authority: Authority
    secret: bytes
    addresses: Mapping[tuple[str, str], SocketAddress]

    async def metrics(self) -> Spoken:
        """What it counted so far.

        Raises:
            DeliveryError: it doesn't answer.
        """
        try:
            async with httpx2.AsyncClient(trust_env=False, timeout=START_S) as client:
                answer = await client.get(f"http://{self.addresses['metrics', 'http']}/metrics")
        except httpx2.HTTPError as error:
            raise self.ended() from error
        families = text_string_to_metric_families(answer.text)
        return Spoken({(sample.name, tuple(sample.labels.items())): sample.value for family in families for sample in family.samples})

    def usage(self) -> Usage:
        """What it used so far."""
        try:
            fields = self._proc("stat").rpartition(")")[2].split()
        except OSError as error:
            raise self.ended() from error
        try:
            written = int(dict(line.split(": ") for line in self._proc("io").splitlines())["write_bytes"])
        except (OSError, KeyError, ValueError):  # hidepid, or a kernel without accounting
            written = None
        return Usage((int(fields[UTIME]) + int(fields[STIME])) * TICK_S, written)

    def memory_mb(self, name: str) -> float:
        """MiB, `VmRSS` now or `VmHWM` at most."""
        try:
            return next(int(line.split()[1]) / 1024 for line in self._proc("status").splitlines() if line.startswith(f"{name}:"))
        except (OSError, StopIteration) as error:
            raise self.ended() from error

    def _proc(self, name: str) -> str:
        return Path(f"/proc/{self.process.pid}/{name}").read_text(encoding="utf-8", errors="replace")

    def record_octets(self) -> float:
        """Octets of a record as it is forwarded, the mean of the newest. Blocks."""
        path = self.folder / "state" / FILE_NAME
        connection = open_reader(path)
        try:
            lengths = [len(kept.record) for kept in islice(scan_records(connection), SAMPLE)]
        finally:
            connection.close()
        return sum(lengths) / len(lengths) if lengths else 0.0

    def ended(self) -> GatewayError:
        """It isn't there any more, and what it said last."""
        return DeliveryError("bench", Fault.RETRY, detail=f"the gateway that was measured ended: {_last_words(self.folder)}")


@asynccontextmanager
async def bench_gateway(folder: Path, *, room: int, engine: Engine) -> AsyncIterator[BenchGateway]:
    """A gateway for the time of the block.

    Args:
        folder: an empty one, for everything it writes.
        room: octets that its spool may take.
        engine: which.

    Raises:
        SpoolError: it didn't start.
    """
    authority, secret = make_certificates(folder), secrets.token_hex(24).encode()
    (folder / "radius.secret").touch(0o600)
    (folder / "radius.secret").write_bytes(secret)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(OURS) and name not in SUPERVISOR}
    with trio.socket.socket() as nowhere:  # bound and not listening: nobody else can be there, and who connects is refused
        await nowhere.bind(("127.0.0.1", 0))
        closed = SocketAddress(*nowhere.getsockname())
        (folder / "gateway.toml").write_text(CONFIG.substitute(engine=engine, room=room, nowhere=closed, url=WEF_URL), encoding="utf-8")
        command = (sys.executable, "-m", "gateway.bench.child", "run", "--config", str(folder / "gateway.toml"))
        with (folder / "log").open("wb") as log:
            process = await trio.lowlevel.open_process(command, stdin=PIPE, stdout=PIPE, stderr=log, env=environment, start_new_session=True)
        try:
            addresses: Mapping[tuple[str, str], SocketAddress] = {}
            with trio.move_on_after(START_S):
                addresses = await _await_ready(process)
            if len(addresses) < READY:
                raise SpoolError("bench", f"the gateway to be measured didn't start: {_last_words(folder)}", "see that it can run here: tidegate check")
            yield BenchGateway(folder, process, authority, secret, addresses)
        finally:
            process.kill()
            with trio.CancelScope(shield=True):
                await process.wait()


async def _await_ready(process: trio.Process) -> dict[tuple[str, str], SocketAddress]:
    """Where it accepts, by name and transport; fewer than READY if it ended."""
    found: dict[tuple[str, str], SocketAddress] = {}
    said = b""
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    while len(found) < READY and (data := await process.stdout.receive_some(4096)):
        *lines, said = (said + data).split(b"\n")
        for words in (line.decode().split() for line in lines):
            if words[:1] == ["ready"]:
                found[words[1], words[2]] = parse_address(words[3])
    return found


def _last_words(folder: Path) -> str:
    said = (folder / "log").read_text(encoding="utf-8", errors="replace").strip()
    return said[-SAID:] or "it said nothing"
