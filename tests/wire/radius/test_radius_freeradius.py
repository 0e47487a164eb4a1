"""The dictionary says of every attribute what FreeRADIUS says, but for the listed names of values."""

from __future__ import annotations

import pytest
from support.freeradius_dictionary import NEWER, OTHER_VALUES, SPACED, FreeRadius, read_freeradius

from wire.radius.dictionary import Entry, dictionary

ENTRIES = [entry for _, entry in sorted(dictionary().by_path.items())]


@pytest.fixture(scope="module")
def freeradius() -> FreeRadius:
    return read_freeradius()


def test_no_attribute_is_made_up(freeradius: FreeRadius) -> None:
    assert {entry.name for entry in ENTRIES if entry.path not in freeradius.attributes} <= NEWER


def test_names_types_and_flags(freeradius: FreeRadius) -> None:
    for entry in ENTRIES:
        if said := freeradius.attributes.get(entry.path):
            assert entry.name in said.names
            assert entry.kind in said.kinds, entry.name
            assert entry.tagged == said.tagged, entry.name
            assert entry.secret >= said.hidden, entry.name


def test_no_documented_attribute_is_missing(freeradius: FreeRadius) -> None:
    """Of RADIUS itself up to 123, where the documents on accounting, tunnels, IPv6 and 802.1X end: 26 is a form, 206 an extension of its own."""
    known = {path[0] for path in dictionary().by_path if len(path) == 1}
    assert {path[0] for path in freeradius.attributes if len(path) == 1 and path[0] <= 123} - known == {26}


def test_names_of_values(freeradius: FreeRadius) -> None:
    for entry in ENTRIES:
        said = freeradius.values.get(entry.name, {})
        for number, text in entry.values.items() if entry.path in freeradius.attributes else ():
            assert text == OTHER_VALUES.get(entry.name, {}).get(number) or _spelled(entry, text) in said.get(number, set()), (entry.name, number)


def test_no_value_is_missing(freeradius: FreeRadius) -> None:
    """But those that vendors put from 217 on, one of them at 17, into attributes which aren't theirs."""
    for entry in ENTRIES:
        theirs = {number for number in freeradius.values.get(entry.name, ()) if number < 217 or len(entry.path) > 1}
        assert theirs - entry.values.keys() <= ({17} if entry.name == "Acct-Status-Type" else set()), entry.name


def _spelled(entry: Entry, text: str) -> str:
    return text.replace(" ", "-") if entry.name in SPACED else text
