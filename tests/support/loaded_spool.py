"""A program to be killed: a listener's load into the spool, and a file destination behind it.

    loaded_spool.py STATE_DIR OUTPUT FIRST

Submits records named FIRST, FIRST + 1, ... for ever, some of them twice, and writes the name of each batch's last one to stdout once its receipt says that
it is durable.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import structlog
import trio

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.batches import batch_of

from forwarders.common_settings import RetrySettings
from forwarders.delivery import Delivery
from forwarders.file import FileDestination
from forwarders.file_settings import FileSettings
from pipeline.intake import Intake
from pipeline.metrics import Metrics
from pipeline.rejects import Rejects
from pipeline.spool.settings import SpoolSettings
from pipeline.spool.sqlite import open_spool

AT_ONCE = 4
BATCH = 50


async def main(state_dir: Path, output: Path, first: int) -> None:
    metrics = Metrics()
    settings = FileSettings(name="archive", kind="file", path=output, rotate_bytes=200_000)
    spool = open_spool(state_dir, SpoolSettings(), [settings.consumer()], metrics)
    intake = Intake(spool, metrics, Rejects())
    delivery = Delivery(
        "archive", spool, FileDestination(settings), wants=None, retry=RetrySettings(), metrics=metrics, log=structlog.get_logger(), random=lambda: 0.5
    )

    async def listen(listener: int) -> None:
        for batch in range(sys.maxsize):
            start = first + (batch * AT_ONCE + listener) * BATCH
            receipt = await intake.submit(batch_of(range(max(first, start - 7), start + BATCH), listener=f"listeners.{listener}", octets=300))
            await receipt.wait()
            os.write(sys.stdout.fileno(), b"%d\n" % (start + BATCH - 1))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(intake.run)
        nursery.start_soon(delivery.run)
        for listener in range(AT_ONCE):
            nursery.start_soon(listen, listener)


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
