"""Numbers as tables from all over the world write them: decimal point or comma, with or without groups of three.

    POINT   1234.5    1,234.5    1.2e3
    COMMA   1234,5    1.234,5    1,2e3

`1,234` is either, so nobody can read it alone: a file has one style, and the numbers in it that leave no choice decide.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MAX_NUMBER: Final = 32
MOST: Final = 1e12
MISSING: Final = frozenset({"", "-", "nan", "n/a", "null"})
"""What stands where nothing was measured, in lower case; performance logs leave the first value of a rate out."""
GROUPING: Final = str.maketrans("", "", "\u00a0\u202f'\u2019")
SWAP: Final = str.maketrans(",.", ".,")
_NUMBER: Final = re.compile(r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)


class Decimal(StrEnum):
    """What stands before the fraction."""

    POINT = "point"
    COMMA = "comma"


def parse_number(text: str, style: Decimal) -> float | None:
    """A number of at least 0 and at most MOST; None where it isn't one in this style."""
    if len(text) > MAX_NUMBER:
        return None
    text = text.translate(GROUPING)
    text = text.translate(SWAP) if style is Decimal.COMMA else text
    if not _NUMBER.fullmatch(text):
        return None
    value = float(text.replace(",", ""))
    return value if value <= MOST else None


def is_missing(text: str) -> bool:
    """Whether it says that there is no number."""
    return len(text) <= MAX_NUMBER and text.lower() in MISSING


@dataclass(slots=True)
class Evidence:
    """What the numbers of a file say about its style: the line of the first that has to be in one, or may be in either with different values; 0 for none."""

    point: int = 0
    comma: int = 0
    either: int = 0

    def take(self, text: str, line: int) -> bool:
        """One more number; False if it is none in any style."""
        as_point, as_comma = parse_number(text, Decimal.POINT), parse_number(text, Decimal.COMMA)
        if as_point is None and as_comma is None:
            return False
        if as_comma is None:
            self.point = self.point or line
        elif as_point is None:
            self.comma = self.comma or line
        elif as_point != as_comma:
            self.either = self.either or line
        return True
