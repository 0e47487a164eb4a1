"""What the compiler makes of the mapping files: one plan per event key, every name resolved, ready to run without knowing an event ID.

op       what it does
Row      reads inputs, tries its transforms in order, writes what the first that accepts returns
Choice   takes the first branch whose test holds: its activity, its ops
Fill     sets constants where none of some paths is present, and says so in metadata.debug
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple, TypeAlias

from normalizers.document import Constant
from wire.event import EventKey


class Other(NamedTuple):
    """The number 99 with the source's text as its caption, which OCSF then requires."""

    text: str


Json: TypeAlias = "str | int | bool | Sequence[Json] | Mapping[str, Json]"
Scalar: TypeAlias = "str | int"
Values: TypeAlias = "Sequence[Scalar | None]"
Written: TypeAlias = "Mapping[str, Json | Other]"


@dataclass(frozen=True, slots=True)
class Options:
    """What a transform may be told beside its inputs.

    table:    text to text or number.
    value:    a constant.
    default:  the number where no rule applies.
    dollar:   the number of a name that ends in `$`.
    """

    table: Mapping[str, str | int] = field(default_factory=dict)
    value: Constant | None = None
    default: int = 0
    dollar: int = 3


Transform: TypeAlias = "Callable[[Values, Options], Written | None]"
"""Values to what is written, by suffix below `to` ("" for `to` itself); an empty mapping takes the input and writes nothing, None refuses it."""

Test: TypeAlias = "Callable[[str, Sequence[str]], bool]"


class Where(Enum):
    """Where an input is read."""

    PAYLOAD = ""
    PEEKED = "?"
    ENVELOPE = "@"
    WRITTEN = "="


class Input(NamedTuple):
    """`Name` takes a payload field, `?Name` only reads it, `@Name` reads the envelope, `=path` what an earlier row wrote."""

    where: Where
    name: str


@dataclass(frozen=True, slots=True)
class Row:
    transforms: tuple[Transform, ...]
    inputs: tuple[Input, ...]
    to: str
    unless: tuple[str, ...]
    options: Options


@dataclass(frozen=True, slots=True)
class Branch:
    test: Test | None
    of: Input
    values: tuple[str, ...]
    activity: int | None
    ops: tuple[Op, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    branches: tuple[Branch, ...]


@dataclass(frozen=True, slots=True)
class Fill:
    unless: tuple[str, ...]
    when: str
    debug: str
    constants: Mapping[str, Constant]


Op: TypeAlias = Row | Choice | Fill


@dataclass(frozen=True, slots=True)
class Uid:
    """One way to make metadata.uid: `'text` a literal, else an input, `|lower` in ASCII lower case, `|seconds` of a time in ms, `|tens` of these the tens.

    `=a/=b|tens` is the first of them that is present. RADIUS rows alone use `/` and `|tens`.
    """

    parts: tuple[str, ...]
    need: Input | None
    weak: bool


@dataclass(frozen=True, slots=True)
class OcsfClass:
    uid: int
    category_uid: int
    category_name: str
    name: str
    activities: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Plan:
    """How one event is mapped.

    mapped:   payload names that some row reads: in them an unresolved insert (%%1793) is a missing value.
    missing:  texts that stand for nothing.
    """

    key: EventKey
    ocsf_class: OcsfClass
    activity: int | None
    message: str
    const: Mapping[str, Constant]
    ops: tuple[Op, ...]
    uids: tuple[Uid, ...]
    missing: frozenset[str]
    mapped: frozenset[str]


ANY = "*"


@dataclass(frozen=True, slots=True)
class Plans:
    """All plans, and what they share.

    version:      of OCSF.
    captions:     path of an id to number to caption.
    observables:  (path, type_id) in the output's order.
    """

    version: str
    severity_id: int
    uid_namespace: str
    captions: Mapping[str, Mapping[int, str]]
    observables: tuple[tuple[str, int], ...]
    by_key: Mapping[EventKey, Plan]

    def find(self, key: EventKey) -> Plan:
        """The plan of a key that is wanted: its own, else that of `rest`."""
        return self.by_key.get(key) or self.rest(key)

    def rest(self, key: EventKey) -> Plan:
        """The plan of a key that no profile names: its channel's, else the one for any event."""
        return self.by_key.get(EventKey(key.channel, ANY, ANY)) or self.by_key[EventKey(ANY, ANY, ANY)]
