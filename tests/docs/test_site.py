"""The documentation's site has every page in its navigation once, and no link of a page leads to a file that isn't there.

`make docs` builds it, and looks at anchors.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from support.pages import PAGES, ROOT, read_prose

LINK = re.compile(r"\[(?:[^\]\[]|\[[^\]]*\])*\]\(([^)\s]+)[^)]*\)")
LIST = re.compile(r"([-*]|[0-9]+[.]) ")
ESCAPED_BAR = re.compile(r"`[^`]*\\[|][^`]*`")
ELSEWHERE = ("http://", "https://", "mailto:", "#")


def named(entry: object) -> Iterator[str]:
    """Every page of a part of the navigation."""
    if isinstance(entry, str):
        yield entry
    elif isinstance(entry, list):
        for part in entry:
            yield from named(part)
    elif isinstance(entry, dict):
        for part in entry.values():
            yield from named(part)


def test_every_page_is_in_the_navigation_once() -> None:
    site = tomllib.loads((ROOT / "docs/zensical.toml").read_text())["project"]
    assert sorted(named(site["nav"])) == sorted(str(page.relative_to(ROOT)) for page in PAGES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page: Path) -> None:
    links = [(number, link.partition("#")[0]) for number, line in read_prose(page) for link in LINK.findall(line) if not link.startswith(ELSEWHERE)]
    assert [(number, link) for number, link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_both_readers_of_markdown_see_the_same(page: Path) -> None:
    """The site's wants an empty line before a list or a table, and knows no escaped bar in code."""
    lines = read_prose(page)
    found = []
    for (number, line), (after, following) in pairwise(lines):
        begins = (LIST.match(following) and not LIST.match(line.lstrip())) or (following.startswith("|") and not line.startswith("|"))
        if begins and after == number + 1 and line.strip() and not line.startswith("  "):
            found.append(after)
        if ESCAPED_BAR.search(following):
            found.append(after)
    assert found == []
