"""docs/reference/settings.md: every key of the configuration, its kind, its default and its bounds, as the settings' models have them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta, timezone
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from cells import plain
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from gateway.config import Config
from listeners.syslog.settings import Zone
from listeners.wef.settings import Url
from pipeline.settings import Address, Duration, FilePath, Network, Secret, Size

NAMED: Final = {"size": Size, "duration": Duration, "address": Address, "network": Network, "path": FilePath, "secret": Secret}
MARKS: Final = {id(get_args(kind)[1]): name for name, kind in NAMED.items()}
PLAIN: Final = {Url: "URL", str: "text", int: "number", float: "number", bool: "true or false"}
UNITS: Final[Mapping[str, Mapping[str, float]]] = {
    "size": {"TiB": 1 << 40, "GiB": 1 << 30, "MiB": 1 << 20, "KiB": 1 << 10, "MB": 10**6, "B": 1},
    "duration": {"d": 86400.0, "h": 3600.0, "min": 60.0, "s": 1.0, "ms": 0.001},
}
"""Largest first."""
BOUNDS: Final = ((Ge, "ge", "at least {}"), (Gt, "gt", "more than {}"), (Le, "le", "at most {}"), (Lt, "lt", "less than {}"))
LENGTHS: Final = ((MinLen, "min_length", "at least {} of them"), (MaxLen, "max_length", "at most {} of them"))
SAID: Final = re.compile(r"(\w+(?:, \w+)*):\s+(\S.*)")
TELLING: Final = ("kind", "layout", "profile", "auth")
"""Keys that say which of several tables it is."""

LOADED: Final = {("[gateway]", "state_dir"): "`$STATE_DIRECTORY`, else `$XDG_STATE_HOME/tidegate`"}
"""Needed by the model, and found out by whoever loads the file."""

COLUMNS: Final = "| key | kind | default | |\n|---|---|---|---|\n"

HEAD: Final = """\
# Settings

Every key, as the program has it. [Configuration](../configuration.md) explains them, and how values of each kind are written.

A key may also be set by a flag or by the environment: `state_dir` of `[gateway]` is `--set gateway.state_dir=...` and `TIDEGATE_GATEWAY__STATE_DIR`.
Those of `[[...]]` tables are written in the file alone.
"""


@dataclass(frozen=True, slots=True)
class Shared:
    """What a table has from elsewhere.

    keys:    those that a table before has shown for all of its name.
    values:  its defaults, where the table above has others than the model.
    """

    keys: frozenset[str] = frozenset()
    values: BaseModel | None = None


NOTHING: Final = Shared()


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the file.

    heading:  as it is written in the file, and what tells it from others of this name.
    within:   what tells the table apart that it belongs to.
    """

    heading: str
    within: str
    model: type[BaseModel]
    shared: Shared


def write_page() -> str:
    """The whole page; a table that is there for several kinds of its neighbour is written once."""
    written: dict[str, str] = {}
    for table in _tables("", Config, several=False):
        rows = "\n".join(_rows(table))
        if rows in ("", written.get(table.heading)):
            continue
        written[f"{table.heading}{table.within}" if table.heading in written else table.heading] = rows
    return "\n".join([HEAD, *(f"## {heading}\n\n{COLUMNS}{rows}\n" for heading, rows in written.items())])


def _tables(path: str, model: type[BaseModel], *, several: bool, told: str = "", within: str = "", shared: Shared = NOTHING) -> Iterator[Table]:
    """This table, and those below it, in the order of their keys."""
    name = f"[[{path}]]" if several else f"[{path}]"
    yield Table(f"{name}{told}" if path else "Before the first table", within, model, shared)
    for key, hint in get_type_hints(model, include_extras=True).items():
        found = list(_models(hint, in_list=False)) if key in model.model_fields else []
        below = f"{path}.{key}".lstrip(".")
        if len(found) < 2:  # noqa: PLR2004 - one table, or none
            for inner, in_list in found:
                values = model.model_fields[key].default
                own = Shared(values=values) if isinstance(values, BaseModel) else NOTHING
                yield from _tables(below, inner, several=in_list, within=told or within, shared=own)
            continue
        base = next(owner for owner in found[0][0].__mro__ if issubclass(owner, BaseModel) and all(issubclass(inner, owner) for inner, _ in found))
        yield from _tables(below, base, several=found[0][1], told=", all of them")
        for inner, in_list in found:
            yield from _tables(below, inner, several=in_list, told=f", {_told(inner)}", shared=Shared(keys=frozenset(base.model_fields)))


def _models(hint: Any, *, in_list: bool) -> Iterator[tuple[type[BaseModel], bool]]:  # noqa: ANN401 - an annotation is anything
    """(model, whether there may be several) of a field's annotation."""
    if get_origin(hint) is Annotated:
        yield from _models(get_args(hint)[0], in_list=in_list)
    elif get_origin(hint) in (Union, UnionType, tuple):
        for part in get_args(hint):
            yield from _models(part, in_list=in_list or get_origin(hint) is tuple)
    elif inspect.isclass(hint) and issubclass(hint, BaseModel):
        yield hint, in_list


def _told(model: type[BaseModel]) -> str:
    """The keys that make it this table: `kind = "http"`, `profile = "sentinel"`."""
    words = {key: get_args(field.annotation) for key in TELLING if (field := model.model_fields.get(key)) is not None}
    return ", ".join(f"{key} = {' or '.join(map(repr, values))}" for key, values in words.items() if values).replace("'", '"')


def _rows(table: Table) -> Iterator[str]:
    texts = _texts(table.model)
    hints = get_type_hints(table.model, include_extras=True)
    for key, field in table.model.model_fields.items():
        told = key in TELLING and get_origin(field.annotation) is Literal and field.is_required()
        if told or key in table.shared.keys or any(True for _ in _models(hints[key], in_list=False)):
            continue
        kind = _kind(hints[key])
        if not texts.get(key):
            raise ValueError(f"the docstring of {table.model.__name__} says nothing of {key}")
        text = ". ".join(part for part in (texts.get(key, "").rstrip("."), _bounds(field, kind)) if part)
        yield f"| `{key}` | {kind} | {_default(table, key, kind)} | {plain(text)} |"


def _texts(model: type[BaseModel]) -> dict[str, str]:
    """What the docstrings of a model and of those it is made of say of its keys."""
    texts: dict[str, str] = {}
    for owner in reversed(model.__mro__):
        keys: list[str] = []
        for line in (inspect.cleandoc(owner.__doc__) if owner.__doc__ else "").splitlines():
            if found := SAID.fullmatch(line):
                keys = found[1].split(", ")
                texts.update(dict.fromkeys(keys, found[2]))
            elif line.startswith("    ") and line.strip():
                texts.update({key: f"{texts[key]} {line.strip()}" for key in keys})
            else:
                keys = []
    return texts


def _kind(hint: Any) -> str:  # noqa: ANN401, PLR0911 - an annotation is anything; a table of tests, one line each
    """In words of configuration.md."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Zone:
        return "offset"
    if origin is Annotated:
        named = next((MARKS[id(mark)] for mark in arguments[1:] if id(mark) in MARKS), None)
        return named or _kind(arguments[0])
    if origin is Literal:
        return " ".join(f'`"{value}"`' for value in arguments)
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(_kind(part) for part in arguments if part is not NoneType))
    if origin is tuple and arguments[-1] is not Ellipsis:
        return f"{_kind(arguments[0])} `://` address"
    if origin is dict:
        return "table of texts"
    if origin in (tuple, frozenset):
        return f"list of {_kind(arguments[0])}"
    if inspect.isclass(hint) and issubclass(hint, Enum):
        return " ".join(f'`"{member.value}"`' for member in hint)
    return PLAIN.get(hint, getattr(hint, "__name__", str(hint)))


def _bounds(field: FieldInfo, kind: str) -> str:
    said = [text.format(_value(getattr(mark, name), kind)) for mark in field.metadata for known, name, text in BOUNDS if isinstance(mark, known)]
    if kind.startswith("list"):
        said += [text.format(getattr(mark, name)) for mark in field.metadata for known, name, text in LENGTHS if isinstance(mark, known)]
    text = ", ".join(said)
    return text[:1].upper() + text[1:]


def _default(table: Table, key: str, kind: str) -> str:
    field = table.model.model_fields[key]
    if field.is_required():
        return LOADED.get((table.heading, key), "**needed**")
    if field.default_factory is not None:
        return "`{}`"
    value = field.default if table.shared.values is None else getattr(table.shared.values, key)
    return "" if value is None else f"`{_value(value, kind)}`"


def _value(value: object, kind: str) -> str:  # noqa: PLR0911 - one line for each kind
    """As it is written in the file."""
    match value:
        case Enum():
            return _value(value.value, kind)
        case bool():
            return str(value).lower()
        case tuple() | frozenset() | list():
            return f"[{', '.join(_value(part, kind) for part in value)}]"
        case int() | float() if kind in UNITS:
            return f'"{_quantity(value, UNITS[kind])}"'
        case int() if kind == "offset":
            return f'"{timezone(timedelta(minutes=value))}"'
        case int() | float():
            return f"{value:.15g}"
    return f'"{value}"'


def _quantity(value: float, units: Mapping[str, float]) -> str:
    """With the largest unit that leaves a whole number; nothing, and fractions, with the usual one."""
    whole = (name for name, factor in units.items() if value >= factor and round(value / factor, 9).is_integer())
    name = next(whole, "s" if "s" in units else "B")
    return f"{value / units[name]:.15g} {name}"
