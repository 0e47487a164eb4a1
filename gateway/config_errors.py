"""What is wrong with a configuration, as the command line says it: one line per mistake, `file: table.key: why; what to do`.

pydantic knows what is wrong, the models know what would be right: an unknown key is answered with the nearest name of its table. A value
never appears in a line, since it may be a secret put in the wrong place.
"""

from __future__ import annotations

import difflib
import typing
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from pipeline.errors import ConfigError

VALUE_ERROR_PREFIX: Final = "Value error, "
SHOULD_BE: Final = "Input should be "
NO_VALUE: Final = "not a value it can have"


class UnusableConfig(ConfigError):  # noqa: N818 - it says what is the case
    """All that is wrong with one configuration; each of `problems` has its own line."""

    def __init__(self, problems: Sequence[ConfigError]) -> None:
        first = problems[0]
        super().__init__(first.what, first.why, first.fix)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))


def explain_errors(source: str, model: type[BaseModel], error: ValidationError) -> UnusableConfig:
    """The operator's form of pydantic's errors about `model`; `source` is the file or whatever else held the values."""
    errors = error.errors(include_url=False, include_input=False)
    inner = {details["loc"][:length] for details in errors for length in range(len(details["loc"]))}  # what holds a mistake isn't judged itself
    found = [_explain(source, model, details) for details in errors if details["loc"] not in inner]
    return UnusableConfig(list({str(problem): problem for problem in found}.values()))


def _explain(source: str, model: type[BaseModel], details: ErrorDetails) -> ConfigError:
    place, tables = _walk(model, details["loc"])
    what = f"{source}: {place}" if place else source
    match details["type"]:
        case "extra_forbidden":
            names = sorted({_spelling(name, field) for table in tables for name, field in table.model_fields.items()})
            near = difflib.get_close_matches(str(details["loc"][-1]), names, n=1, cutoff=0.5)
            return ConfigError(what, "unknown key", f"did you mean {near[0]}?" if near else f"this table has {', '.join(names)}")
        case "missing":
            return ConfigError(what, "missing", "add it")
        case "union_tag_invalid" | "union_tag_not_found":
            facts = details.get("ctx", {})
            place, known = f"{what}.{str(facts['discriminator']).strip(chr(39))}", facts.get("expected_tags")
            return ConfigError(place, "unknown", f"use one of {known}") if known else ConfigError(place, "missing", "add it")
        case "model_type" | "dict_type" | "model_attributes_type":
            return ConfigError(what, "is not a table", f"write it as [{place}]")
        case "tuple_type" | "list_type":
            return ConfigError(what, "is not a list", f"write it in brackets, as in [...]; tables of a list as [[{place}]]")
    return ConfigError(what, *_reason(details["msg"]))


def _reason(message: str) -> tuple[str, str]:
    """Why and what to do: our own models say both, or what to write; pydantic says what it should be."""
    if message.startswith(SHOULD_BE):
        return NO_VALUE, f"it has to be {message.removeprefix(SHOULD_BE)}"
    why, _, fix = message.removeprefix(VALUE_ERROR_PREFIX).partition("; ")
    if not why[1:2].isupper():  # an acronym stays as it is
        why = why[:1].lower() + why[1:]
    return (why, fix) if fix else (NO_VALUE, why)


def _walk(model: type[BaseModel], location: Sequence[int | str]) -> tuple[str, list[type[BaseModel]]]:
    """A location as an operator reads it, `forwarders[1].path`, and the tables that hold its last key."""
    tables, place = [model], ""
    candidates = tables
    for part in location:
        fields = [field for table in candidates for name, field in table.model_fields.items() if _spelling(name, field) == part]
        tagged = place.endswith("]") and any(part in _tags(table) for table in candidates)
        if isinstance(part, int):
            place += f"[{part}]"
        elif not tagged and (fields or part == location[-1]):
            place += f".{part}" if place else str(part)
        else:  # the tag of a union, which stands in no file
            candidates = [table for table in candidates if part in _tags(table)] or candidates
            continue
        if fields:
            tables, candidates = candidates, [inner for field in fields for inner in _tables(field.annotation)]
        elif part == location[-1] and isinstance(part, str):
            tables = candidates
    return place, tables


def _spelling(name: str, field: FieldInfo) -> str:
    return field.alias or name


def _tables(annotation: object) -> Iterator[type[BaseModel]]:
    """Every model that an annotation speaks of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in typing.get_args(annotation):
        yield from _tables(inner)


def _tags(table: type[BaseModel]) -> Iterable[object]:
    return [value for field in table.model_fields.values() for value in typing.get_args(field.annotation)]
