"""The command line: runs a command, and turns whatever stops it into one line and an exit code.

Errors are one line each on stderr, `tidegate: what: why; what to do`; a traceback is a bug of ours. One file per command, each of which
imports what it needs when it runs: `tidegate --help` has to be quick. A reader of stdout that leaves early is nobody's error (typer sees to it).
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from typing import Final

from gateway.exit_code import ExitCode
from gateway.garbage import expect_none

FIXES: Final = {
    errno.ENOENT: "check the name",
    errno.EACCES: "run this as a user who may",
    errno.EPERM: "run this as a user who may",
    errno.EISDIR: "name a file",
    errno.ENOTDIR: "check the name",
    errno.ENOSPC: "free space there",
    errno.EROFS: "choose a place that can be written to",
}
"""What to do about errors of the system."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code.

    Args:
        arguments: those after the program's name; `sys.argv`'s unless given.
    """
    expect_none()
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # nobody's package is to join in, and looking for any takes its time
    from typer.exceptions import Abort, Exit, TyperException

    from gateway.cli.application import application

    if sys.stderr is None:  # closed by whoever started this: what there is to say goes nowhere, least of all to stdout
        sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115 - for as long as the process lives
    words = sys.argv[1:] if arguments is None else list(arguments)
    asked = next((word for word in words if not word.startswith("-")), "")
    try:
        code = application(asked)(args=words, prog_name="tidegate", standalone_mode=False)
    except Exit as stop:
        return stop.exit_code
    except (KeyboardInterrupt, Abort):
        return ExitCode.INTERRUPTED
    except TyperException as error:
        return _refuse(error.format_message().rstrip("."), getattr(getattr(error, "ctx", None), "command_path", "tidegate"))
    except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 - what isn't somebody's to act on is raised again
        return explain_failure(error)
    return code if isinstance(code, int) else ExitCode.OK


def _refuse(message: str, command: str) -> ExitCode:
    """One line about a wrong command line; none where all of the help was the answer."""
    if message:
        _complain(f"command line: {message[0].lower()}{message[1:]}; `{command} --help` lists what there is", ExitCode.USAGE)
    return ExitCode.USAGE


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
    from pipeline.errors import DeliveryError

    if isinstance(error, DeliveryError):
        return f"{error.detail or error.reason}; see that the receiver is there and takes this"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'system'}: {error.strerror}; {FIXES.get(error.errno or 0, 'the system says no more')}"
    return str(error)


def _complain(line: str, code: ExitCode) -> ExitCode:
    sys.stderr.write(f"tidegate: {line}\n")
    return code
