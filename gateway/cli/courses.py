"""What the simulations have in common on the command line: how fast and how long, and how they are ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:  # what a command needs is imported when it runs
    import trio

    from gateway.simulate.stream import Course


async def stop_on_interrupt(stop: trio.Event) -> None:
    """Set `stop` at the first signal, give up at the second."""
    import signal

    import trio

    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            if stop.is_set():
                raise KeyboardInterrupt
            stop.set()


def make_course(rate: str, count: int | None, duration: str | None, *, repeat: bool) -> Course:
    """What --rate, --count, --duration and --repeat say together."""
    from gateway.simulate.stream import Course
    from pipeline.settings import parse_duration

    try:
        per_second = None if rate == "max" else float(rate)
    except ValueError as error:
        raise typer.BadParameter("write a number, or max", param_hint="--rate") from error
    if per_second is not None and not 0 < per_second <= 1e9:  # noqa: PLR2004 - beyond any clock
        raise typer.BadParameter("write a number above 0, or max", param_hint="--rate")
    try:
        seconds = None if duration is None else parse_duration(duration)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--duration") from error
    return Course(rate=per_second, count=count, duration=seconds, repeat=repeat)
