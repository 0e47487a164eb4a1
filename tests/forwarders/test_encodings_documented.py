"""docs/forwarders/encodings.md has every field that an encoder writes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from support import records

from forwarders.encoders.asim import encode_asim
from forwarders.encoders.cef import encode_cef
from forwarders.encoders.ecs import encode_ecs
from forwarders.encoders.leef import encode_leef
from wire.cef import parse_cef
from wire.leef import parse_leef

PAGE = (Path(__file__).parents[2] / "docs" / "forwarders" / "encodings.md").read_text("utf-8")
WORDS = frozenset(word for span in re.findall(r"`([^`]+)`", PAGE) for word in (span, span.removeprefix("."), span.rpartition(".")[2]))
EVERYWHERE = {"ecs", "data_stream", "kind", "module", "dataset", "related"}
COUNTED = {"EventCount", "EventSchemaVersion"}


def ecs_fields(node: dict[str, Any]) -> set[str]:
    found = set()
    for name, item in node.items():
        if name not in {"event_data", "attributes", *EVERYWHERE}:
            found |= ecs_fields(item) if isinstance(item, dict) else {name}
    return found


@pytest.mark.parametrize("name", records.NAMES)
def test_every_field(name: str) -> None:
    record = records.fixture_record(name) | {"unmapped": {}}
    table, row = encode_asim(record)
    columns = row.keys() | (row["AdditionalFields"].keys() if "AdditionalFields" in row else set()) - {"EventData"}
    cef = {key for key, _ in parse_cef(encode_cef(record).decode()).extension if not key.endswith("Label")}
    leef = {key for key, _ in parse_leef(encode_leef(record).decode()).attributes}
    assert f"`{table}`" in PAGE
    assert (ecs_fields(encode_ecs(record)) | columns | cef | leef) - WORDS - COUNTED - {"AdditionalFields"} == set()
