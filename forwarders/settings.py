"""Settings of the forwarders: `[[forwarders]]`, one table per destination, told apart by `kind`.

A new kind is its settings here, in KINDS and in the union, and one row of `gateway.destinations`.
"""

from __future__ import annotations

import difflib
from typing import Annotated, Final

from pydantic import BeforeValidator, Discriminator, Tag

from forwarders.file_settings import FileSettings
from forwarders.sensor_settings import RelaySettings, SensorLayout, SensorSettings
from forwarders.stdout_settings import StdoutSettings

KINDS: Final = ("file", "stdout", "sensor")
RADIUS: Final = "radius"
LAYOUTS: Final = (*map(str, SensorLayout), RADIUS)


def check_kind(value: object) -> object:
    """Refuse a table whose `kind`, or a sensor's whose `layout`, doesn't exist, with the nearest one that does."""
    if isinstance(value, dict):
        _check_word(value, "kind", KINDS, "kind of forwarder")
        if value["kind"] == "sensor":
            _check_word(value, "layout", LAYOUTS, "layout of a sensor")
    return value


def _check_word(table: dict[str, object], key: str, words: tuple[str, ...], what: str) -> None:
    word = table.get(key)
    if word in words:
        return
    near = difflib.get_close_matches(str(word), words, n=1)
    said = f"{word!r} is no {what}" if word is not None else f"{key} is missing"
    raise ValueError(f"{said}; did you mean {near[0]!r}?" if near else f"{said}; write one of {', '.join(words)}")


def _tag(value: object) -> str:
    """Which table it is: its layout where that makes it another one, else its kind."""
    kind, layout = (value.get("kind"), value.get("layout")) if isinstance(value, dict) else (getattr(value, "kind", None), getattr(value, "layout", None))
    return RADIUS if (kind, layout) == ("sensor", RADIUS) else str(kind)


ForwarderSettings = Annotated[
    Annotated[
        Annotated[FileSettings, Tag("file")]
        | Annotated[StdoutSettings, Tag("stdout")]
        | Annotated[SensorSettings, Tag("sensor")]
        | Annotated[RelaySettings, Tag(RADIUS)],
        Discriminator(_tag),
    ],
    BeforeValidator(check_kind),
]
"""One `[[forwarders]]` table."""
