"""Any event's rendered text as (name, value) pairs, without knowing the event: what is labelled is kept under its label.

    An account was logged off.          Message                the text before the first label
                                        (blank line)
    Subject:                            a heading
    <TAB>Security ID:<TAB>S-1-5-18      Subject.Security ID    a label under a heading
                                        (blank line)
    Logon Type:<TAB>3                   Logon Type             a label under none

Texts whose line breaks became two or more spaces (Snare, RSA) are read the same way: four and more stand for a blank line. A text
that was flattened to single spaces has no structure to see and is one Message, as is one without labels. No text is lost: what
follows a label's line belongs to its value, what follows a blank line to Message. Names are bounded; past that, text stays together.
"""

from __future__ import annotations

import re
from typing import Final

FREE_TEXT: Final = "Message"
MAX_NAMES: Final = 128

_WHITE: Final = " \t\r\n"
_BREAK: Final = re.compile(r"\r\n|\n|\r")
_GAP: Final = re.compile(r" {2,}")
_BLANK_LINE_SPACES: Final = 4
_LABEL: Final = re.compile(r"([ \t]*)([A-Za-z][^:\r\n]{1,62}):(?![\\/])[ \t]*(.*)", re.DOTALL)


def parse_labels(text: str, heading: str = "") -> tuple[tuple[str, str], ...]:
    """(name, value) pairs in the text's order, free text as `Message`; `heading` is the section the text begins in."""
    lines = _BREAK.split(text)
    if len(lines) == 1:
        lines = _BREAK.split(_GAP.sub(lambda gap: "\n\n" if len(gap[0]) >= _BLANK_LINE_SPACES else "\n", text.strip(_WHITE)))
    pairs: list[tuple[str, list[str]]] = []
    free: list[str] = []
    names = 0
    current, indent = free, 0
    for number, line in enumerate(lines):
        found = _LABEL.fullmatch(line) if names < MAX_NAMES else None
        if found is not None and _is_heading(lines, number, found):
            heading, current, indent = found[2], free, 0
        elif found is not None:
            names += 1
            if len(found[1]) < indent:  # a line further left than its section's lines ends the section
                heading = ""
            indent = len(found[1])
            current = [found[3]]
            pairs.append((f"{heading}.{found[2]}" if heading else found[2], current))
        elif not line.strip(_WHITE):
            current = free if any(current) else current
        else:
            current.append(line.strip(_WHITE))
    loose = ((FREE_TEXT, "\n".join(free)),) if free else ()
    return loose + tuple((name, "\n".join(value).strip(_WHITE)) for name, value in pairs)


def _is_heading(lines: list[str], number: int, found: re.Match[str]) -> bool:
    """An empty label right above another: first of its paragraph, or less indented than what follows."""
    if found[3].strip(_WHITE) or number + 1 == len(lines):
        return False
    below = _LABEL.fullmatch(lines[number + 1])
    if below is None:
        return False
    return number == 0 or not lines[number - 1].strip(_WHITE) or len(below[1]) > len(found[1])
