"""What the bulk API of Elasticsearch and OpenSearch says of each document.

Documents: Elasticsearch, "Bulk index or delete documents" (response body); OpenSearch, "Bulk API". Items stand in the order of the actions.

    item's status        then
    200, 201             taken; also where the failure store of a data stream took it
    409                  taken before: the document of this `_id` is there
    400, 413, 422        refused: the mapping, a pipeline or a limit doesn't let it in
    429, 408, 5xx        again
    401, 403, 404 ...    denied: a key without the right, a blocked index, a stream that isn't there; again, until nothing else is left

An answer that is no list of as many items says nothing, and all is sent again: what was taken is a duplicate then, known by its `_id`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from forwarders.destination import Refusal
from forwarders.http.answer import Answer, Statuses, words
from pipeline.errors import Fault

ANSWERS: Final = Statuses(taken=frozenset({200}))
ITEMS: Final = Statuses(taken=frozenset({200, 201, 409}))
FILTER: Final = "errors,items.*.status,items.*.error.type,items.*.error.reason"
OCTETS_PER_ITEM: Final = 1 << 10
MOST_OCTETS: Final = 16 << 20


@dataclass(frozen=True, slots=True)
class Items:
    """What became of the documents of one request, by place.

    refused:  those that won't ever be taken.
    again:    those that may be.
    denied:   those that the operator has to do something about.
    said:     of the first that is denied, else of the first to send again.
    """

    count: int
    refused: Mapping[int, Refusal]
    again: Sequence[int]
    denied: Sequence[int]
    said: Refusal

    @property
    def open(self) -> tuple[int, ...]:
        """What has to be sent once more."""
        return tuple(sorted((*self.again, *self.denied)))

    @property
    def is_progress(self) -> bool:
        """Whether anything was taken or refused."""
        return len(self.again) + len(self.denied) < self.count


def octets_for(count: int) -> int:
    """How long an answer to that many documents may be."""
    return min(MOST_OCTETS, (64 << 10) + OCTETS_PER_ITEM * count)


def read(answer: Answer, count: int) -> Items | None:
    """What an answer of status 200 says of `count` documents; None if it can't be read, or is about others."""
    try:
        said = orjson.loads(answer.text(octets_for(count)) or b"")
    except orjson.JSONDecodeError:
        return None
    items = said.get("items") if isinstance(said, dict) else None
    if not isinstance(items, list) or len(items) != count:
        return None
    refused: dict[int, Refusal] = {}
    places: dict[Fault, list[int]] = {Fault.RETRY: [], Fault.DENIED: []}
    first: dict[Fault, Refusal] = {}
    for place, item in enumerate(items):
        status, why = _item(item)
        if status is None:
            return None
        fault = ITEMS.fault(status)
        if fault in places:
            places[fault].append(place)
            first.setdefault(fault, why)
        elif fault is not None:
            refused[place] = why
    return Items(count, refused, places[Fault.RETRY], places[Fault.DENIED], first.get(Fault.DENIED) or first.get(Fault.RETRY) or Refusal(""))


def _item(item: object) -> tuple[int | None, Refusal]:
    """Status and error of `{"create": {"status": 400, "error": {"type": ..., "reason": ...}}}`."""
    result = next(iter(item.values())) if isinstance(item, dict) and len(item) == 1 else None
    status = result.get("status") if isinstance(result, dict) else None
    if type(status) is not int:
        return None, Refusal("")
    error = result.get("error") if isinstance(result, dict) else None
    said = error if isinstance(error, dict) else {"reason": error}
    detail = f"{status} {said.get('type') or ''}: {said.get('reason') or ''}"
    return status, Refusal(f"item-{status}", words(detail.encode("utf-8", "replace")))
