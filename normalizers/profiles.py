"""Profiles: which events are kept, and all the plans to map them.

A profile is one of those that ship, by name, or an operator's own TOML file of the same form, which may also map events that Tidegate doesn't:

    [profiles.ours]
    base = "mdi-current"
    [[profiles.ours.keep]]
    channel = "Security"
    providers = ["Microsoft-Windows-Security-Auditing"]
    ids = ["4624", "4625"]
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from normalizers.compiler import compile_plans
from normalizers.document import Document, read_document, shipped_texts
from normalizers.plan import ANY, Plan, Plans
from pipeline.errors import ConfigError
from wire.event import EventKey

DEFAULT_PROFILE: Final = "aatp-2020"


@dataclass(frozen=True, slots=True)
class Profile:
    """What is kept, and how everything is mapped.

    name:   as configured.
    keys:   event keys that are kept; `*` stands for any provider or ID.
    plans:  for these and all others.
    """

    name: str
    keys: frozenset[EventKey]
    plans: Plans

    def wants(self, key: EventKey) -> bool:
        """Whether an event of this key is kept."""
        channel, provider, event_id = key
        return key in self.keys or any(
            other in self.keys for other in (EventKey(channel, ANY, event_id), EventKey(channel, provider, ANY), EventKey(channel, ANY, ANY))
        )

    def may_want(self, event_id: str) -> bool:
        """Whether some event of this ID is kept, whoever wrote it."""
        return any(key.event_id in (event_id, ANY) for key in self.keys)

    def plan(self, key: EventKey) -> Plan:
        """How an event of this key is mapped: by its own tables if the profile wants it, else to a Base Event."""
        return self.plans.find(key) if self.wants(key) else self.plans.rest(key)


def load_profile(name: str | Path = DEFAULT_PROFILE) -> Profile:
    """A shipped profile by name, or the one profile of an operator's file by its path.

    Raises:
        ConfigError: no such profile or file, or the file doesn't hold what a profile may.
    """
    shipped = shipped_texts()
    if isinstance(name, str) and "/" not in name and not name.endswith(".toml"):
        document = read_document(shipped)
        if name not in document.profiles:
            close = difflib.get_close_matches(name, document.profiles, 1)
            raise ConfigError(
                f"profile {name!r}", "is unknown", f"did you mean {close[0]!r}?" if close else f"use one of {', '.join(document.profiles)}, or a file"
            )
        return Profile(name, frozenset(_keys(document, name, ())), compile_plans(document))
    try:
        own = (str(name), Path(name).read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"profile {name}", f"cannot be read: {error}") from error
    names = list(read_document([own]).profiles)
    if len(names) != 1:
        raise ConfigError(f"profile {name}", f"has {len(names)} [profiles.NAME] tables", "write exactly one")
    document = read_document([*shipped, own])
    return Profile(names[0], frozenset(_keys(document, names[0], ())), compile_plans(document))


def _keys(document: Document, name: str, within: tuple[str, ...]) -> Iterator[EventKey]:
    if name in within or name not in document.profiles:
        raise ConfigError(f"profile {name!r}", "is its own base" if name in within else "is unknown", f"use one of {', '.join(document.profiles)}")
    profile = document.profiles[name]
    if profile.base:
        yield from _keys(document, profile.base, (*within, name))
    for keep in profile.keep:
        for provider in keep.providers:
            yield from (EventKey(keep.channel, provider, event_id) for event_id in keep.ids)
