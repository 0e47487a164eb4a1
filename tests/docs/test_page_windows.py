"""What is shown for Windows is run by nobody here: it says so, and is read as far as that goes without Windows."""

from __future__ import annotations

import re

import pytest
from support.pages import PAGES, Block, read_blocks

BLOCKS = [block for page in PAGES for block in read_blocks(page) if block.language in ("powershell", "bat")]
TITLE = "On Windows"
VERBS = frozenset(
    ["Add", "Disable", "Enable", "Export", "ForEach", "Format", "Get", "Import", "Install", "Invoke", "New", "Read", "Remove", "Rename", "Restart"]
)
MORE_VERBS = frozenset(["Select", "Set", "Start", "Stop", "Test", "Where"])
"""Of "Approved Verbs for PowerShell Commands"; cmdlets that filter and loop have verbs of their own."""

PROGRAMS = frozenset(["auditpol", "certlm.msc", "certutil", "gpresult", "gpupdate", "klist", "ktpass", "net", "netsh", "nxlog", "reg", "sc.exe", "setspn"])
MORE_PROGRAMS = frozenset(["relog", "typeperf", "w32tm", "wecutil", "wevtutil", "winrm"])
CMDLET = re.compile(r"([A-Z][A-Za-z]+)-[A-Z][A-Za-z]+", re.ASCII)
ASSIGNMENT = re.compile(r"\$[A-Za-z]+(?:\.[A-Za-z]+)* \+?= ", re.ASCII)
STRING = re.compile(r'"(?:[^"`]|`.)*"|\'[^\']*\'')
PAIRS = {")": "(", "]": "[", "}": "{"}


def commands(text: str) -> list[str]:
    """The first word of each statement and of each stage of a pipeline, without what strings and comments hold."""
    found = []
    for line in text.replace("`\n", " ").splitlines():
        bare = STRING.sub("''", line).partition("#")[0].strip()
        bare = ASSIGNMENT.sub("", bare)
        found += [stage.strip().split()[0] for stage in re.split(r"[|;]|&&", bare) if stage.strip() and not set(stage.strip()) <= set("(){}'")]
    return found


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.where)
def test_it_is_marked_and_reads_as_commands(block: Block) -> None:
    assert block.title == TITLE
    assert not set(block.text) & set("“”‘’–—\t\u00a0"), "what word processors make of quotes and dashes"
    bare = STRING.sub("''", block.text)
    open_now: list[str] = []
    for character in bare:
        if character in PAIRS.values():
            open_now.append(character)
        elif character in PAIRS:
            assert open_now
            assert open_now.pop() == PAIRS[character]
    assert open_now == []
    assert bare.count('"') == 0
    for word in commands(block.text):
        cmdlet = CMDLET.fullmatch(word.lstrip("({"))
        known = cmdlet[1] in VERBS | MORE_VERBS if cmdlet else word in PROGRAMS | MORE_PROGRAMS
        assert known, f"{block.where}: {word}"
