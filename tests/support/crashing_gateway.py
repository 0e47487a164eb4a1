"""The gateway's own command line, in a process that dies (SIGKILL) at a point of its work, or whose disk refuses.

    python -m support.crashing_gateway POINT TIMES run --config FILE

    point              dies
    written            before the commit of what came in
    committed          behind it, before anybody knows
    acknowledged       when its receipt is settled, before a listener has said so
    sending            before a destination is given anything
    sent               when a destination has taken it, before the cursor moves
    moved              when the cursor has moved, before that is written
    cursor-written     before the commit of a cursor alone
    cursor-committed   behind it
    parked             when a record was parked, before that is written
    answered           when a requeued dead letter was taken, before that is written
    checkpointed       when the write-ahead log has been moved into the database
    never              not at all

TIMES is how often the point is reached. While a file `read-only` lies in the configuration's folder, the disk of the spool can't be written to.
The shipped gateway knows nothing of all this: names of its modules are patched here.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Awaitable, Callable
from functools import partial, wraps
from itertools import count
from pathlib import Path
from typing import Any

import apsw

import gateway.app
import pipeline.spool.ledger
from forwarders.delivery import Delivery
from gateway.cli import main
from pipeline.receipt import Receipt
from pipeline.spool.ledger import Ledger, Outcome, Work
from pipeline.spool.sqlite import SqliteSpool, open_spool

POINTS = ("written", "committed", "acknowledged", "sending", "sent", "moved", "cursor-written", "cursor-committed", "parked", "checkpointed")
"""Those that any load comes to."""

ANSWERED = "answered"
CHECKPOINT_PAGES = 16
VFS = "refusing"


class Crash:
    """Where this process dies."""

    def __init__(self, point: str, times: int) -> None:
        self._point, self._times, self._reached = point, times, count(1)

    def reach(self, point: str) -> None:
        if point == self._point and next(self._reached) == self._times:
            os.kill(os.getpid(), signal.SIGKILL)

    def behind(self, owner: type, name: str, point: str) -> None:
        """Die when a function returns."""
        function = getattr(owner, name)

        @wraps(function)
        def call(*arguments: Any, **named: Any) -> Any:
            result = function(*arguments, **named)
            self.reach(point)
            return result

        setattr(owner, name, call)

    def around(self, owner: type, name: str, before: str, behind: str) -> None:
        """Die before a coroutine function begins, or when it returns."""
        function: Callable[..., Awaitable[object]] = getattr(owner, name)

        @wraps(function)
        async def call(*arguments: Any) -> object:
            self.reach(before)
            result = await function(*arguments)
            self.reach(behind)
            return result

        setattr(owner, name, call)

    def in_transactions(self) -> None:
        """Die before SQLite commits, or when it has."""
        transact = Ledger.transact

        def call(ledger: Ledger, work: Work) -> Outcome:
            def commits() -> bool:
                self.reach("written" if work.group else "cursor-written")
                return False

            ledger._connection.set_commit_hook(commits)
            outcome = transact(ledger, work)
            self.reach("committed" if work.group else "cursor-committed")
            return outcome

        setattr(Ledger, "transact", call)  # noqa: B010 - as far as mypy knows, methods stay what they are

    def in_checkpoints(self) -> None:
        """Die when the write-ahead log has been moved, if there was enough of it."""
        checkpoint = Ledger._checkpoint_if_due

        def call(ledger: Ledger) -> None:
            due = ledger._wal_pages >= CHECKPOINT_PAGES
            checkpoint(ledger)
            if due:
                self.reach("checkpointed")

        setattr(Ledger, "_checkpoint_if_due", call)  # noqa: B010 - likewise


class RefusingDisk(apsw.VFS):
    """SQLite's file layer, which refuses to write while a file is there: what a file system does once it was remounted read-only."""

    def __init__(self, flag: Path) -> None:
        self.flag = flag
        super().__init__(VFS, "")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> RefusingFile:  # noqa: N802 - SQLite's name
        return RefusingFile(self.flag, name, flags)


class RefusingFile(apsw.VFSFile):
    """One of its files."""

    def __init__(self, flag: Path, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self._flag = flag
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's name
        if self._flag.exists():
            raise apsw.ReadOnlyError("as asked")
        super().xWrite(data, offset)


def arm(point: str, times: int) -> None:
    """Patch the gateway."""
    crash = Crash(point, times)
    crash.in_transactions()
    crash.behind(Receipt, "settle", "acknowledged")
    crash.around(Delivery, "_attempt", "sending", "sent")
    crash.behind(SqliteSpool, "advance", "moved")
    crash.behind(SqliteSpool, "park", "parked")
    crash.behind(SqliteSpool, "answer", ANSWERED)
    crash.in_checkpoints()
    pipeline.spool.ledger.CHECKPOINT_PAGES = CHECKPOINT_PAGES  # type: ignore[misc]


if __name__ == "__main__":
    point, times, *arguments = sys.argv[1:]
    assert point in (*POINTS, ANSWERED, "never")
    arm(point, int(times))
    disk = RefusingDisk(Path(arguments[-1]).parent / "read-only")
    gateway.app.open_spool = partial(open_spool, vfs=VFS)  # type: ignore[attr-defined]
    sys.exit(main(arguments))
