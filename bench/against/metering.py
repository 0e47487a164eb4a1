"""What a receiver costs: CPU seconds and memory of its processes, as the kernel accounts them (proc(5))."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TICK_S: Final = 1 / os.sysconf("SC_CLK_TCK")
SETTLED_S: Final = 0.6
POLL_S: Final = 0.05
UTIME, STIME = 11, 12  # fields of /proc/PID/stat behind the parenthesis


@dataclass(frozen=True, slots=True)
class Cost:
    """cpu_s: user and system seconds; peak_mb: the most memory that was resident; wall_s: from the first octet to the last."""

    cpu_s: float
    peak_mb: float
    wall_s: float


class Process:
    """A receiver that runs."""

    def __init__(self, child: subprocess.Popen[str]) -> None:
        self.child = child

    def _processes(self) -> Iterator[Path]:
        waiting = [self.child.pid]
        while waiting:
            pid = waiting.pop()
            yield Path(f"/proc/{pid}")
            for task in Path(f"/proc/{pid}/task").iterdir():
                waiting += [int(child) for child in (task / "children").read_text().split()]

    def cpu_s(self) -> float:
        """Seconds of all its threads and children so far."""
        total = 0
        for process in self._processes():
            fields = (process / "stat").read_text().rpartition(")")[2].split()
            total += int(fields[UTIME]) + int(fields[STIME])
        return total * TICK_S

    def peak_mb(self) -> float:
        total = 0
        for process in self._processes():
            lines = (process / "status").read_text().splitlines()
            total += next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
        return total / 1024

    def settle(self, done: Callable[[], bool] = lambda: True, *, within_s: float) -> None:
        """Wait until `done`, and then until it uses no CPU any more.

        Raises:
            TimeoutError: it wasn't in time.
        """
        deadline = time.monotonic() + within_s
        while not done():
            if time.monotonic() > deadline:
                raise TimeoutError("the receiver didn't finish")
            if self.child.poll() is not None:
                raise RuntimeError(f"the receiver ended with {self.child.returncode}")
            time.sleep(POLL_S)
        used, since = self.cpu_s(), time.monotonic()
        while time.monotonic() - since < SETTLED_S and time.monotonic() < deadline:
            time.sleep(POLL_S)
            if (now := self.cpu_s()) > used + 2 * TICK_S:
                used, since = now, time.monotonic()

    @contextmanager
    def metered(self) -> Iterator[list[Cost]]:
        """Cost of what happens inside; in the list once it is left."""
        found: list[Cost] = []
        cpu, start = self.cpu_s(), time.monotonic()
        yield found
        found.append(Cost(self.cpu_s() - cpu, self.peak_mb(), time.monotonic() - start))


def watch(pid: int) -> tuple[float, int, resource.struct_rusage]:
    """Wait for a child's end: its peak memory in MB, its status and what it used. ru_maxrss would count what we had when we started it."""
    peak, status = 0.0, Path(f"/proc/{pid}/status")
    while True:
        found, code, used = os.wait4(pid, os.WNOHANG)
        if found:
            return peak, code, used
        peak = max([peak, *(int(line.split()[1]) / 1024 for line in status.read_text().splitlines() if line.startswith("VmHWM:"))])
        time.sleep(POLL_S)


@contextmanager
def running(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> Iterator[Process]:
    """Start a receiver and end it; its stdout and stderr go to files in `folder`."""
    with (folder / "stdout").open("w") as out, (folder / "stderr").open("w") as err:
        child = subprocess.Popen(command, env=dict(environment), stdout=out, stderr=err, cwd=folder, text=True, start_new_session=True)  # noqa: S603 - ours
        try:
            yield Process(child)
        finally:
            child.send_signal(signal.SIGTERM)
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
