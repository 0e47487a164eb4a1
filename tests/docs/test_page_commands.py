"""Every command that a page shows is run, or said not to be and read by its own parser; `support.pages` says how blocks are marked."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from support.page_folder import page_folder
from support.pages import NOT_RUN, PAGES, ROOT, Block, quoted_commands, read_blocks, read_prose, read_steps, tidegate_commands
from typer.core import TyperGroup
from typer.main import get_command

from gateway.cli.application import application

WINDOWS = ("powershell", "bat")
BLOCKS = [block for page in PAGES for block in read_blocks(page)]
SHELL = [block for block in BLOCKS if block.language == "sh"]
UNMARKED = [block for block in BLOCKS if block.language not in ("sh", "console", *WINDOWS)]
RUN_PAGES = [page for page in PAGES if any(block.runs for block in read_blocks(page))]

COMMAND = re.compile(r"(\$|apt-get|chmod|curl|docker|install|kubectl|openssl|pip|python3|setpriv|sudo|sysctl|systemctl|tidegate|wecutil) ")


def where(value: Block | Path) -> str:
    return value.where if isinstance(value, Block) else str(value.relative_to(ROOT))


@cache
def tidegate() -> Any:
    return get_command(application())


def parse(arguments: Sequence[str]) -> None:
    """Raises click's UsageError for a command or an option that there isn't."""
    command, rest, context = tidegate(), list(arguments), None
    while True:
        context = command.make_context("tidegate", list(rest), parent=context, resilient_parsing=True)
        if not isinstance(command, TyperGroup) or not rest or rest[0].startswith("-"):
            return
        _, found, rest = command.resolve_command(context, rest)
        assert found is not None
        command = found


@pytest.mark.parametrize("page", RUN_PAGES, ids=where)
def test_the_commands_of_a_page_run(page: Path, tmp_path: Path) -> None:
    blocks = read_blocks(page)
    with page_folder(tmp_path / "op", blocks) as folder:
        for block in filter(lambda block: block.runs, blocks):
            for step in read_steps(block):
                code, said = folder.run(step)
                assert code == 0 or step.may_fail, f"{block.where}: {step.command}\nended with {code} and said\n{said}"
                if step.said is not None:
                    assert folder.says_as_shown(folder.ported(step.said), said), (
                        f"{block.where}: {step.command}\nis shown to say\n{step.said}\nand says\n{said}"
                    )


@pytest.mark.parametrize("block", SHELL, ids=where)
def test_a_shell_reads_what_is_for_it(block: Block) -> None:
    assert block.title == "" or block.title.startswith(NOT_RUN)
    read = subprocess.run(["bash", "-n"], input=block.text, capture_output=True, text=True, check=False)
    assert (read.returncode, read.stderr) == (0, "")


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language in ("sh", "console")], ids=where)
def test_tidegates_commands_are_there(block: Block) -> None:
    for step in read_steps(block):
        for arguments in tidegate_commands(step.command):
            parse(arguments)


@pytest.mark.parametrize("page", PAGES, ids=where)
def test_quoted_commands_are_there(page: Path) -> None:
    for line, text in quoted_commands(page):
        for arguments in tidegate_commands(text):
            try:
                parse(arguments)
            except Exception as error:
                raise AssertionError(f"{where(page)}:{line}: {text}: {error}") from error


@pytest.mark.parametrize("page", [page for page in PAGES if page.is_relative_to(ROOT / "docs")], ids=where)
def test_no_command_stands_unmarked(page: Path) -> None:
    """Indented blocks and fences without a language are run by nobody."""
    lines = [(number, line.strip()) for number, line in read_prose(page) if line.startswith("    ")]
    lines += [(block.line, line.strip()) for block in read_blocks(page) if block in UNMARKED for line in block.text.splitlines()]
    assert [(number, line) for number, line in lines if COMMAND.match(line)] == []
