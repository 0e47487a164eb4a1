"""The folder in which a page's commands run, as its reader would have it: a gateway's configuration, keys, a secret, and by default that gateway running.

gateway.toml     the demo's, unless the page has one of its own (```toml title="gateway.toml"); $TIDEGATE_CONFIG names it
ca.pem, ca.key, server.pem, server.key, radius.secret    as the demo makes them
events.ndjson    what the demo's gateway keeps, once it has kept some
Security.evtx    600 events of a domain controller
logs/            dc02.evtx: 200 more, among them a record with a broken header; siem.log: 100 of all these as a SIEM writes them
mine.xml         a subscription of Windows' own collector, with the usual mistakes

Ports of the pages are no ports of ours: each is replaced by a free one, in commands, in what they say and in configurations alike.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from random import Random
from typing import Final

from support import peers
from support.evtx_writer import write_evtx, zero_record_size
from support.gateway_process import WAIT_S, running_gateway
from support.pages import ASK, ROOT, Block, Step

from gateway.demo import CONFIG, READY_LINES, VPN_FLAVOUR, _make_secret
from gateway.demo_certificates import make_certificates
from gateway.simulate.events import generate_events
from wire.layouts.snare import encode_event

PORTS: Final = (514, 1813, 2083, 5514, 5985, 5986, 6514, 9464)
PORT: Final = re.compile(rf"(?<=[:=\s])({'|'.join(map(str, PORTS))})(?=[\s\"'/,\]`]|$)")
HOME: Final = "/home/op"
"""What pages call the folder where the command is missing nothing but a name."""

UUID: Final = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
NUMBER: Final = re.compile(r"[0-9]+(?:[.,:/-][0-9]+)*")
SPACE: Final = re.compile(r"\s+")
LEFT_OUT: Final = "..."
LOGGED_NS: Final = 1_714_979_289_123_456_700


class PageFolder:
    """Where one page's commands run, one after another."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ports = {str(port): str(_free_port()) for port in PORTS}
        self._gateways: list[subprocess.Popen[str]] = []
        self._code = 0
        programs = folder.parent / "bin"
        programs.mkdir()
        (programs / "tidegate").write_text(f'#!/bin/sh\nexec {sys.executable} -m gateway "$@"\n')
        libraries = peers.unpacked_environment()["LD_LIBRARY_PATH"]
        (programs / "curl").write_text(f'#!/bin/sh\nLD_LIBRARY_PATH="{libraries}" exec {peers.ROOT}/usr/bin/curl "$@"\n')
        for program in programs.iterdir():
            program.chmod(0o755)
        self._environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("TIDEGATE_")},
            "PATH": f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "TIDEGATE_CONFIG": str(folder / "gateway.toml"),
            "HOME": str(folder),
            "COLUMNS": "160",
            "NO_COLOR": "1",
            "TERM": "dumb",
        }

    def ported(self, text: str) -> str:
        """The text with this folder's ports in place of the page's."""
        return PORT.sub(lambda found: self._ports[found[1]], text)

    def lay(self, name: str, text: str) -> Path:
        """Write one of the page's files."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.ported(text))
        return path

    def lay_demo(self) -> Path:
        """Everything the demo has; returns its configuration."""
        make_certificates(self.folder)
        _make_secret(self.folder / "radius.secret")
        (self.folder / "logs").mkdir()
        events = [*islice(generate_events(Random(23), lambda: LOGGED_NS, noise=0.7), 800)]
        (self.folder / "Security.evtx").write_bytes(write_evtx(events[:600]))
        (self.folder / "logs/dc02.evtx").write_bytes(zero_record_size(write_evtx(events[600:]), 50))
        (self.folder / "logs/siem.log").write_bytes(b"".join(b"<134>May  6 07:08:09 dc01 %b\n" % encode_event(event) for event in events[540:640]))
        shutil.copy(ROOT / "fixtures/wef/collector-subscription.xml", self.folder / "mine.xml")
        return self.lay("gateway.toml", CONFIG.format(syslog=5514, wef=5986, radius=1813, metrics=9464, vendor=VPN_FLAVOUR.vendor))

    def run(self, step: Step) -> tuple[int, str]:
        """Run a command to its end; `tidegate run` until it has said as many lines as it is shown to say.

        Returns its exit code and what it said.
        """
        if step.command == ASK:
            return 0, f"{self._code}\n"
        command = self.ported(step.command)
        if command.startswith("tidegate run"):
            return 0, self._start(command, len((step.said or "ready").splitlines()))
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=self.folder,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=WAIT_S,
            check=False,
        )
        self._code = done.returncode
        return done.returncode, done.stdout

    def _start(self, command: str, lines: int) -> str:
        process = subprocess.Popen(["bash", "-c", f"exec {command}"], cwd=self.folder, env=self._environ, stdout=subprocess.PIPE, text=True)
        self._gateways.append(process)
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(lines)]
        assert all(said), f"{command}\nended with {process.wait(WAIT_S)}"
        return "".join(said)

    def stop(self) -> None:
        """End every gateway that the page started, in order."""
        for process in self._gateways:
            process.send_signal(signal.SIGTERM)
            assert process.wait(WAIT_S) == 0
            assert process.stdout is not None
            process.stdout.close()

    def says_as_shown(self, shown: str, said: str) -> bool:
        """Whether a page's lines are what a command said, but for numbers, uids and white space; `...` stands for any lines."""
        ours = [self._plain(line) for line in said.splitlines() if line.strip()]
        at = 0
        open_ended = False
        for line in filter(str.strip, shown.splitlines()):
            if line.strip() == LEFT_OUT:
                open_ended = True
                continue
            wanted = self._plain(line)
            while open_ended and at < len(ours) and ours[at] != wanted:
                at += 1
            if at >= len(ours) or ours[at] != wanted:
                return False
            at, open_ended = at + 1, False
        return open_ended or at == len(ours)

    def _plain(self, line: str) -> str:
        line = line.replace(str(self.folder), HOME)
        return SPACE.sub(" ", NUMBER.sub("0", UUID.sub("UUID", line))).strip()


@contextmanager
def page_folder(folder: Path, blocks: list[Block]) -> Iterator[PageFolder]:
    """A page's folder, with its files laid; the demo's gateway runs in it unless the page has a `gateway.toml` of its own."""
    folder.mkdir()
    page = PageFolder(folder)
    config = page.lay_demo()
    own = {block.title: block.text for block in blocks if block.language == "toml" and block.title.endswith(".toml")}
    for name, text in own.items():
        page.lay(name, text)
    with ExitStack() as running:
        if "gateway.toml" not in own:
            running.enter_context(running_gateway(config, ready=READY_LINES))
        try:
            yield page
        finally:
            page.stop()


def _free_port() -> int:
    """A port of loopback that is free for TCP and UDP."""
    while True:
        with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
            stream.bind(("127.0.0.1", 0))
            port = int(stream.getsockname()[1])
            try:
                datagrams.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
