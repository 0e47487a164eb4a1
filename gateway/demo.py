"""`make run`: a gateway on this machine, simulated domain controllers and a VPN server that report to it, and every record it keeps as a line to read.

It is the real gateway, with a configuration of its own in `.demo/`, on loopback ports that need no privilege: 5514, 5986, 1813 and 9464, or whichever
are free. The senders speak to it over its sockets, the lines are read from the file that it forwards to. Certificates for Windows Event Forwarding
are made there too, by an authority of its own, at the first start and again when they are about to expire; and the secret that the VPN server shares.
"""

from __future__ import annotations

import io
import os
import secrets
import socket
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Final

import trio

from gateway.app import run_gateway
from gateway.authority import Authority
from gateway.cli import explain_failure
from gateway.config import load
from gateway.demo_certificates import make_certificates
from gateway.demo_records import HEADING, Reader
from gateway.simulate.messages import USUAL_HEADERS, Header
from gateway.simulate.radius import simulate_radius
from gateway.simulate.radius_client import Way
from gateway.simulate.radius_flavours import BY_NAME as FLAVOURS
from gateway.simulate.radius_link import parse_server
from gateway.simulate.stream import Course, stream_syslog
from gateway.simulate.target import Target, parse_target
from gateway.simulate.wef import simulate_wef
from gateway.simulate.wef_certificate import issue_certificate, make_context
from gateway.simulate.wef_machine import Habits
from gateway.simulate.wef_manager import parse_manager
from pipeline.errors import DeliveryError, SpoolError
from pipeline.spool.lock import lock_state
from wire.layouts.detect import BY_NAME

SYSLOG_PORT: Final = 5514
WEF_PORT: Final = 5986
RADIUS_PORT: Final = 1813
METRICS_PORT: Final = 9464
READY_LINES: Final = 5
SENDERS: Final = (("event-xml", "tcp", 1.0), ("splunk", "udp", 0.5), ("qradar", "udp", 0.3))
"""Layout, transport, and messages per second of each simulated sender."""
CONTROLLER: Final = "dc05.contoso.example"
CONTROLLER_RATE: Final = 0.7
"""A domain controller that forwards its events, and how many a second."""
VPN_FLAVOUR: Final = FLAVOURS["cisco-asa"]
VPN_RATE: Final = 0.4
"""A VPN server that accounts for its sessions, and how many requests a second."""
LOOK_S: Final = 0.2
AGAIN_S: Final = 1.0

CONFIG: Final = """\
# Written anew by each `make run`.
[gateway]
name = "demo"
state_dir = "state"

[listeners.syslog]
udp = ["127.0.0.1:{syslog}"]
tcp = ["127.0.0.1:{syslog}"]

[[listeners.wef.endpoints]]
address = "127.0.0.1:{wef}"
url = "https://localhost:{wef}"
auth = "certificate"
certificate = "server.pem"
key = "server.key"
client_ca = ["ca.pem"]

[[listeners.wef.subscriptions]]
name = "identity"
max_time = "1 s"
heartbeat = "60 s"

[listeners.radius]
addresses = ["127.0.0.1:{radius}"]

[[listeners.radius.clients]]
name = "vpn01"
cidr = "127.0.0.0/8"
secret = "file:radius.secret"
vendor = "{vendor}"

[[forwarders]]
name = "archive"
kind = "file"
path = "events.ndjson"
start = "beginning"

[metrics]
address = "127.0.0.1:{metrics}"

[log]
level = "warning"
"""


class Announcements(io.StringIO):
    """Stands where the gateway's stdout would: passes its lines on, and knows when it accepts."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: dict[tuple[str, str], str] = {}
        self.complete = trio.Event()

    def write(self, text: str) -> int:
        """Take whole lines."""
        for line in text.splitlines():
            words = line.split()
            if words[0] == "ready":
                self.addresses[words[1].removeprefix("listeners."), words[2]] = words[3]
        if len(self.addresses) == READY_LINES:
            self.complete.set()
        _say(text.rstrip("\n"))
        return len(text)


async def run_demo(folder: Path) -> int:
    """Run until Ctrl-C or SIGTERM; returns the exit code."""
    path, archive = folder / "gateway.toml", folder / "events.ndjson"
    authority, secret = make_certificates(folder), _make_secret(folder / "radius.secret")
    ports = {"syslog": _free_port(SYSLOG_PORT), "wef": _free_port(WEF_PORT) or _any_port(), "radius": _free_port(RADIUS_PORT)}
    path.write_text(CONFIG.format(**ports, metrics=_free_port(METRICS_PORT), vendor=VPN_FLAVOUR.vendor))
    config = load(path, {})
    reader = Reader(archive, archive.stat().st_size if archive.exists() else 0)
    colour = sys.stdout.isatty()
    announcements = Announcements()
    _say("This is a demo: a Tidegate gateway on this machine, and simulated domain controllers and a VPN server that report to it. Nothing leaves 127.0.0.1.\n")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_play, announcements, path, archive, authority, secret)
        nursery.start_soon(_follow, reader, colour)
        code = await run_gateway(config, announcements, read=lambda: load(path, {}))
        nursery.cancel_scope.cancel()
    reader.show(colour=colour)
    _say(f"\nThe demo has ended. {reader.shown} records were kept and forwarded; they are in {archive}.")
    return code


async def _play(announcements: Announcements, config: Path, archive: Path, authority: Authority, secret: bytes) -> None:
    """Once the gateway accepts: say how to take part, and send."""
    await announcements.complete.wait()
    addresses = announcements.addresses
    tidegate = _command()
    folder = config.parent
    host, _, port = addresses["syslog", "tcp"].rpartition(":")
    url = f"https://localhost:{addresses['wef', 'https'].rpartition(':')[2]}"
    accounting = f"udp://{addresses['radius', 'udp']}"
    _say(f"""
Simulated: {", ".join(f"{layout} over {transport}" for layout, transport, _ in SENDERS)}, {CONTROLLER} by Windows Event Forwarding,
and VPN sessions by RADIUS accounting ({VPN_FLAVOUR.name}); about {sum(rate for *_, rate in SENDERS) + CONTROLLER_RATE + VPN_RATE:.0f} events a second.
Send your own, from another terminal:
  {tidegate} simulate syslog --target tcp://{addresses["syslog", "tcp"]} --format cef --event 4776 --count 3
  {tidegate} simulate wef --target {url} --ca {folder}/ca.pem --authority {folder}/ca.pem --authority-key {folder}/ca.key --machines 3 --count 9
  {tidegate} simulate radius --target {accounting} --secret file:{folder}/radius.secret --flavour rras --count 9
  logger --server {host} --port {port} --tcp --octet-count hello     (no event: `{tidegate} explain --last 1 --config {config}` says why)
Look closer:
  tail -f {archive}
  {tidegate} spool status --config {config}
  curl http://{addresses["metrics", "http"]}/metrics
Ctrl-C ends it.

{HEADING}""")
    async with trio.open_nursery() as nursery:
        for layout, transport, rate in SENDERS:
            nursery.start_soon(partial(_send, parse_target(f"{transport}://{addresses['syslog', transport]}"), layout, rate))
        nursery.start_soon(_forward, url, authority, folder)
        nursery.start_soon(_account, accounting, secret)


async def _send(target: Target, layout: str, rate: float) -> None:
    """One simulated sender, which comes back whenever the gateway ends its connection."""
    while True:
        try:
            await stream_syslog(target, layout=BY_NAME[layout], header=USUAL_HEADERS.get(layout, Header.RFC5424), course=Course(rate=rate))
        except DeliveryError:
            await trio.sleep(AGAIN_S)


async def _forward(url: str, authority: Authority, folder: Path) -> None:
    """The simulated domain controller: it is told everything else by the gateway."""
    way = issue_certificate(make_context(folder / "ca.pem"), authority, CONTROLLER)
    await simulate_wef(parse_manager(url), [(CONTROLLER, way)], course=Course(rate=CONTROLLER_RATE), habits=Habits(patient=True))


async def _account(target: str, secret: bytes) -> None:
    """The simulated VPN server."""
    await simulate_radius(Way(server=parse_server(target), secret=secret), flavour=VPN_FLAVOUR, course=Course(rate=VPN_RATE))


async def _follow(reader: Reader, colour: bool) -> None:  # noqa: FBT001 - a task's arguments are positional
    while True:
        reader.show(colour=colour)
        await trio.sleep(LOOK_S)


def _make_secret(path: Path) -> bytes:
    """A new shared secret for nobody else to read."""
    path.touch(0o600)
    path.write_text(secrets.token_hex(24))
    return path.read_bytes()


def demo_folder() -> Path:
    """`.demo` where we are, or a new temporary folder where that can't be written or another demo uses it."""
    folder = Path(".demo")
    try:
        folder.mkdir(exist_ok=True)
        lock_state(folder / "state").release()
    except (OSError, SpoolError):
        return Path(tempfile.mkdtemp(prefix="tidegate-demo-"))
    return folder


def _command() -> str:
    """How `tidegate` is typed here."""
    beside = Path(sys.executable).parent / "tidegate"
    return os.path.relpath(beside) if beside.exists() else "python -m gateway"


def _free_port(port: int) -> int:
    """`port` if nothing on loopback uses it, else 0: the system then chooses."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                return 0
    return port


def _any_port() -> int:
    """A port that nothing on loopback uses, by its number: it is part of what domain controllers are told."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    """Run the demo; returns the exit code."""
    try:
        return trio.run(run_demo, demo_folder())
    except KeyboardInterrupt:
        return 130
    except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 - what isn't somebody's to act on is raised again
        return explain_failure(error)


if __name__ == "__main__":
    sys.exit(main())
