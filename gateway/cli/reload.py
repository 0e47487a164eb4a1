"""`tidegate reload`: have the running gateway take its configuration over as the file says it now, and hear what it says to it."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from gateway.cli.run import ConfigOption

SECONDS: Final = 60.0


def reload(
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON, for programs.")] = False,
) -> int:
    """Have the running gateway read its configuration anew: all of it is taken over, with no connection lost, or nothing is, and this says why.

    The running gateway reads the file it was started with, and its own environment and --set; --config only says where to find it.
    """
    import os
    import sys

    import orjson
    import trio
    from pydantic import TypeAdapter

    from gateway.config import locate, read_state_dir
    from gateway.control import Request, ask
    from gateway.exit_code import ExitCode
    from gateway.reload import COMMAND, Reloaded, Result, render_reloaded

    answer = trio.run(lambda: ask(read_state_dir(locate(config, os.environ), os.environ), Request(COMMAND), seconds=SECONDS))
    reloaded = TypeAdapter(Reloaded).validate_python(answer)
    if as_json:
        typer.echo(orjson.dumps(answer, option=orjson.OPT_INDENT_2).decode())
    elif reloaded.result is Result.ACCEPTED:
        typer.echo(render_reloaded(reloaded), nl=False)
    else:
        sys.stderr.write("".join(f"tidegate: {problem}\n" for problem in reloaded.problems))
    return ExitCode.OK if reloaded.result is Result.ACCEPTED else ExitCode.CONFIG
