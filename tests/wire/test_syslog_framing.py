"""RFC 6587 framing: a table of streams, each fed whole, octet by octet and in random pieces, by both engines, with the same result."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, SupportsIndex

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.feeds import Feed, cut_at, feeds, octet_by_octet, whole

from kernel import Engine
from wire.syslog_framing import MAX_LENGTH_DIGITS, Framing, Position, Scan, Tail, finish, scan, scanner

LIMIT = 64

ENGINES = st.sampled_from(Engine)


@dataclass
class Read:
    """Everything a connection yielded."""

    messages: list[bytes] = field(default_factory=list)
    oversize: int = 0
    rule: str | None = None
    tail: bytes | None = None
    truncated: bool = False


def read(stream: bytes, feed: Feed = whole, engine: Engine = Engine.REFERENCE) -> Read:
    """Play the caller: present what was not consumed again, stop where the stream is broken, finish at its end."""
    found, buffer, position = Read(), b"", Position()
    for piece in feed(stream):
        buffer += piece
        result = scan(buffer, position, LIMIT, engine)
        found.messages += [buffer[start:end] for start, end in zip(result.spans[::2], result.spans[1::2], strict=True)]
        found.oversize += result.oversize
        buffer, position = buffer[result.consumed :], result.position
        if result.broken is not None:
            found.rule = result.broken.rule
            return found
        assert len(buffer) <= LIMIT + MAX_LENGTH_DIGITS + 1, "more than one message is held"
    tail = finish(buffer, position)
    found.tail, found.truncated = buffer[tail.start : tail.end], tail.truncated
    return found


def counted(*messages: bytes) -> bytes:
    return b"".join(b"%d %s" % (len(message), message) for message in messages)


#   stream                                 messages                     oversize  tail        truncated  why
STREAMS = [
    (b"5 <1>ab3 <2>",                      [b"<1>ab", b"<2>"],          0,        b"",        False,     "counted, back to back"),
    (b"6 <1>ab\n3 <2>",                    [b"<1>ab", b"<2>"],          0,        b"",        False,     "the sender counted its LF"),
    (b"7 <1>ab\r\n3 <2>",                  [b"<1>ab", b"<2>"],          0,        b"",        False,     "the sender counted its CR LF"),
    (b"6 <1>ab\r3 <2>",                    [b"<1>ab\r", b"<2>"],        0,        b"",        False,     "a CR alone ends no line"),
    (b"5 <1>ab\n\n3 <2>",                  [b"<1>ab", b"<2>"],          0,        b"",        False,     "empty lines between frames"),
    (b"5 <1>ab\r\n\x003 <2>",              [b"<1>ab", b"<2>"],          0,        b"",        False,     "empty lines of any kind between frames"),
    (b"\n\n5 <1>ab",                       [b"<1>ab"],                  0,        b"",        False,     "empty lines before the first frame decide nothing"),
    (b"9 <1>\nlines\n",                    [b"<1>\nlines"],             0,        b"",        False,     "LF belongs to a counted message"),
    (b"1 \n3 <2>",                         [b"<2>"],                    0,        b"",        False,     "an empty line in a frame of its own"),
    (counted(b"x" * 64, b"<2>"),           [b"x" * 64, b"<2>"],         0,        b"",        False,     "a frame as long as the limit"),
    (counted(b"x" * 65, b"<2>"),           [b"<2>"],                    1,        b"",        False,     "what follows an oversize frame still counts"),
    (counted(b"x" * 65, b"y" * 99, b"<2>"), [b"<2>"],                   2,        b"",        False,     "two oversize frames"),
    (counted(b"5 <1>ab" * 10, b"<2>"),     [b"<2>"],                    1,        b"",        False,     "frames inside an oversize frame aren't seen"),
    (b"9999999 " + b"x" * 200,             [],                          1,        b"",        False,     "an oversize frame that never ends"),
    (b"<1>ab\n<2>\n",                      [b"<1>ab", b"<2>"],          0,        b"",        False,     "lines"),
    (b"<1>ab\r\n<2>\r\n\r\n",              [b"<1>ab", b"<2>"],          0,        b"",        False,     "CR LF"),
    (b"<1>ab\x00<2>\n\n",                  [b"<1>ab", b"<2>"],          0,        b"",        False,     "NUL as trailer, an empty line"),
    (b"<1>a\n5 <1>ab\n",                   [b"<1>a", b"5 <1>ab"],       0,        b"",        False,     "a framing is decided once: lines stay lines"),
    (b"10/26/2021 09:00:00 AM\n<2>\n",     [b"10/26/2021 09:00:00 AM", b"<2>"], 0, b"",       False,     "digits that are no MSG-LEN begin a line"),
    (b"007 x\n",                           [b"007 x"],                  0,        b"",        False,     "MSG-LEN has no leading zero"),
    (b"0 <1>\n",                           [b"0 <1>"],                  0,        b"",        False,     "nor is it zero"),
    (b"-1 <1>\n",                          [b"-1 <1>"],                 0,        b"",        False,     "nor has it a sign"),
    (b"x" * 64 + b"\n<2>\n",               [b"x" * 64, b"<2>"],         0,        b"",        False,     "a line as long as the limit"),
    (b"x" * 65 + b"\n<2>\n",               [b"<2>"],                    1,        b"",        False,     "an oversize line"),
    (b"x" * 500,                           [],                          1,        b"",        False,     "a line that never ends"),
    (b"\n" * 500,                          [],                          0,        b"",        False,     "nothing but empty lines"),
    (b"<1>ab\n<2>last",                    [b"<1>ab"],                  0,        b"<2>last", False,     "the last line lacks its trailer"),
    (b"<1>ab\n<2>last\r",                  [b"<1>ab"],                  0,        b"<2>last", False,     "the last line lacks half its trailer"),
    (b"5 <1>ab9 <2>cut",                   [b"<1>ab"],                  0,        b"<2>cut",  True,      "the end inside a frame"),
    (b"5 <1>ab9",                          [b"<1>ab"],                  0,        b"9",       True,      "the end inside MSG-LEN"),
    (b"5 <1>ab9 ",                         [b"<1>ab"],                  0,        b"",        True,      "the end behind MSG-LEN SP"),
    (b"12",                                [],                          0,        b"12",      True,      "the end before anything is decided"),
    (b"",                                  [],                          0,        b"",        False,     "nothing at all"),
]  # fmt: skip

#   stream                      messages      rule              why
BROKEN = [
    (b"99999999999 <1>",        [],           "msg-len-digits", "digits for ever (CVE-2022-24903)"),
    (b"12345678",               [],           "msg-len-digits", "one digit too many, whatever follows"),
    (b"5 <1>ab12345678 <1>",    [b"<1>ab"],   "msg-len-digits", "the messages before it are kept"),
    (b"5 <1>ab007 <1>",         [b"<1>ab"],   "msg-len-syntax", "a leading zero"),
    (b"5 <1>ab0 <1>",           [b"<1>ab"],   "msg-len-syntax", "zero"),
    (b"5 <1>ab-1 <1>",          [b"<1>ab"],   "msg-len-syntax", "a sign"),
    (b"5 <1>ab1x <1>",          [b"<1>ab"],   "msg-len-syntax", "a letter"),
    (b"5 <1>ab 3 <1>",          [b"<1>ab"],   "msg-len-syntax", "an SP too many"),
    (b"4 <1>ab3 <1>",           [b"<1>a"],    "msg-len-syntax", "counted too short"),
    (b"5 <1>ab\xb2 <1>",        [b"<1>ab"],   "msg-len-syntax", "a digit of another script"),
    (b"5 <1>ab<2>cd\n",         [b"<1>ab"],   "mixed-framing",  "a line on an octet-counted connection"),
]  # fmt: skip


@pytest.mark.parametrize("engine", Engine)
@pytest.mark.parametrize("feed", [whole, octet_by_octet])
@pytest.mark.parametrize(("stream", "messages", "oversize", "tail", "truncated"), [case[:5] for case in STREAMS], ids=[case[5] for case in STREAMS])
def test_streams(stream: bytes, messages: list[bytes], oversize: int, tail: bytes, *, truncated: bool, feed: Feed, engine: Engine) -> None:
    assert read(stream, feed, engine) == Read(messages, oversize, None, tail, truncated)


@pytest.mark.parametrize("engine", Engine)
@pytest.mark.parametrize("feed", [whole, octet_by_octet])
@pytest.mark.parametrize(("stream", "messages", "rule"), [case[:3] for case in BROKEN], ids=[case[3] for case in BROKEN])
def test_a_broken_stream_keeps_what_came_before(stream: bytes, messages: list[bytes], rule: str, feed: Feed, engine: Engine) -> None:
    assert read(stream, feed, engine) == Read(messages, 0, rule)


def test_the_error_says_where_and_why() -> None:
    error = scan(b"5 <1>ab007 <1>", Position(), LIMIT).broken
    assert error is not None
    assert str(error) == "octet 7: msg-len-syntax '007 <1>' (RFC 6587 section 3.4.1)"
    assert scan(b"5 <1>ab007 <1>", Position(), LIMIT).consumed == error.offset


@given(st.lists(st.binary(min_size=1, max_size=LIMIT).filter(lambda m: not m.endswith(b"\n"))), feeds(), ENGINES)
def test_counted_messages_survive_any_cut(sent: list[bytes], feed: Feed, engine: Engine) -> None:
    assert read(counted(*sent), feed, engine) == Read(sent, tail=b"")


LINE = st.binary(min_size=1, max_size=LIMIT - 1).map(lambda line: b"<" + line.translate(None, b"\r\n\x00"))


@given(st.lists(st.tuples(LINE, st.sampled_from([b"\n", b"\r\n", b"\n\n", b"\x00"]))), feeds(), ENGINES)
def test_lines_survive_any_cut(sent: list[tuple[bytes, bytes]], feed: Feed, engine: Engine) -> None:
    stream = b"".join(line + trailer for line, trailer in sent)
    assert read(stream, feed, engine).messages == [line for line, _ in sent]


HOSTILE = st.one_of(
    st.binary(max_size=400),
    st.lists(
        st.one_of(st.sampled_from([b"\n", b"\x00", b"\r", b" ", b"0", b"5 <1>ab", b"65 ", b"9999999 ", b"<13>a", b"x" * 40]), st.binary(max_size=20)),
        max_size=24,
    ).map(b"".join),
    st.lists(st.binary(max_size=80)).map(lambda messages: counted(*messages)),
)  # arbitrary, assembled from what matters, valid


@example(stream=b"\x00" * 100, feed=whole)
@example(stream=b"5 <1>ab" + b"\r" * 100, feed=octet_by_octet)
@given(stream=HOSTILE, feed=feeds())
def test_any_octets_mean_the_same_to_both_engines_however_cut(stream: bytes, feed: Feed) -> None:
    expected = read(stream)
    assert all(0 < len(message) <= LIMIT for message in expected.messages)
    for engine in Engine:
        assert read(stream, feed, engine) == expected
        assert read(stream, octet_by_octet, engine) == expected


@given(HOSTILE, st.integers(min_value=0, max_value=200), ENGINES)
def test_every_split_in_two_means_the_same(stream: bytes, at: int, engine: Engine) -> None:
    assert read(stream, cut_at(at), engine) == read(stream)


POSITIONS = st.one_of(
    st.just(Position()),
    st.integers(min_value=0, max_value=500).map(lambda skip: Position(Framing.OCTET_COUNTING, skip)),
    st.integers(min_value=-1, max_value=0).map(lambda skip: Position(Framing.NON_TRANSPARENT, skip)),
    st.integers(min_value=0, max_value=20).map(lambda searched: Position(Framing.NON_TRANSPARENT, 0, searched)),
)


def facts(result: Scan) -> tuple[object, ...]:
    """A scan and its error as comparable values."""
    broken = result.broken
    return (result, None if broken is None else broken.args)


@given(HOSTILE, POSITIONS, st.integers(min_value=1, max_value=100))
def test_both_engines_agree_from_any_position(buffer: bytes, position: Position, max_message: int) -> None:
    native, reference = (scanner(engine)(buffer, position, max_message) for engine in (Engine.NATIVE, Engine.REFERENCE))
    assert facts(native) == facts(reference)


@given(HOSTILE, POSITIONS)
def test_finish_stays_inside_the_rest(rest: bytes, position: Position) -> None:
    tail = finish(rest, position)
    assert 0 <= tail.start <= tail.end <= len(rest)
    assert finish(b"", position) == Tail(0, 0)


class Counting(bytes):
    """Octets that count how many of them their searches looked at."""

    looked_at: int

    def __getitem__(self, key: SupportsIndex | slice, /) -> Any:
        return self if key == slice(None) else super().__getitem__(key)

    def find(self, octet: SupportsIndex, start: int = 0, end: int | None = None, /) -> int:  # type: ignore[override]
        end = len(self) if end is None else min(end, len(self))
        found = super().find(octet, start, end)
        self.looked_at = getattr(self, "looked_at", 0) + (found if found >= 0 else end) - start + 1
        return found


@pytest.mark.parametrize("octet", [b"\x00", b"\n", b"x"], ids=["NUL for ever", "LF for ever", "a line for ever"])
def test_the_work_in_one_buffer_is_linear(octet: bytes) -> None:
    buffer = Counting(octet * 10_000)
    scan(buffer, Position(Framing.NON_TRANSPARENT), 1 << 20)
    assert buffer.looked_at <= 4 * len(buffer)


def test_the_work_over_a_slow_line_is_linear() -> None:
    position, looked_at, size = Position(Framing.NON_TRANSPARENT), 0, 2_000
    for length in range(1, size):
        buffer = Counting(b"x" * length)
        position = scan(buffer, position, 1 << 20).position
        looked_at += buffer.looked_at
    assert looked_at <= 8 * size
