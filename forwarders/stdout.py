"""The stdout destination: one record a line on standard output, for pipes and for looking.

Whole lines always: one that was cut off by a failure is finished before anything else is written. Nothing blocks: a pipe is written to only when it has
room, and then no more than it must have (PIPE_BUF, POSIX.1-2024 write()), so that a reader that stops reading stops this destination and nothing else.
"""

from __future__ import annotations

import os
import select
from typing import Final

import trio

from forwarders.destination import Delivered, Limits
from pipeline.errors import DeliveryError, Fault
from pipeline.spool.row import Row

STDOUT: Final = 1


class StdoutDestination:
    """Writes to a descriptor that it doesn't own.

    Args:
        descriptor: a pipe, terminal or file.
    """

    limits: Final = Limits()

    def __init__(self, descriptor: int = STDOUT) -> None:
        self._descriptor = descriptor
        self._rest = b""

    async def open(self, state: bytes) -> None:
        """Nothing to get ready, and no state to go by."""

    async def deliver(self, row: Row) -> Delivered:
        lines = self._rest + row.ndjson()
        begun = 1 if self._rest else 0
        at = 0
        try:
            while at < len(lines):
                await self._writable()
                at += os.write(self._descriptor, lines[at : at + select.PIPE_BUF])
        except OSError as error:
            whole = lines.count(b"\n", 0, at) + (at > 0 and lines[at - 1] != ord("\n"))
            raise DeliveryError("write", Fault.RETRY, detail=error.strerror or str(error), taken=max(0, whole - begun)) from error
        finally:
            self._rest = lines[at : lines.find(b"\n", at) + 1] if at and lines[at - 1] != ord("\n") else b""
        return Delivered()

    async def _writable(self) -> None:
        try:
            await trio.lowlevel.wait_writable(self._descriptor)
        except PermissionError:  # epoll's answer for a regular file, which always is
            await trio.lowlevel.checkpoint()

    async def close(self) -> None:
        """Nothing to let go of."""
