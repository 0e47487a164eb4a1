"""One round of one contender: started, given the workload, metered, judged; the same way for whoever it is."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from judge import WrongError, check_lines, check_spool
from metering import Cost, watch
from receivers import Receiver
from senders import Datagrams, ask_accounting, send_datagrams, send_stream
from workload import Workload

AS_INSTALLED: Final = {"PYTHONDONTWRITEBYTECODE": ""}  # a Python program is compiled at its first start, not at each
FINISH_S: Final = 300.0
MICRO: Final = 1e6
QUIET_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Sent:
    """What the sender says: a note for the report, and how many messages the kernel dropped before the receiver had them."""

    note: str = ""
    lost: int = 0


@dataclass(frozen=True, slots=True)
class Round:
    """What one round came to: cost, CPU-microseconds per message, a note."""

    cost: Cost
    us_per_message: float
    note: str = ""


Open = Callable[[Path], AbstractContextManager[Receiver]]
Send = Callable[[Workload, Receiver], Sent]


def receive(open_receiver: Open, send: Send, workload: Workload) -> Round:
    """A receiver's round. What was lost before it isn't counted for it.

    Raises:
        WrongError: it didn't do the work.
        TimeoutError: it didn't finish.
    """
    folder = Path(tempfile.mkdtemp(prefix="tidegate-bench-"))
    try:
        with open_receiver(folder) as receiver:
            with receiver.process.metered() as costs:
                sent = send(workload, receiver)
                receiver.process.settle(within_s=FINISH_S)
            if receiver.done is not None and (done := receiver.done()) < workload.messages - sent.lost:
                raise WrongError(f"{done} of {workload.messages - sent.lost} messages")
            output = receiver.output
        if output is None:
            check_spool(folder / "state", workload, lossy=bool(sent.lost))
        elif not sent.lost:
            check_lines(output, workload.wanted)
    finally:
        shutil.rmtree(folder)
    [cost] = costs
    return Round(cost, cost.cpu_s / (workload.messages - sent.lost) * MICRO, sent.note)


def stream(workload: Workload, receiver: Receiver) -> Sent:
    """Everything over one TCP connection."""
    start = time.monotonic()
    send_stream(workload.path, receiver.port)
    return Sent(f"{workload.messages / (time.monotonic() - start):,.0f} messages/s")


def datagrams(workload: Workload, receiver: Receiver, *, rate: int | None) -> Sent:
    """Everything over UDP, so many a second, or as fast as the sender can."""
    ready = Datagrams(workload.path)
    seconds = send_datagrams(ready, receiver.port, rate=rate)
    time.sleep(QUIET_S)
    lost = _dropped(receiver.port)
    return Sent(f"{len(ready) / seconds:,.0f} datagrams/s" + (f", {lost:,} lost" if lost else ", none lost"), lost)


def accounting(workload: Workload, receiver: Receiver, *, window: int) -> Sent:
    """Every request until it is answered, `window` of them at a time.

    Raises:
        RuntimeError: one never was.
    """
    ready = Datagrams(workload.path)
    start = time.monotonic()
    answered, again = ask_accounting(ready, receiver.port, window)
    if answered != len(ready):
        raise RuntimeError(f"{answered} of {len(ready)} requests were answered")
    return Sent(f"{answered / (time.monotonic() - start):,.0f} answers/s" + (f", {again} asked again" if again else ""))


def _dropped(port: int) -> int:
    """Datagrams the kernel dropped at a port for want of room (proc(5), /proc/net/udp)."""
    lines = [line.split() for line in Path("/proc/net/udp").read_text().splitlines()[1:]]
    return sum(int(fields[-1]) for fields in lines if fields[1].endswith(f":{port:04X}"))


def read_file(arguments: Sequence[str], environment: Mapping[str, str], records: int) -> Round:
    """A program that reads a file and ends.

    Raises:
        RuntimeError: it failed.
    """
    start = time.monotonic()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = subprocess.Popen(arguments, stdout=out, stderr=err, env=dict(os.environ) | AS_INSTALLED | dict(environment))  # noqa: S603 - ours
        peak, status, used = watch(child.pid)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            err.seek(0)
            raise RuntimeError(err.read().decode())
    cpu = used.ru_utime + used.ru_stime
    return Round(Cost(cpu, peak, time.monotonic() - start), cpu / records * MICRO)
