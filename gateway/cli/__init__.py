"""The command line: runs a command, and turns whatever stops it into one line and an exit code.

Errors are one line each on stderr, `tidegate: what: why; what to do`; a traceback is a bug of ours. One file per command, each of which
imports what it needs when it runs: `tidegate --help` has to be quick. A reader of stdout that leaves early is nobody's error (typer sees to it).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from gateway.exit_code import ExitCode


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code.

    Args:
        arguments: those after the program's name; `sys.argv`'s unless given.
    """
    from typer.exceptions import Abort, Exit, TyperException

    from gateway.cli.application import application

    try:
        code = application()(args=None if arguments is None else list(arguments), prog_name="tidegate", standalone_mode=False)
    except Exit as stop:
        return stop.exit_code
    except (KeyboardInterrupt, Abort):
        return ExitCode.INTERRUPTED
    except TyperException as error:
        return _complain(f"{error.format_message().rstrip('.')}; `tidegate --help` lists what there is", ExitCode.USAGE)
    except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 - what isn't somebody's to act on is raised again
        return explain_failure(error)
    return code if isinstance(code, int) else ExitCode.OK


def explain_failure(error: BaseException) -> int:
    """One line per error that somebody outside can act on; anything else is ours and goes on up."""
    from pipeline.errors import ConfigError, GatewayError, leaves

    found = list(leaves(error))
    if any(isinstance(leaf, KeyboardInterrupt) for leaf in found):
        return ExitCode.INTERRUPTED
    if not all(isinstance(leaf, GatewayError | OSError) for leaf in found):
        raise error
    for leaf in found:
        for line in _sentence(leaf).splitlines():
            _complain(line, ExitCode.FAILED)
    return ExitCode.CONFIG if any(isinstance(leaf, ConfigError) for leaf in found) else ExitCode.FAILED


def _sentence(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def _complain(line: str, code: ExitCode) -> ExitCode:
    sys.stderr.write(f"tidegate: {line}\n")
    return code
