"""What no target has fields for: labels, findings, and what the mapping didn't take. Every encoder says them in its own extension."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from forwarders.encoders.crosswalk import Record, texts

_FINDING: Final = ("type", "name", "value", "provider")
_NOTHING: Final = (None, "")

labels: Final = texts("metadata.labels")
"""Facts about the path a record came, as `uid:weak`."""


def labels_text(record: Record) -> str | None:
    """The same between commas."""
    return ", ".join(labels(record)) or None


def enrichments(record: Record) -> list[dict[str, str]]:
    """What lists and sessions say of the record's names and addresses: of each finding the texts among type, name, value, provider."""
    found = record.get("enrichments")
    if not isinstance(found, list):
        return []
    findings = ({key: one[key] for key in _FINDING if isinstance(one.get(key), str) and one[key]} for one in found if isinstance(one, Mapping))
    return [finding for finding in findings if finding]


def enrichments_text(record: Record) -> str | None:
    """The same as text: `honeytoken: user.name = svc-backup; ...`."""
    return "; ".join(f"{one.get('type', 'enrichment')}: {one.get('name', '')} = {one.get('value', '')}" for one in enrichments(record)) or None


def unmapped(record: Record) -> Iterator[tuple[str, str | list[str]]]:
    """What no row of the mapping took, under its own name: text, or texts where the name came more than once."""
    found = record.get("unmapped")
    for name, item in found.items() if isinstance(found, Mapping) else ():
        if isinstance(item, list):
            if several := [str(one) for one in item if one not in _NOTHING]:
                yield name, several
        elif item not in _NOTHING:
            yield name, str(item)
