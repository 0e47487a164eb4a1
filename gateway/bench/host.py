"""The machine under a measurement, as far as it decides what is measured: processor, cores, memory, and the file system of a folder.

A container may use less than its host has: cores are those this process may run on, within its control group's quota, and memory likewise
(cgroups(7), version 2).
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

Known = TypeVar("Known")

CPUINFO: Final = Path("/proc/cpuinfo")
MEMINFO: Final = Path("/proc/meminfo")
MOUNTS: Final = Path("/proc/self/mountinfo")
CGROUP: Final = Path("/sys/fs/cgroup")
MIB: Final = 1 << 20
IN_MEMORY: Final = frozenset({"tmpfs", "ramfs"})
"""File systems that a commit doesn't make durable."""


@dataclass(frozen=True, slots=True)
class Host:
    """A machine.

    processor:   its model, empty where it can't be known.
    cores:       that may be used, in part where a quota says so.
    memory_mb:   MiB that may be used; 0 where it can't be known.
    system:      kernel and release.
    filesystem:  of the spool's folder, empty where it can't be known.
    """

    processor: str
    cores: float
    memory_mb: int
    system: str
    filesystem: str

    @property
    def in_memory(self) -> bool:
        """Whether what is written there is gone with the power."""
        return self.filesystem in IN_MEMORY


def read_host(folder: Path) -> Host:
    """This machine; `folder` is where a spool is to be."""
    cores = float(len(os.sched_getaffinity(0)))
    quota = _known(lambda: _quota((CGROUP / "cpu.max").read_text(encoding="ascii")), cores)
    memory = _known(lambda: _memory(MEMINFO.read_text(encoding="ascii")), 0)
    limit = _known(lambda: int((CGROUP / "memory.max").read_text(encoding="ascii")), memory)
    return Host(
        processor=_known(lambda: _processor(CPUINFO.read_text(encoding="utf-8", errors="replace")), ""),
        cores=min(cores, quota),
        memory_mb=min(memory, limit) // MIB,
        system=f"{platform.system()} {platform.release()}",
        filesystem=_known(lambda: find_filesystem(MOUNTS.read_text(encoding="utf-8", errors="replace"), folder.resolve()), ""),
    )


def find_filesystem(mounts: str, folder: Path) -> str:
    """The type of the file system that holds `folder`, by mountinfo (proc_pid_mountinfo(5)); empty where that doesn't say."""
    found, deepest = "", -1
    for line in mounts.splitlines():
        left, dash, right = line.partition(" - ")
        fields = left.split(" ")
        if not dash or len(fields) < 5:  # noqa: PLR2004 - the mount point is the fifth
            continue
        point = Path(fields[4].encode("utf-8", "replace").decode("unicode_escape", "replace") if "\\" in fields[4] else fields[4])
        depth = len(point.parts)
        if depth >= deepest and folder.is_relative_to(point):  # of two on one place the later hides the earlier
            found, deepest = right.split(" ", 1)[0], depth
    return found


def _quota(text: str) -> float:
    allowed, period = text.split()
    return float("inf") if allowed == "max" else int(allowed) / int(period)


def _memory(text: str) -> int:
    return next(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("MemTotal:"))


def _processor(text: str) -> str:
    return next(line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name"))


def _known(read: Callable[[], Known], otherwise: Known) -> Known:
    with suppress(OSError, ValueError, StopIteration, ZeroDivisionError):
        return read()
    return otherwise
