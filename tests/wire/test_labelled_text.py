"""Texts of events that no table knows: what is labelled is kept under its label, and nothing is lost."""

from __future__ import annotations

import re
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.labelled_text import MAX_NAMES, parse_labels

#   text, pairs, why
TEXTS: Final = [
    ("The service stopped.", (("Message", "The service stopped."),), "no labels"),
    (
        "It was logged off.\r\n\r\nSubject:\r\n\tSecurity ID:\t\tS-1-5-18\r\n\tAccount Domain:\t\t\r\n\r\nLogon Type:\t3\r\n\r\nIt ends.\r\n",
        (("Message", "It was logged off.\nIt ends."), ("Subject.Security ID", "S-1-5-18"), ("Subject.Account Domain", ""), ("Logon Type", "3")),
        "lines: sections, an empty value, a label under none",
    ),
    (
        "It was logged off.    Subject:   Security ID:  S-1-5-18   Account Name:  DC01$    Logon Type:  3    It ends.",
        (("Message", "It was logged off.\nIt ends."), ("Subject.Security ID", "S-1-5-18"), ("Subject.Account Name", "DC01$"), ("Subject.Logon Type", "3")),
        "line breaks that became spaces; a section's end can't be told",
    ),
    ("Subject:\nName: x\nMore\nPath: C:\\a\n", (("Subject.Name", "x\nMore"), ("Subject.Path", "C:\\a")), "no indents, a value of two lines"),
    ("C:\\a\nhttp://x/\n", (("Message", "C:\\a\nhttp://x/"),), "paths and URLs are no labels"),
    ("Name: x Value: y", (("Name", "x Value: y"),), "single spaces have no structure"),
]


@pytest.mark.parametrize(("text", "pairs"), [case[:2] for case in TEXTS], ids=[case[2] for case in TEXTS])
def test_texts(text: str, pairs: tuple[tuple[str, str], ...]) -> None:
    assert parse_labels(text) == pairs


def test_names_are_bounded_and_the_rest_is_kept() -> None:
    pairs = parse_labels("\n".join(f"Label{n}: {n}" for n in range(MAX_NAMES + 10)))
    assert len(pairs) == MAX_NAMES
    assert pairs[-1][1].endswith(f"Label{MAX_NAMES + 9}: {MAX_NAMES + 9}")


@given(st.lists(st.sampled_from(["a", "Ab", ":", " ", "  ", "    ", "\t", "\n", "\r\n", "Name:", "S:", "\\", "é"]), max_size=40).map("".join))
def test_no_text_is_lost(text: str) -> None:
    kept = "".join(name + value for name, value in parse_labels(text))
    assert set(re.sub(r"[ \t\r\n:]", "", text)) <= set(kept) | {""}
