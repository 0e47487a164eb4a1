"""`tidegate replay`: files of events to OCSF records."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.run import ConfigOption
from gateway.exit_code import ExitCode
from kernel import Engine

if TYPE_CHECKING:  # what a command needs is imported when it runs
    from gateway.replay.into import Target

ALONE = ("output", "profile", "keep")
"""Parameters of a replay that no gateway takes part in."""

TOGETHER = ("to", "rate", "config")
"""Parameters of a replay into a gateway."""


class Keep(StrEnum):
    """What is kept."""

    WANTED = "wanted"
    ALL = "all"


def replay(
    context: typer.Context,
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="EVTX, event XML, NDJSON, syslog text; a folder of them; - for standard input.")],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE or -", help="Where records go; a file is replaced once it is complete.")] = Path("-"),
    profile: Annotated[str, typer.Option("--profile", metavar="NAME or FILE", help="Which events are kept.")] = "aatp-2020",
    keep: Annotated[Keep, typer.Option("--keep", help="`all` maps every other event too, to Base Event.")] = Keep.WANTED,
    engine: Annotated[Engine, typer.Option("--engine", envvar="TIDEGATE_ENGINE", help="Which implementation runs where there are two.")] = Engine.NATIVE,
    salvage: Annotated[bool, typer.Option("--salvage", help="Search EVTX chunks for records behind a broken one.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write the summary as JSON.")] = False,
    into: Annotated[bool, typer.Option("--into", help="Hand the events to the running gateway, as if they had come in by a listener.")] = False,
    to: Annotated[str, typer.Option("--to", metavar="NAME", help="With --into: only this destination gets them.")] = "",
    rate: Annotated[str, typer.Option("--rate", metavar="N|max", help="With --into: events a second.")] = "1000",
    config: ConfigOption = None,
) -> int:
    """Turn files of Windows events into OCSF records, one JSON object a line; a reconciled summary goes to standard error."""
    _check_together(context, into=into)
    if into:
        return _replay_into(paths, _target(config, to, rate), engine=engine, salvage=salvage, as_json=as_json)

    from gateway.replay.course import Replay, gather
    from gateway.replay.output import STDOUT, open_output
    from gateway.replay.report import encode_summary, render_summary
    from normalizers.native import NativeNormalizer
    from normalizers.normalizer import Normalizer
    from pipeline.escape import escape_text

    normalizer = (NativeNormalizer if engine is Engine.NATIVE else Normalizer)(profile, keep_all=keep is Keep.ALL)
    files, octets = gather(paths)
    to_terminal = output == STDOUT and sys.stdout is not None and sys.stdout.isatty()
    with _cleaned_up(), _progress(octets, shown=sys.stderr.isatty() and not to_terminal) as (tell, advance), open_output(output, files) as out:
        run = Replay(normalizer, out, tell=lambda line: tell(f"tidegate: {escape_text(line)}"), advance=advance, engine=engine, salvage=salvage)
        summary = run.run(files)
    sys.stderr.write(encode_summary(summary) if as_json else render_summary(summary))
    if summary.closed:
        _forget_stdout()
    return ExitCode.FAILED if summary.failed else ExitCode.OK


def _check_together(context: typer.Context, *, into: bool) -> None:
    """Refuse what would have no effect."""
    for name in ALONE if into else TOGETHER:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            said = "isn't for --into: the running gateway's own holds" if into else "is for --into"
            raise typer.BadParameter(said, param_hint=f"--{name}")


def _target(config: Path | None, to: str, rate: str) -> Target:
    import os

    from gateway.config import load, locate
    from gateway.replay.into import Target

    try:
        per_second = None if rate == "max" else float(rate)
    except ValueError as error:
        raise typer.BadParameter("write a number, or max", param_hint="--rate") from error
    if per_second is not None and not 0 < per_second < float("inf"):
        raise typer.BadParameter("has to be more than 0", param_hint="--rate")
    return Target(load(locate(config, os.environ), os.environ).gateway.state_dir, to, per_second)


def _replay_into(paths: list[Path], target: Target, *, engine: Engine, salvage: bool, as_json: bool) -> int:
    import trio

    from gateway.replay.course import gather
    from gateway.replay.into import replay_into
    from gateway.replay.report import encode_summary, render_summary
    from pipeline.escape import escape_text

    files, octets = gather(paths)
    with _progress(octets, shown=sys.stderr.isatty()) as (tell, advance):
        run = partial(replay_into, target, files, tell=lambda line: tell(f"tidegate: {escape_text(line)}"), advance=advance, engine=engine, salvage=salvage)
        ended = trio.run(run)
    summary = ended.summary
    if summary.files or ended.failed is None:
        sys.stderr.write(encode_summary(summary) if as_json else render_summary(summary))
    if ended.failed is not None:
        raise ended.failed
    if ended.interrupted:
        raise KeyboardInterrupt
    return ExitCode.FAILED if summary.failed else ExitCode.OK


@contextmanager
def _progress(octets: int, *, shown: bool) -> Iterator[tuple[Callable[[str], None], Callable[[int], None]]]:
    """(a way to write a line, a way to move the bar); a bar only on a terminal that records don't go to."""
    if not shown:
        yield partial(print, file=sys.stderr), lambda _octets: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    columns = (TextColumn("replay"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("replay", total=octets or None)
        yield console.print, lambda done: progress.advance(task, done)


@contextmanager
def _cleaned_up() -> Iterator[None]:
    """SIGTERM ends a replay as Ctrl-C does: nothing half-written stays behind."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _forget_stdout() -> None:
    """Keep the interpreter from complaining, as it ends, that nobody reads what it still holds."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
