"""Batches: what goes beside their records belongs to each of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.batches import alias_of, batch_of

from pipeline.model import Batch


@pytest.mark.parametrize(
    "beside",
    [{"aliases": alias_of(1)}, {"aliases": alias_of(1) + alias_of(2) + b"x"}, {"originals": (b"one",)}, {"sessions": (None, None, None)}],
    ids=["too few aliases", "an alias cut", "too few messages", "too many words on sessions"],
)
def test_what_is_not_there_for_each_record(beside: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="2 records"):
        replace(batch_of([1, 2]), **beside)  # type: ignore[arg-type]  # any of its fields


def test_what_is() -> None:
    batch = replace(batch_of([1, 2]), aliases=alias_of(1) + alias_of(2), originals=(b"one", b"two"), sessions=(None, None))
    assert isinstance(batch, Batch)
