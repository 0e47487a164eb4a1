"""The pages that the program itself can write: `make references` writes them, `--check` says which are out of date and exits with 1."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import checks_page
import commands_page
import decisions_page
import metrics_page
import schema_page
import settings_page

FOLDER: Final = Path(__file__).parents[1]
NOTE: Final = "<!-- Written by `make references`; a test compares. Edit {source} instead. -->\n\n"
PAGES: Final[Mapping[str, tuple[str, Callable[[], str]]]] = {
    "adr/README.md": ("the decisions' titles", decisions_page.write_page),
    "reference/checks.md": ("gateway/check/examinations.py and gateway/check/prerequisites.toml", checks_page.write_page),
    "reference/commands.md": ("gateway/cli", commands_page.write_page),
    "reference/metrics.md": ("pipeline/metrics.py", metrics_page.write_page),
    "reference/schema.md": ("normalizers/mappings", schema_page.write_page),
    "reference/settings.md": ("the settings' models", settings_page.write_page),
}


def main(arguments: Sequence[str]) -> int:
    """Write all pages, or look at them; returns the exit code."""
    stale = []
    for name, (source, write) in PAGES.items():
        path, text = FOLDER / name, NOTE.format(source=source) + write()
        if "--check" not in arguments:
            path.write_text(text, "utf-8")
        elif not path.exists() or path.read_text("utf-8") != text:
            stale.append(name)
    if stale:
        print(f"docs: {', '.join(stale)} out of date: make references")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
