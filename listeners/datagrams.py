"""A UDP socket's side that every listener has alike: room for bursts, waiting and draining, and the kernel's own count of what it dropped.

What the kernel dropped for want of room is read from the socket's own counter (SK_MEMINFO_DROPS of SO_MEMINFO, the `drops` column of
/proc/net/udp) after each burst, which is exact: a drop needs a full queue, and a full queue is followed by a burst. It is read every second
besides, since the next burst may have to wait: while the spool takes nothing in, the kernel goes on dropping.

Waking up, and all that is done once a burst, costs more than hundreds of datagrams do: bursts are let grow for some milliseconds.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, NamedTuple

import trio

from listeners.bind import ask_receive_buffer, bound_address
from listeners.drain import Drain
from pipeline.log import Log
from pipeline.metrics import Metrics

LARGEST_DATAGRAM: Final = 64 << 10

SO_MEMINFO: Final = 55
"""include/uapi/asm-generic/socket.h, Linux 4.12; Python has no name for it."""

MEMINFO: Final = struct.Struct("=9I")
DROPS: Final = 8
"""include/uapi/linux/sock_diag.h: SK_MEMINFO_DROPS."""

DROPS_SECONDS: Final = 1.0

ENOUGH_OCTETS: Final = 512 << 10
"""Of a burst that needn't grow: what is done once a burst is little beside it."""

LARGE_OCTETS: Final = 8 << 10
"""Of a burst behind which another is likely to come at once."""

FASTEST: Final = 1e9
"""Octets a second that may come after silence (10 Gbit/s): while bursts grow, they fill no more than a fourth of the queue."""

OVERHEAD: Final = 32
"""The queue is measured in what it takes to store datagrams, many times their octets where they are small: so much of it is enough for a burst."""


class Heard(NamedTuple):
    """What a burst took.

    datagrams:  how many.
    octets:     of them.
    all:        whether it took all there was, as far as it can tell.
    """

    datagrams: int
    octets: int
    all: bool


class Spacing:
    """How far apart bursts are: as far as it takes for enough to come, by what came in the last one's time.

    Args:
        most: seconds for which bursts are let grow.
        behind: octets of a burst behind which the next one is; 1 where nobody waits for an answer.
        queue: octets of the socket's receive buffer.
        now: of the clock.
    """

    def __init__(self, most: float, behind: int, queue: int, now: float) -> None:
        self._most: Final = min(most, queue / 4 / FASTEST)
        self._behind: Final = behind
        self._enough: Final = min(ENOUGH_OCTETS, queue // OVERHEAD)
        self._last = now

    def pause(self, took: Heard, began: float, now: float) -> float:
        """Seconds for which to let the next burst grow, now that one is handed on that was taken at `began`."""
        apart, self._last = began - self._last, began
        if not took.all or took.octets < self._behind:
            return 0.0
        return max(0.0, min(self._most, apart * self._enough / took.octets - (now - began)))


def ask_room(name: str, sock: socket.socket, octets: int, log: Log) -> None:
    """Ask the kernel for a receive buffer, and say what it gave."""
    got = ask_receive_buffer(sock, octets)
    facts = {"listener": name, "address": str(bound_address(sock)), "asked": octets, "got": got}
    if got < octets:
        log.warning("smaller receive buffer than asked: bursts may be dropped; raise sysctl net.core.rmem_max or grant CAP_NET_ADMIN", **facts)
    else:
        log.info("receive buffer", **facts)


class KernelDrops:
    """What the kernel dropped at one socket, counted for one listener."""

    def __init__(self, name: str, sock: socket.socket, metrics: Metrics) -> None:
        self._sock: Final = sock
        self._counter: Final = metrics.kernel_drops.labels(name, str(bound_address(sock)))
        self._drops = 0
        self.count()  # a passed socket may have dropped some while no gateway ran: the series never shows a smaller number between two

    def count(self) -> None:
        """Count what was dropped since the last call."""
        drops: int = MEMINFO.unpack(self._sock.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, MEMINFO.size))[DROPS]
        self._counter.inc((drops - self._drops) % (1 << 32))
        self._drops = drops

    async def watch(self) -> None:
        """Count for ever."""
        while True:
            await trio.sleep(DROPS_SECONDS)
            self.count()


async def serve_bursts(
    sock: socket.socket, drain: Drain, drops: KernelDrops, hear: Callable[[], Awaitable[Heard]], gather: float, *, behind: int = LARGE_OCTETS
) -> None:
    """Serve a UDP socket until a drain, and then what its queue holds.

    Args:
        sock: bound and non-blocking.
        drain: what ends it.
        drops: of that socket.
        hear: takes a burst and hands it on.
        gather: seconds for which bursts are let grow.
        behind: octets of a burst behind which the next one is.
    """
    wait = drain.join()
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(drops.watch)
            queue = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
            spacing = Spacing(gather, behind, queue, trio.current_time())
            while await wait.until(partial(trio.lowlevel.wait_readable, sock)):
                expected = True
                while expected and wait.ended_by is None:
                    began = trio.current_time()
                    took = await hear()
                    if pause := spacing.pause(took, began, trio.current_time()):
                        await trio.sleep(pause)
                    expected = pause > 0 and took.octets >= LARGE_OCTETS  # asking whether it is there costs more than finding out
            left = queue  # it holds no more: a peer that never stops can't keep us
            while left > 0 and (took := await hear()).datagrams:
                left -= max(took.octets, 1)
            nursery.cancel_scope.cancel()
    finally:
        drain.leave(wait)
