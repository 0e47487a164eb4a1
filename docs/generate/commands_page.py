"""docs/reference/commands.md: every command of the command line, as its own help has it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, Final

from cells import code, plain
from typer.main import get_command

from gateway.cli.application import application

WORDS: Final = {int: "N", float: "N", str: "TEXT", Path: "PATH"}

HEAD: Final = """\
# Commands

What `--help` says, in one page.
"""


def write_page() -> str:
    """The whole page."""
    lines = [HEAD.rstrip("\n")]
    for name, command in _commands("tidegate", get_command(application())):
        lines += ["", *_command(name, command)]
    return "\n".join(lines) + "\n"


def _commands(name: str, command: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - typer's own click is typed by nobody
    """(name, command) of all, parents first."""
    yield name, command
    for inner in getattr(command, "commands", {}).values():
        yield from _commands(f"{name} {inner.name}", inner)


def _command(name: str, command: Any) -> Iterator[str]:  # noqa: ANN401 - as above
    yield f"## {name}"
    if command.help:
        yield from ("", inspect.cleandoc(command.help))
    shown = [parameter for parameter in command.params if parameter.name != "help" and not getattr(parameter, "hidden", False)]
    if shown:
        yield from ("", "| option | default | |", "|---|---|---|")
        yield from map(_parameter, shown)
    if command.epilog:
        yield from ("", inspect.cleandoc(command.epilog).replace("Example: ", "Example: `", 1).replace(", or: ", "`, or: `") + "`")


def _parameter(parameter: Any) -> str:  # noqa: ANN401 - as above
    if parameter.param_type_name == "argument":
        names = code((parameter.metavar or parameter.name).upper())
    else:
        values = "" if parameter.is_flag else f" {parameter.metavar or _values(parameter)}"
        names = ", ".join(code(f"{option}{values}") for option in (*parameter.opts, *parameter.secondary_opts))
    unsaid = parameter.default in (None, False, "", (), []) or callable(parameter.default)
    default = "**needed**" if parameter.required else "" if unsaid else code(_plain(parameter.default))
    text = plain(getattr(parameter, "help", None) or "")
    variable = f" Or `${parameter.envvar}`." if isinstance(parameter.envvar, str) else ""
    return f"| {names} | {default} | {text}{variable} |"


def _values(parameter: Any) -> str:  # noqa: ANN401 - as above
    """What an option without a metavar takes."""
    kind = parameter.type_descriptor.annotation
    if inspect.isclass(kind) and issubclass(kind, Enum):
        return "|".join(str(member.value) for member in kind)
    return WORDS.get(kind, "VALUE")


def _plain(value: Any) -> str:  # noqa: ANN401 - as above
    return str(getattr(value, "value", value))
