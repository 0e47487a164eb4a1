"""Says in the log when the spool stops taking records in, who it waits for, and when it goes on."""

from __future__ import annotations

from typing import Final

import trio

from pipeline.log import Log
from pipeline.spool.spool import Blockade
from pipeline.spool.sqlite import SqliteSpool

PAUSE_S: Final = 10.0
"""Between two lines, since a destination that is just too slow fills its quota again and again."""


async def tell_blockades(spool: SqliteSpool, log: Log) -> None:
    """Log until cancelled. What begins and ends within a pause is told by `tidegate_spool_full` alone."""
    told: Blockade | None = None
    while True:
        await spool.turned.wait()
        blockade = spool.blockade
        if blockade == told:
            continue
        if blockade is not None:
            log.warning("the spool takes nothing in; senders wait, and datagrams are dropped", why=str(blockade))
        else:
            log.info("the spool takes records in again")
        told = blockade
        await trio.sleep(PAUSE_S)
