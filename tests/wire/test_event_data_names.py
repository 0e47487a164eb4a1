"""EventData names by position and in other spellings."""

from __future__ import annotations

import pytest

from wire.event_data_names import EVENT_DATA_NAMES, event_data_names, name_inserts, spelled_name
from wire.message_texts import MESSAGE_TEXTS
from wire.providers import SECURITY_AUDITING, SERVICE_CONTROL_MANAGER


@pytest.mark.parametrize("event_id", MESSAGE_TEXTS)
def test_every_label_names_data_that_the_event_has(event_id: str) -> None:
    labelled = {label.name for section in MESSAGE_TEXTS[event_id].sections for label in section.labels}
    assert labelled <= set(EVENT_DATA_NAMES[event_id])


def test_names_belong_to_a_provider() -> None:
    assert event_data_names("7045", SERVICE_CONTROL_MANAGER)[0] == "ServiceName"
    assert event_data_names("7045", SECURITY_AUDITING) == ()


def test_values_beyond_the_names_are_numbered_by_position() -> None:
    assert name_inserts("4776", SECURITY_AUDITING, ["p", "u", "w", "s", "x"])[3:] == (("Status", "s"), ("Data5", "x"))


@pytest.mark.parametrize(("name", "expected"), [("targetUserName", "TargetUserName"), ("STATUS", "Status"), ("other", "other"), ("ſtatus", "ſtatus")])
def test_spelled_name(name: str, expected: str) -> None:
    assert spelled_name(name) == expected
