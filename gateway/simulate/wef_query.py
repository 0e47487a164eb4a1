"""Which events a subscription's QueryList selects: the part of Windows' event XPath that filters on the System element.

    <QueryList><Query Id="0"><Select Path="Security">*[System[(EventID=4726 or EventID=4728) and Level&lt;=4]]</Select></Query></QueryList>

    select      = "*" [ "[" "System" [ "[" either "]" ] "]" ]
    either      = both *( "or" both )
    both        = test *( "and" test )
    test        = "(" either ")" | ("EventID" | "Level") operator number | "Provider" "[" names "]"
    names       = "@Name" "=" quoted *( "or" "@Name" "=" quoted )
    operator    = "=" | "!=" | "<" | "<=" | ">" | ">="

Windows limits XPath 1.0 for events ("Consuming Events", XPath 1.0 limitations); this is the part of that which collectors send. A query beyond it
is refused, as Windows refuses (event 102 of its forwarding channel) what it can't run: nothing of that Query is delivered.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gateway.simulate.wef_log import Logged
from pipeline.errors import MessageError
from wire.wef.query import DOCUMENT, MOST_EXPRESSIONS, Query, parse_query_list

MAX_NESTING: Final = 32

Test = Callable[[Logged], bool]

OPERATORS: Final[dict[str, Callable[[int, int], bool]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
FIELDS: Final[dict[str, Callable[[Logged], int]]] = {"EventID": lambda logged: int(logged.event_id), "Level": lambda logged: logged.level}

_TOKEN: Final = re.compile(r"[ \t\r\n]*(?:(@?[A-Za-z]+|[0-9]{1,10}|!=|<=|>=|[*=<>()\[\]])|'([^']*)'|\"([^\"]*)\")")


@dataclass(frozen=True, slots=True)
class _Rule:
    """One Query that can be run: what it selects and what of that it suppresses, by channel in lower case."""

    selects: tuple[tuple[str, Test], ...]
    suppresses: tuple[tuple[str, Test], ...]

    def wants(self, channel: str, logged: Logged) -> bool:
        return _any(self.selects, channel, logged) and not _any(self.suppresses, channel, logged)


@dataclass(frozen=True, slots=True)
class Filter:
    """What a QueryList selects.

    channels:  names as written, each once, in order.
    refused:   why Queries of it can't be run.
    """

    channels: tuple[str, ...]
    refused: tuple[str, ...]
    rules: tuple[_Rule, ...]

    def wants(self, channel: str, logged: Logged) -> bool:
        """Whether an event of that channel is selected."""
        name = channel.lower()
        return any(rule.wants(name, logged) for rule in self.rules)


def make_filter(query_list: bytes) -> Filter:
    """What a QueryList document in UTF-8 selects.

    Raises:
        MessageError: it isn't one; see `wire.wef.query.parse_query_list`.
    """
    channels: dict[str, str] = {}
    rules, refused = [], []
    for query in parse_query_list(query_list):
        try:
            rules.append(_Rule(_tests(query, suppress=False), _tests(query, suppress=True)))
        except MessageError as error:
            refused.append(str(error))
            continue
        for selector in query.selectors:
            channels.setdefault(selector.channel.lower(), selector.channel)
    return Filter(tuple(channels.values()), tuple(refused), tuple(rules))


def _tests(query: Query, *, suppress: bool) -> tuple[tuple[str, Test], ...]:
    return tuple((each.channel.lower(), parse_select(each.xpath)) for each in query.selectors if each.suppress is suppress)


def _any(tests: tuple[tuple[str, Test], ...], channel: str, logged: Logged) -> bool:
    return any(test(logged) for name, test in tests if name == channel)


def parse_select(text: str) -> Test:
    """The text of a Select to what it asks of an event.

    Raises:
        MessageError: xpath: it is beyond the part that is understood.
    """
    return _Reader(text).read()


class _Reader:
    """Recursive descent over the tokens of one Select."""

    def __init__(self, text: str) -> None:
        self._text, self._at, self._depth, self._expressions = text.strip(" \t\r\n"), 0, 0, 0

    def read(self) -> Test:
        self._expect("*")
        test: Test = lambda _logged: True  # noqa: E731 - a value like the others below
        if self._take("["):
            self._expect("System")
            if self._take("["):
                test = self._either()
                self._expect("]")
            self._expect("]")
        if self._at != len(self._text):
            raise self._error()
        return test

    def _either(self) -> Test:
        tests = [self._both()]
        while self._take("or"):
            tests.append(self._both())
        return tests[0] if len(tests) == 1 else lambda logged: any(test(logged) for test in tests)

    def _both(self) -> Test:
        tests = [self._test()]
        while self._take("and"):
            tests.append(self._test())
        return tests[0] if len(tests) == 1 else lambda logged: all(test(logged) for test in tests)

    def _test(self) -> Test:
        if self._take("("):
            self._depth += 1
            if self._depth > MAX_NESTING:
                raise self._error()
            test = self._either()
            self._expect(")")
            self._depth -= 1
            return test
        self._expressions += 1
        if self._expressions > MOST_EXPRESSIONS:
            raise self._error()
        word = self._next()[0]
        if word == "Provider":
            return self._provider()
        field, compare = FIELDS.get(word), OPERATORS.get(self._next()[0])
        number = self._next()[0]
        if field is None or compare is None or not number.isdecimal():
            raise self._error()
        value = int(number)
        return lambda logged: compare(field(logged), value)

    def _provider(self) -> Test:
        self._expect("[")
        names = {self._name()}
        while self._take("or"):
            names.add(self._name())
        self._expect("]")
        return lambda logged: logged.provider in names

    def _name(self) -> str:
        self._expect("@Name")
        self._expect("=")
        word, quoted = self._next()
        if word:
            raise self._error()
        return quoted

    def _next(self) -> tuple[str, str]:
        """(word or sign, "") or ("", quoted text) of the next token."""
        found = _TOKEN.match(self._text, self._at)
        if found is None:
            raise self._error()
        self._at = found.end()
        return found[1] or "", found[2] or found[3] or ""

    def _take(self, token: str) -> bool:
        """Skip the next token if it is this one."""
        found = _TOKEN.match(self._text, self._at)
        if found is None or found[1] != token:
            return False
        self._at = found.end()
        return True

    def _expect(self, token: str) -> None:
        if not self._take(token):
            raise self._error()

    def _error(self) -> MessageError:
        return MessageError("xpath", offset=self._at, document=DOCUMENT, detail=self._text[:80])
