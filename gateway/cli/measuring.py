"""What `tidegate bench` and `tidegate size --measure` share: a measurement of this host, with a line on a terminal that says how far it is."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # what a command needs is imported when it runs
    from gateway.bench.report import Report
    from gateway.config import Config

CLEAR = "\r\x1b[K"


def run_measurement(config: Config, *, rows: str | None, seconds: float, noise: float, folder: Path | None) -> Report:
    """Measure these rows on this host.

    Raises:
        ConfigError: there is no such row, or no place for the spool.
        KeyboardInterrupt: it was told to stop; nothing is left behind.
    """
    import trio

    from gateway.bench.measure import choose_place, measure
    from gateway.bench.rows import Load, choose_rows

    chosen, place = choose_rows(rows), choose_place(config.gateway.state_dir, folder)

    async def run() -> Report:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_give_up_on_signal)
            report = await measure(chosen, Load(seconds, noise), place, engine=config.gateway.engine, tell=_show)
            nursery.cancel_scope.cancel()
        return report

    try:
        return trio.run(run)
    finally:
        if sys.stderr.isatty():
            sys.stderr.write(CLEAR)


async def _give_up_on_signal() -> None:
    import signal

    import trio

    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            raise KeyboardInterrupt


def _show(doing: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"{CLEAR}measuring {doing}")
        sys.stderr.flush()
