"""docs/configuration.md is written by hand, docs/reference/settings.md by the program: where both give a key's default, it is the same."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from support.pages import ROOT

from pipeline.settings import parse_duration, parse_size

HEADING = re.compile(r"##+ \[+([a-z_.]+)\]+")
KEYS = re.compile(r"`([a-z_.]+)`")
VALUE = re.compile(r"`([^`]+)`")
LITERAL = re.compile(r'".*"|[0-9]+|true|false|\[.*\]')
UNSAID = ""
"""What the program finds out as it runs."""


def rows(page: str) -> Iterator[tuple[str, list[str]]]:
    """(path of the key, its cells), a row for each key that a line names."""
    table = ""
    for line in (ROOT / page).read_text().splitlines():
        if heading := HEADING.match(line):
            table = heading[1]
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if line.startswith("| `") and table:
            yield from ((f"{table}.{key}", cells) for key in KEYS.findall(cells[0]))


def measured(text: str) -> object:
    """A quantity as its number, whatever its unit; anything else as it is."""
    for parse in (parse_size, parse_duration):
        try:
            return parse(text.strip('"'))
        except ValueError:
            continue
    return text


WRITTEN: dict[str, set[object]] = {}
for path, found in rows("docs/reference/settings.md"):
    WRITTEN.setdefault(path, set()).update(map(measured, VALUE.findall(found[2]) or [UNSAID]))

BY_HAND = [(path, VALUE.findall(cells[1])) for path, cells in rows("docs/configuration.md")]
COMPARED = [(path, values[0]) for path, values in BY_HAND if len(values) == 1 and LITERAL.fullmatch(values[0]) and UNSAID not in WRITTEN.get(path, {UNSAID})]


@pytest.mark.parametrize(("path", "value"), COMPARED)
def test_defaults_agree(path: str, value: str) -> None:
    assert measured(value) in WRITTEN[path]


def test_most_are_compared() -> None:
    assert len(COMPARED) > 60
