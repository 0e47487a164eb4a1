"""The mapping files' form: TOML checked into typed values, several files merged into one document (docs/mapping.md explains it to those who write them)."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, ValidationError

from pipeline.errors import ConfigError
from pipeline.settings import Settings

Constant = str | int | bool | list[str] | list[dict[str, str]]
Names = Annotated[tuple[str, ...], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)]

SHIPPED: Final = ("ocsf.toml", "windows.toml", "accounts.toml", "groups.toml", "ntlm.toml", "services.toml", "directory.toml", "radius.toml", "profiles.toml")


class RowSpec(Settings):
    """One row: `as` reads `from` and writes at or below `to`, with whatever its transform takes besides."""

    transforms: Names = Field(alias="as")
    sources: Names = Field(default=(), alias="from")
    to: str = ""
    unless: Names = ()
    table: str = ""
    value: Constant | None = None
    default: int = 0
    dollar: int = 3


class FillSpec(Settings):
    """Constants for a gap: set unless one of the paths, or anything below it, is present."""

    constants: dict[str, Constant] = Field(alias="set")
    unless: Names
    when: str = ""
    debug: str = ""


class UidSpec(Settings):
    """One way to make metadata.uid; the first whose `need` is present makes it."""

    parts: tuple[str, ...]
    need: str = ""
    weak: bool = False


class PartSpec(Settings):
    """A named list of rows that events share."""

    const: dict[str, Constant] = Field(default_factory=dict)
    use: Names = ()
    case: tuple[CaseSpec, ...] = ()
    rows: tuple[RowSpec, ...] = ()
    fill: tuple[FillSpec, ...] = ()
    uid: tuple[UidSpec, ...] = ()


class CaseSpec(PartSpec):
    """One branch: the first whose test holds, or that has none, is taken."""

    test: str = ""
    of: str = ""
    values: tuple[str, ...] = ()
    activity: int | None = None


class KeySpec(Settings):
    """Where events come from, for several `like` it."""

    channel: str
    provider: Names


class EventSpec(PartSpec):
    """One event of each provider; `*` for any."""

    id: str
    channel: str = ""
    provider: Names = ()
    like: str = ""
    class_name: str = Field(alias="class")
    activity: int | None = None
    message: str = ""
    missing: tuple[str, ...] = ()


class ClassSpec(Settings):
    """An OCSF class: its numbers, names and constants."""

    uid: int
    category: tuple[int, str]
    name: str
    activities: dict[int, str]
    const: dict[str, Constant] = Field(default_factory=dict)


class KeepSpec(Settings):
    """Events a profile keeps; `*` for any provider or ID."""

    channel: str
    providers: Names
    ids: Names


class ProfileSpec(Settings):
    """A profile: what its base keeps, and more."""

    base: str = ""
    keep: tuple[KeepSpec, ...] = ()


class Document(Settings):
    """All mapping files as one."""

    version: str = ""
    severity_id: int = 1
    uid_namespace: str = ""
    missing: tuple[str, ...] = ()
    observables: tuple[tuple[str, int], ...] = ()
    captions: dict[str, dict[int, str]] = Field(default_factory=dict)
    classes: dict[str, ClassSpec] = Field(default_factory=dict)
    tables: dict[str, dict[str, str | int]] = Field(default_factory=dict)
    defaults: dict[str, KeySpec] = Field(default_factory=dict)
    parts: dict[str, PartSpec] = Field(default_factory=dict)
    profiles: dict[str, ProfileSpec] = Field(default_factory=dict)
    event: tuple[EventSpec, ...] = ()


def read_document(texts: Iterable[tuple[str, str]]) -> Document:
    """Merge files, given as (name, TOML text): tables are joined, lists appended, nothing is defined twice but by a later scalar.

    Raises:
        ConfigError: no TOML, an unknown key, a value of the wrong kind, a name defined twice.
    """
    merged: dict[str, object] = {}
    for name, text in texts:
        try:
            document = tomllib.loads(text)
            Document.model_validate(document)
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(name, f"is no TOML: {error}") from error
        except ValidationError as error:
            first = error.errors()[0]
            raise ConfigError(name, f"{'.'.join(map(str, first['loc']))}: {first['msg']}", "see docs/mapping.md") from error
        for key, value in document.items():
            merged[key] = _joined(name, key, merged.get(key), value)
    return Document.model_validate(merged)


def _joined(file: str, key: str, old: object, new: object) -> object:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        if twice := sorted(old.keys() & new.keys()):
            raise ConfigError(file, f"{key}.{twice[0]} is defined twice")
        return {**old, **new}
    if isinstance(old, list) and isinstance(new, list):
        return old + new
    return new


def shipped_texts() -> list[tuple[str, str]]:
    """The mapping files that come with Tidegate, as (name, text)."""
    folder = resources.files("normalizers.mappings")
    return [(name, (folder / name).read_text("utf-8")) for name in SHIPPED]
