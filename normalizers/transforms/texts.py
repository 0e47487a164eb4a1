"""Values that stay text, or are looked up in a table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from normalizers.plan import Options, Other, Values, Written

OTHER_ID: Final = 99

_WORD: Final = re.compile(r"[^ \t\r\n]+")


def text(values: Values, _options: Options) -> Written:
    """As delivered."""
    return {"": str(values[0])}


def copy(values: Values, _options: Options) -> Written | None:
    """As it is, a number staying a number."""
    return None if values[0] is None else {"": values[0]}


def const(_values: Values, options: Options) -> Written | None:
    return None if options.value is None else {"": options.value}


def name(values: Values, options: Options) -> Written:
    """The table's word for a number; a number it doesn't have stays as delivered."""
    return {"": options.table.get(str(values[0]), str(values[0]))}


def enum(values: Values, options: Options) -> Written:
    """The table's number for a text; any other text is 99 with itself as caption (OCSF: `Other`)."""
    number = options.table.get(str(values[0]))
    return {"": Other(str(values[0])) if number is None else number}


def words(values: Values, _options: Options) -> Written:
    """Split at white space."""
    return {"": _WORD.findall(str(values[0]))}


def guid(values: Values, _options: Options) -> Written | None:
    """Without braces, in lower case."""
    bare = str(values[0]).strip("{}")
    return {"": bare.lower() if bare.isascii() else bare} if bare else None


def is_not_in(value: str, among: Sequence[str]) -> bool:
    """Test `not_in`: whether the value is there and none of the case's."""
    return value not in among


def is_in(value: str, among: Sequence[str]) -> bool:
    """Test `in`: whether the value is one of the case's."""
    return value in among
