"""The XPath of event queries, as far as the event's key decides it ("Consuming Events (Windows Event Log)", XPath 1.0 limitations).

    *[System[(EventID=4726 or EventID=4728) and Provider[@Name='Microsoft-Windows-Security-Auditing']]]

    either    = both *( "or" both )
    both      = compared *( "and" compared )
    compared  = operand [ ( "=" | "!=" | "<" | "<=" | ">" | ">=" ) operand ]
    operand   = "(" either ")" | number | string | name "(" [ either *( "," either ) ] ")" | path
    path      = step *( "/" step )            step = ( "*" | name | "@" name ) *( "[" either "]" )

Whether an event of a key is selected is said in three words: yes, no, or sometimes, where something else than channel, provider and ID decides, or
something that isn't understood. Words, functions and names are taken as Windows does: without regard to case.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

from pipeline.errors import MessageError
from wire.event import EventKey

DOCUMENT: Final = "Windows Event Log, XPath 1.0 limitations"
MAX_TEXT: Final = 64 * 1024
MAX_DEPTH: Final = 32


class Truth(Enum):
    """Whether an event of a key is selected."""

    NO = 0
    SOMETIMES = 1
    YES = 2


@dataclass(frozen=True, slots=True)
class Literal:
    """A number or a quoted string."""

    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """A function: `band(Keywords, 1)`, `timediff(@SystemTime)`; what it gives isn't known from a key."""

    name: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One name of a path, `@` before an attribute's, and its predicates."""

    name: str
    predicates: tuple[Expression, ...] = ()


@dataclass(frozen=True, slots=True)
class Path:
    """Steps from where it stands."""

    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """`left operator right`."""

    left: Expression
    operator: str
    right: Expression


@dataclass(frozen=True, slots=True)
class AllOf:
    """Terms joined by `and`."""

    terms: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Terms joined by `or`."""

    terms: tuple[Expression, ...]


Expression: TypeAlias = Literal | Call | Path | Comparison | AllOf | AnyOf

_TOKEN: Final = re.compile(r"[ \t\r\n]*(?:(@?[A-Za-z_][\w.:-]*|0x[0-9A-Fa-f]+|[0-9]+(?:\.[0-9]+)?|!=|<=|>=|[*=<>()\[\]/,])|'([^']*)'|\"([^\"]*)\")", re.ASCII)
_OPERATORS: Final[dict[str, Callable[[int, int], bool]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def parse_xpath(text: str) -> Expression:
    """Read the text of a Select or Suppress.

    Raises:
        MessageError: bad-xpath, xpath-too-long, xpath-too-deep.
    """
    if len(text) > MAX_TEXT:
        raise MessageError("xpath-too-long", document=DOCUMENT, detail=f"{len(text)} characters, at most {MAX_TEXT}")
    return _Reader(text).read()


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    offset: int
    quoted: bool = False


def _tokens(text: str) -> Iterator[_Token]:
    at, end = 0, len(text.rstrip(" \t\r\n"))
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None:
            raise MessageError("bad-xpath", offset=at, document=DOCUMENT, detail=text[at : at + 40])
        quoted = found[1] is None
        yield _Token(found[1] if not quoted else found[found.lastindex or 0], at, quoted)
        at = found.end()
    yield _Token("", end)


class _Reader:
    """Recursive descent, bounded."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._at = 0
        self._depth = 0

    def read(self) -> Expression:
        found = self._either()
        if self._at != len(self._tokens) - 1:
            raise self._unexpected()
        return found

    def _unexpected(self) -> MessageError:
        token = self._tokens[self._at]
        return MessageError("bad-xpath", offset=token.offset, document=DOCUMENT, detail=f"at {token.text[:40]!r}" if token.text else "ends too early")

    def _take(self, *texts: str) -> str:
        token = self._tokens[self._at]
        if token.quoted or token.text.lower() not in texts:
            return ""
        self._at += 1
        return token.text.lower()

    def _expect(self, text: str) -> None:
        if not self._take(text):
            raise self._unexpected()

    def _either(self) -> Expression:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise MessageError("xpath-too-deep", offset=self._tokens[self._at].offset, document=DOCUMENT, detail=f"more than {MAX_DEPTH} levels")
        terms = [self._both()]
        while self._take("or"):
            terms.append(self._both())
        self._depth -= 1
        return terms[0] if len(terms) == 1 else AnyOf(tuple(terms))

    def _both(self) -> Expression:
        terms = [self._compared()]
        while self._take("and"):
            terms.append(self._compared())
        return terms[0] if len(terms) == 1 else AllOf(tuple(terms))

    def _compared(self) -> Expression:
        left = self._operand()
        sign = self._take(*_OPERATORS)
        return Comparison(left, sign, self._operand()) if sign else left

    def _operand(self) -> Expression:
        token = self._tokens[self._at]
        if self._take("("):
            inner = self._either()
            self._expect(")")
            return inner
        if token.quoted or token.text[:1].isdigit():
            self._at += 1
            return Literal(token.text)
        name = self._name()
        if not name.startswith("@") and self._take("("):
            return Call(name, self._arguments())
        steps = [Step(name, self._predicates())]
        while self._take("/"):
            if len(steps) == MAX_DEPTH:
                raise MessageError("xpath-too-deep", offset=self._tokens[self._at].offset, document=DOCUMENT, detail=f"more than {MAX_DEPTH} steps")
            name = self._name()
            steps.append(Step(name, self._predicates()))
        return Path(tuple(steps))

    def _name(self) -> str:
        token = self._tokens[self._at]
        if token.quoted or not (token.text == "*" or token.text[:1] in ("@", "_") or token.text[:1].isalpha()):
            raise self._unexpected()
        self._at += 1
        return token.text

    def _arguments(self) -> tuple[Expression, ...]:
        if self._take(")"):
            return ()
        found = [self._either()]
        while self._take(","):
            found.append(self._either())
        self._expect(")")
        return tuple(found)

    def _predicates(self) -> tuple[Expression, ...]:
        found = []
        while self._take("["):
            found.append(self._either())
            self._expect("]")
        return tuple(found)


# What a key says

ANY: Final = "*"
_ROOT: Final = ("event",)
_ID: Final = ("event", "system", "eventid")
_PROVIDER: Final = ("event", "system", "provider", "@name")
_CHANNEL: Final = ("event", "system", "channel")
_THERE: Final = frozenset(known[:length] for known in (_ID, _PROVIDER, _CHANNEL) for length in range(1, len(known) + 1))
"""Elements and attributes that every event has."""


def selects(expression: Expression, key: EventKey) -> Truth:
    """Whether an event of that key is selected; `*` in the key stands for any, and a test of it holds sometimes."""
    return _truth(expression, key, ())


def _truth(expression: Expression, key: EventKey, place: tuple[str, ...]) -> Truth:
    match expression:
        case AnyOf(terms):
            return max((_truth(term, key, place) for term in terms), key=lambda truth: truth.value)
        case AllOf(terms):
            return _every(_truth(term, key, place) for term in terms)
        case Path():
            end, truth = _walk(expression, key, place)
            return _every((truth, Truth.YES if end in _THERE else Truth.SOMETIMES))
        case Comparison():
            return _compare(expression, key, place)
        case _:
            return Truth.SOMETIMES


def _every(truths: Iterator[Truth] | tuple[Truth, ...]) -> Truth:
    return min(truths, key=lambda truth: truth.value)


def _walk(path: Path, key: EventKey, place: tuple[str, ...]) -> tuple[tuple[str, ...], Truth]:
    """Where a path leads, and what its predicates say on the way. `*` is the event where nothing is above it, and unknown elsewhere."""
    truth = Truth.YES
    for step in path.steps:
        name = step.name.lower()
        place = _ROOT if not place and name == "*" else (*place, name)
        truth = _every((truth, *(_truth(predicate, key, place) for predicate in step.predicates)))
    return place, truth


def _compare(comparison: Comparison, key: EventKey, place: tuple[str, ...]) -> Truth:
    if not isinstance(comparison.left, Path) or not isinstance(comparison.right, Literal):
        return Truth.SOMETIMES
    end, truth = _walk(comparison.left, key, place)
    return _every((truth, _holds(end, comparison.operator, comparison.right.text, key)))


def _holds(place: tuple[str, ...], sign: str, text: str, key: EventKey) -> Truth:
    if place == _ID and text.isdigit() and key.event_id.isdigit() and max(len(text), len(key.event_id)) < MAX_DEPTH:
        return Truth.YES if _OPERATORS[sign](int(key.event_id), int(text)) else Truth.NO
    known = {_PROVIDER: key.provider, _CHANNEL: key.channel}.get(place, ANY)
    if known == ANY or sign not in ("=", "!="):
        return Truth.SOMETIMES
    return Truth.YES if (known.lower() == text.lower()) is (sign == "=") else Truth.NO


def comparisons(expression: Expression) -> Iterator[Comparison]:
    """Every comparison in it, however deep: what Windows counts as an expression."""
    match expression:
        case AnyOf(terms) | AllOf(terms) | Call(_, terms):
            for term in terms:
                yield from comparisons(term)
        case Path(steps):
            for step in steps:
                for predicate in step.predicates:
                    yield from comparisons(predicate)
        case Comparison(left, _, right):
            yield expression
            yield from comparisons(left)
            yield from comparisons(right)
        case Literal():
            return


def event_ids(expression: Expression) -> tuple[str, ...]:
    """The event IDs it names, in order, each comparison counted."""
    return tuple(
        found.right.text
        for found in comparisons(expression)
        if isinstance(found.left, Path) and found.left.steps[-1].name.lower() == "eventid" and isinstance(found.right, Literal)
    )
