"""Events of real machines on both engines: equal whole, cut, and with everything kept, and nearly all of them the kernel's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.engines import Engines

CUTS = 7


@pytest.fixture(scope="module")
def events(extra_corpus: Path) -> list[bytes]:
    """Event XML of every file."""
    paths = sorted((extra_corpus / "corpus" / "events").glob("*.ndjson"))
    return [json.loads(line)["xml"].encode() for path in paths for line in path.read_text("utf-8").splitlines()]


@pytest.mark.parametrize("keep_all", [False, True], ids=["wanted", "all"])
@pytest.mark.parametrize("profile", ["aatp-2020", "mdi-current"])
def test_whole_events(events: list[bytes], profile: str, keep_all: bool) -> None:  # noqa: FBT001 - a parameter
    engines = Engines(profile, keep_all=keep_all)
    assert engines.agree(events).received == len(events)
    assert engines.agree_on_events(events).received == len(events)
    assert engines.share_left() < 0.01


def test_events_cut_anywhere(events: list[bytes]) -> None:
    engines = Engines()
    engines.agree([event[: len(event) * part // CUTS] for event in events[::40] for part in range(1, CUTS)])
