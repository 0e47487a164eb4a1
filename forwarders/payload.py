"""How a record is spelled where a destination leaves the choice: one row per form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Final

import orjson

from forwarders.encoders.cef import encode_cef
from forwarders.encoders.ecs import encode_ecs
from forwarders.encoders.flat_json import encode_flat_json
from forwarders.encoders.leef import encode_leef

Encode = Callable[[Mapping[str, Any]], bytes]


class Payload(StrEnum):
    """One line of text each, without a line end."""

    OCSF = "ocsf"
    """The record as it is stored: JSON, OCSF 1.8.0."""

    JSON = "json"
    """The same in one level: `{"actor.user.name": ...}`."""

    ECS = "ecs"
    """JSON, Elastic Common Schema."""

    CEF = "cef"
    LEEF = "leef"


ENCODERS: Final[Mapping[Payload, Encode | None]] = {
    Payload.OCSF: None,
    Payload.JSON: encode_flat_json,
    Payload.ECS: lambda record: orjson.dumps(encode_ecs(record)),
    Payload.CEF: encode_cef,
    Payload.LEEF: encode_leef,
}
"""From a record to its form; None for the record itself."""


def parse_record(text: bytes) -> dict[str, Any]:
    """A record as its row has it, for an encoder.

    Raises:
        ValueError: it is none; only a damaged row has such.
    """
    record = orjson.loads(text)
    if not isinstance(record, dict):
        raise ValueError("no JSON object")  # noqa: TRY004 - a value that was read, not one that was passed
    return record
