"""A gateway in a process of its own: started with a configuration, waited for by its ready lines, asked and stopped as an operator would."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

ROOT: Final = Path(__file__).parents[2]
SAMPLE: Final = re.compile(r"(?m)^(tidegate_\w+)\{([^}]*)\} ([0-9.e+]+)$|^(tidegate_\w+) ([0-9.e+]+)$")
WAIT_S: Final = 30
PAUSE_S: Final = 0.01
"""Between two looks at its counters, of which each costs it a page of them, and the test the core that it could work on."""


class EndedError(AssertionError):
    """It ended before it was ready."""

    def __init__(self, code: int, said: str) -> None:
        super().__init__(f"ended with {code}: {said}")
        self.code = code


class GatewayProcess:
    """A running gateway.

    lines:  what it said on stdout until it was ready.
    """

    def __init__(self, process: subprocess.Popen[str], config: Path) -> None:
        self.process, self.config = process, config
        self.lines: list[str] = []

    def await_ready(self, count: int) -> None:
        """Read stdout until `count` addresses accept."""
        while sum(line.startswith("ready ") for line in self.lines) < count:
            line = _stream(self.process.stdout).readline()
            if not line:
                raise EndedError(self.process.wait(WAIT_S), _stream(self.process.stderr).read())
            self.lines.append(line.rstrip("\n"))

    def address(self, name: str, transport: str) -> tuple[str, int]:
        """Where it accepts, by the name and transport of its ready line."""
        line = next(line for line in self.lines if line.startswith(f"ready {name} {transport} "))
        host, _, port = line.split()[3].rpartition(":")
        return host.strip("[]"), int(port)

    def get(self, path: str) -> tuple[int, str]:
        """(status, body) of a page of the metrics server."""
        host, port = self.address("metrics", "http")
        try:
            with urllib.request.urlopen(f"http://{host}:{port}{path}", timeout=WAIT_S) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.read().decode()

    def counters(self, prefix: str) -> Mapping[str, float]:
        """Samples whose name begins like `tidegate_` and the prefix, labels included as they stand."""
        found = {}
        for name, labels, value, bare, bare_value in SAMPLE.findall(self.get("/metrics")[1]):
            if (name or bare).removeprefix("tidegate_").startswith(prefix):
                found[f"{name}{{{labels}}}" if name else bare] = float(value or bare_value)
        return found

    def await_received(self, count: int) -> None:
        """Return once that many messages were accounted for; the test's own timeout is the limit."""
        while sum(value for name, value in self.counters("received_total").items() if "listener" in name) < count:
            time.sleep(PAUSE_S)

    def await_delivered(self, count: int) -> None:
        """Return once destinations took that many records altogether."""
        while sum(self.counters("delivered_total").values()) < count:
            time.sleep(PAUSE_S)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(WAIT_S)

    def log(self) -> str:
        """All of stderr, once it has ended."""
        return _stream(self.process.stderr).read()


@contextmanager
def running_gateway(
    config: Path, *, ready: int, environ: Mapping[str, str] | None = None, program: Sequence[str] = ("-m", "gateway")
) -> Iterator[GatewayProcess]:
    """A gateway that runs and accepts on `ready` addresses; killed at the end if it still runs."""
    command = [sys.executable, *program, "run", "--config", str(config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ, **(environ or {})}) as process:
        try:
            gateway = GatewayProcess(process, config)
            gateway.await_ready(ready)
            yield gateway
        finally:
            if process.poll() is None:
                process.kill()


def _stream(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream
