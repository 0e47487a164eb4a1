"""docs/adr/README.md: every decision by its title."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parents[1] / "adr"
TITLE: Final = re.compile(r"# 0*([0-9]+)\.? (.+)")

HEAD: Final = """\
# Decisions

Why it is as it is: one decision a page, with what it costs.

| | |
|---|---|
"""


def write_page() -> str:
    """The whole page."""
    return HEAD + "\n".join(map(_line, sorted(FOLDER.glob("0*.md")))) + "\n"


def _line(page: Path) -> str:
    found = TITLE.fullmatch(page.read_text("utf-8").split("\n", 1)[0])
    if found is None:
        raise ValueError(f"{page.name} doesn't begin with its number and title")
    return f"| {found[1]} | [{found[2]}]({page.name}) |"
