"""A UDP socket's side that every listener has alike: room for bursts, waiting and draining, and the kernel's own count of what it dropped.

What the kernel dropped for want of room is read from the socket's own counter (SK_MEMINFO_DROPS of SO_MEMINFO, the `drops` column of
/proc/net/udp) after each burst, which is exact: a drop needs a full queue, and a full queue is followed by a burst. It is read every second
besides, since the next burst may have to wait: while the spool takes nothing in, the kernel goes on dropping.

Waking up, and all that is done once a burst, costs more than a datagram does: under load bursts are let grow for a moment.
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

LARGE_OCTETS: Final = 8 << 10
AMPLE_OCTETS: Final = 4 << 20
"""Behind a burst that was large comes another: it is let grow for a moment, where the queue has room for what comes in that time."""


class Heard(NamedTuple):
    """What a burst took.

    datagrams:  how many.
    octets:     of them.
    all:        whether it took all there was, as far as it can tell.
    """

    datagrams: int
    octets: int
    all: bool


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


async def serve_bursts(sock: socket.socket, drain: Drain, drops: KernelDrops, hear: Callable[[], Awaitable[Heard]], gather: float) -> None:
    """Serve a UDP socket until a drain, and then what its queue holds.

    Args:
        sock: bound and non-blocking.
        drain: what ends it.
        drops: of that socket.
        hear: takes a burst and hands it on.
        gather: seconds for which bursts are let grow under load.
    """
    wait = drain.join()
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(drops.watch)
            queue = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
            took = Heard(0, 0, True)
            while await wait.until(partial(trio.lowlevel.wait_readable, sock)):
                if took.all and took.octets >= LARGE_OCTETS and queue >= AMPLE_OCTETS:
                    await trio.sleep(gather)
                took = await hear()
            left = queue  # it holds no more: a peer that never stops can't keep us
            while left > 0 and (took := await hear()).datagrams:
                left -= max(took.octets, 1)
            nursery.cancel_scope.cancel()
    finally:
        drain.leave(wait)
