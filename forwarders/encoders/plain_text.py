"""Text on one line: what may stand in formats whose receivers cut lines by their own idea of a line.

Python, Java, JavaScript, .NET and C disagree about what ends a line, so all of Unicode's answers count (Unicode 15.0 section 5.8 and
the C0 and C1 controls): whoever writes an event's values must not be able to begin a second event.
"""

from __future__ import annotations

import re
from typing import Final

MAX_KEY: Final = 60

_BREAK: Final = re.compile("\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_ANY_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_NO_KEY: Final = re.compile(r"[^A-Za-z0-9]+", re.ASCII)


def one_line(text: str) -> str:
    """Every control character a space, so that TAB and line breaks are none."""
    return text if text.isprintable() else _ANY_CONTROL.sub(" ", text)


def with_breaks(text: str) -> str:
    r"""Every line break, however spelled, `\n`; TAB as it is; every other control character a space. For formats that can escape `\n`."""
    return text if text.isprintable() else _CONTROL.sub(" ", _BREAK.sub("\n", text))


def new_key(name: str, taken: set[str], prefix: str = "") -> str:
    """A name as a key that isn't among `taken`, and is from now on: two names may be the same word, and neither may be lost."""
    word = f"{prefix}{key(name)}"
    found, times = word, 1
    while found in taken:
        times += 1
        found = f"{word}{times}"
    taken.add(found)
    return found


def key(name: str) -> str:
    """A name as an ASCII word that begins with a letter, at most `MAX_KEY` long."""
    word = _NO_KEY.sub("", name)[:MAX_KEY]
    return word if word[:1].isalpha() else f"x{word}"
