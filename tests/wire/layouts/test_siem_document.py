"""docs/protocol/siem.md prints the layouts' tables as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from wire.layouts import cef_windows, qradar, rsa, splunk

DOCUMENT: Final = Path(__file__).parents[3] / "docs" / "protocol" / "siem.md"
LAYOUTS: Final = (splunk.LAYOUT, qradar.LAYOUT, cef_windows.LAYOUT, rsa.LAYOUT)


def test_the_document_prints_what_each_layout_cannot_carry() -> None:
    section = DOCUMENT.read_text(encoding="utf-8").partition("## What a layout can't carry")[2].partition("\n## ")[0]
    rows = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in section.splitlines() if line.startswith("| `")]
    printed = [{row[0]: row[1 + at] for row in rows if row[1 + at]} for at in range(len(LAYOUTS))]
    assert printed == [dict(layout.cannot_carry) for layout in LAYOUTS]
