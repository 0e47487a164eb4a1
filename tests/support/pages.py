"""The documentation's pages: their fenced blocks, what is quoted inline, and the commands shown in them.

```sh                               run, by `bash -euo pipefail`, in the page's folder
```sh title="Not run by the tests: why"          read by `bash -n`, its tidegate commands by the command line's own parser
```console                          `$ command`, run, and below it what it says
```powershell title="On Windows"    read
```toml                             a configuration, or a part of one; with title="name.toml" it is written to that file of the page's folder
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = (*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md")), ROOT / "bench/results.md")
"""What `make docs` puts on the site."""

FENCE: Final = re.compile(r"(?P<indent> *)(?P<fence>`{3,}|~{3,}) *(?P<language>[\w+-]*)(?P<attributes>[^`]*)")
TITLE: Final = re.compile(r'title="([^"]*)"')
INLINE: Final = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
PROMPT: Final = "$ "
ASK: Final = "echo $?"
"""Follows a command that is shown to fail."""
NOT_RUN: Final = "Not run by the tests: "
BEFORE_A_COMMAND: Final = frozenset({"--", "exec", "time"})
SEPARATORS: Final = frozenset({"|", "||", "&&", ";", "&", "(", ")"})


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block.

    line:      of its first line of content, from 1.
    language:  the fence's first word, "" where there is none.
    title:     what stands above it on the site.
    """

    page: Path
    line: int
    language: str
    title: str
    text: str

    @property
    def where(self) -> str:
        """`docs/replay.md:3`."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def runs(self) -> bool:
        """Whether its commands are to be run."""
        return self.language == "console" or (self.language == "sh" and not self.title.startswith(NOT_RUN))


@dataclass(frozen=True, slots=True)
class Step:
    """A command, and what it is shown to say; None where nothing is shown.

    may_fail:  the page goes on with asking for its exit code.
    """

    command: str
    said: str | None
    may_fail: bool = False


def read_blocks(page: Path) -> list[Block]:
    """All fenced blocks of a page."""
    return _split(page)[0]


def read_prose(page: Path) -> list[tuple[int, str]]:
    """(line number, line) of everything outside of fenced blocks."""
    return _split(page)[1]


def _split(page: Path) -> tuple[list[Block], list[tuple[int, str]]]:
    blocks: list[Block] = []
    prose: list[tuple[int, str]] = []
    opened: re.Match[str] | None = None
    content: list[str] = []
    for number, line in enumerate(page.read_text("utf-8").splitlines(), 1):
        if opened is None:
            opened = FENCE.fullmatch(line)
            content = []
            if opened is None:
                prose.append((number, line))
        elif line.strip() == opened["fence"]:
            title = TITLE.search(opened["attributes"])
            blocks.append(Block(page, number - len(content), opened["language"], title[1] if title else "", "\n".join(content) + "\n"))
            opened = None
        else:
            content.append(line.removeprefix(opened["indent"]))
    assert opened is None, f"{page}: a fence isn't closed"
    return blocks, prose


def read_steps(block: Block) -> list[Step]:
    """The commands of a block that runs: all of an `sh` block is one, a `console` block has one for each prompt."""
    if block.language == "sh":
        return [Step(block.text, None)]
    steps: list[Step] = []
    lines = block.text.splitlines()
    assert lines[0].startswith(PROMPT), f"{block.where}: a console block begins with a prompt"
    while lines:
        command = lines.pop(0).removeprefix(PROMPT)
        while command.endswith("\\"):
            command += "\n" + lines.pop(0)
        said: list[str] = []
        while lines and not lines[0].startswith(PROMPT):
            said.append(lines.pop(0))
        steps.append(Step(command, "\n".join(said), may_fail=lines[:1] == [PROMPT + ASK]))
    return steps


def quoted_commands(page: Path) -> Iterator[tuple[int, str]]:
    """(line number, text) of every `tidegate ...` quoted in a sentence or a table, or in an indented block as README has them."""
    for number, line in read_prose(page):
        if line.startswith(("    tidegate ", f"    {PROMPT}tidegate ")):
            yield number, line.strip().removeprefix(PROMPT)
        for text in INLINE.findall(line):
            if text.startswith("tidegate "):
                yield number, text.replace("\\|", "|")


def tidegate_commands(script: str) -> Iterator[Sequence[str]]:
    """The arguments of every `tidegate` in a shell's script."""
    for line in script.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;()")
        lexer.whitespace_split = True
        words = list(lexer)
        for at, word in enumerate(words):
            first = at == 0 or words[at - 1] in SEPARATORS or words[at - 1] in BEFORE_A_COMMAND
            if word.endswith("/bin/tidegate") or (word == "tidegate" and first):
                rest = words[at + 1 :]
                end = next((i for i, other in enumerate(rest) if other in SEPARATORS or set(other) & set("<>")), len(rest))
                yield rest[:end]
