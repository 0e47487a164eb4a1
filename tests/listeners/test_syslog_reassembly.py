"""Streams to messages: a table of streams, each whole, octet by octet and in random pieces; then properties over any stream."""

from collections.abc import Callable, Iterable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel import Engine, Octets, Room
from listeners.syslog.reassembly import Cut, Reassembly
from wire.syslog_framing import Position, Scan, scanner
from wire.syslog_multiline import TWINS

LIMIT = 480
LONG = b"<13>" + b"x" * 600

Feed = Callable[[bytes], Iterable[bytes]]


def whole(stream: bytes) -> Iterable[bytes]:
    return [stream] if stream else []


def octet_by_octet(stream: bytes) -> Iterable[bytes]:
    return (stream[i : i + 1] for i in range(len(stream)))


def at_random(stream: bytes) -> Iterable[bytes]:
    random = Random(len(stream))
    while stream:
        n = random.randint(1, len(stream))
        yield stream[:n]
        stream = stream[n:]


def read(pieces: Iterable[bytes], engine: Engine = Engine.REFERENCE, room: Room | None = None) -> tuple[list[bytes], dict[str, int], list[bytes]]:
    """(messages, rejected, beginnings of rejects) of a connection that ends; read into `room`, which others have used in between, where one is given."""
    reassembly = Reassembly(scanner(engine), LIMIT, TWINS[engine])
    found, rejected, rejects = list[bytes](), dict[str, int](), list[bytes]()

    def take(cut: Cut) -> None:
        found.extend(cut.buffer[start:end] for start, end in zip(cut.spans[::2], cut.spans[1::2], strict=True))
        for rule, count in cut.rejected.items():
            rejected[rule] = rejected.get(rule, 0) + count
        rejects.extend(reject.raw for reject in cut.rejects)

    for piece in pieces:
        cut = reassembly.receive(piece if room is None else left_by_others(room, piece))
        take(cut)
        if cut.broken is not None:
            break
        assert reassembly.octets <= 2 * LIMIT + 16
    take(reassembly.end())
    assert reassembly.octets == 0
    return found, rejected, rejects


def left_by_others(room: Room, piece: bytes) -> Room:
    room.clear()
    room.prepend(b"7 <9>oth\n<9>er")
    room.extend(b"\n\x00" * 300)
    room.clear()
    room.extend(piece)
    return room


#   stream                                            messages                          rejected                why
STREAMS = [
    (b"", [], {}, "nothing"),
    (b"5 <1>ab3 <2>", [b"<1>ab", b"<2>"], {}, "octet-counted"),
    (b"6 <1>ab\n3 <2>", [b"<1>ab", b"<2>"], {}, "the sender counted its LF"),
    (b"9 <1>\nlines\n", [b"<1>\nlines"], {}, "LF inside a counted message"),
    (b"5 <1>ab9 <2>", [b"<1>ab"], {"truncated": 1}, "the stream ends inside a frame"),
    (b"5 <1>ab12", [b"<1>ab"], {"truncated": 1}, "the stream ends inside a length"),
    (b"12", [], {"truncated": 1}, "digits, then the end"),
    (b"5 <1>ab600 <2>" + b"x" * 597 + b"5 <3>cd", [b"<1>ab", b"<3>cd"], {"oversize": 1}, "a valid frame behind an oversize one"),
    (b"5 <1>ab99999999999 <13>x", [b"<1>ab"], {"msg-len-digits": 1}, "a length of eleven digits"),
    (b"5 <1>ab0 <13>x", [b"<1>ab"], {"msg-len-syntax": 1}, "a length of zero"),
    (b"5 <1>ab-1 <13>x", [b"<1>ab"], {"msg-len-syntax": 1}, "a negative length"),
    (b"5 <1>ab<2>line\n", [b"<1>ab"], {"mixed-framing": 1}, "a line on a counted connection"),
    (b"<1>ab\n<2>cd\n", [b"<1>ab", b"<2>cd"], {}, "lines"),
    (b"<1>ab\r\n<2>cd\r\n", [b"<1>ab", b"<2>cd"], {}, "lines ended by CR LF"),
    (b"<1>ab\x00<2>cd\x00", [b"<1>ab", b"<2>cd"], {}, "NUL as trailer"),
    (b"<1>ab\n<2>cd", [b"<1>ab", b"<2>cd"], {}, "the last line isn't ended"),
    (b"<1>ab\n more\n<2>cd\n", [b"<1>ab\n more", b"<2>cd"], {}, "a line that starts no message continues the one before"),
    (b"<1>ab\n more", [b"<1>ab\n more"], {}, "the continuing line isn't ended"),
    (LONG + b"\n<2>cd\n", [b"<2>cd"], {"oversize": 1}, "a message behind an oversize line"),
    (b"<1>ab\n" + LONG + b"\n<2>cd\n", [b"<1>ab", b"<2>cd"], {"oversize": 1}, "messages on both sides of an oversize line"),
    (b"<1>ab\n" + b" more of it\n" * 60 + b"<2>cd\n", [b"<2>cd"], {"oversize": 1}, "lines that join to an oversize message"),
    (b"<1>ab\n" + LONG + b"\n cd\n<2>ef\n", [b"<1>ab", b" cd", b"<2>ef"], {"oversize": 1}, "what stands behind an oversize line continues nothing"),
    (LONG + b"\n cd\n" + LONG + b"\n ef\n", [b" cd", b" ef"], {"oversize": 2}, "oversize lines first and between"),
    (LONG, [], {"oversize": 1}, "a line that never ends"),
    (b"9999999 <13>" + b"x" * 2000, [], {"oversize": 1}, "an oversize frame that never ends"),
]


@pytest.mark.parametrize("engine", Engine)
@pytest.mark.parametrize("feed", [whole, octet_by_octet, at_random])
@pytest.mark.parametrize(("stream", "expected", "rejected"), [row[:3] for row in STREAMS], ids=[row[3] for row in STREAMS])
def test_streams(stream: bytes, expected: list[bytes], rejected: dict[str, int], feed: Feed, engine: Engine) -> None:
    for room in (None, Room(16, 4)):
        found, found_rejected, rejects = read(feed(stream), engine, room)
        assert (found, found_rejected) == (expected, rejected)
        assert bool(rejects) == bool(rejected)


@pytest.mark.parametrize(
    ("stream", "beginning"),
    [(b"5 <1>ab600 <2>" + b"x" * 597 + b"5 <3>cd", b"600 <2>xxx"), (b"<1>ab\n" + LONG + b"\n<2>cd\n", b"<13>xxx"), (b"5 <1>ab12 <2>x", b"12 <2>x")],
    ids=["counted", "line", "truncated"],
)
def test_a_reject_shows_how_the_message_began(stream: bytes, beginning: bytes) -> None:
    _, _, rejects = read([stream])
    assert len(rejects) == 1
    assert rejects[0].startswith(beginning)


def messages(cut: Cut) -> list[bytes]:
    return [cut.buffer[start:end] for start, end in zip(cut.spans[::2], cut.spans[1::2], strict=True)]


def test_a_held_message_is_handed_on_as_it_stands() -> None:
    reassembly = Reassembly(scanner(Engine.REFERENCE), LIMIT)
    assert messages(reassembly.receive(b"<1>ab\n more\n<2")) == []
    assert reassembly.holds_message
    assert messages(reassembly.flush()) == [b"<1>ab\n more"]
    assert (reassembly.holds_message, reassembly.octets) == (False, len(b"<2"))
    assert messages(reassembly.receive(b">cd\n")) == []
    assert messages(reassembly.end()) == [b"<2>cd"]


@pytest.mark.parametrize("head", [b"100000 ", b"<13>"], ids=["counted", "line"])
@pytest.mark.parametrize("room", [None, Room(16, 4)], ids=["bytes", "room"])
def test_the_smallest_pieces_cost_no_more_than_their_octets(head: bytes, room: Room | None) -> None:
    scanned = 0

    def scan(buffer: Octets, position: Position, max_message: int) -> Scan:
        nonlocal scanned
        scanned += len(buffer)
        return scanner(Engine.NATIVE)(buffer, position, max_message)

    reassembly = Reassembly(scan, 1 << 20)
    for piece in octet_by_octet(head + b"x" * 99_990):
        reassembly.receive(piece if room is None else left_by_others(room, piece))
    assert len(messages(reassembly.receive(b"y" * 10 + b"\n"))) + reassembly.holds_message == 1
    assert scanned < 110_000


def cut_by(stream: bytes, sizes: list[int]) -> list[bytes]:
    pieces, at = [], 0
    for size in sizes:
        pieces.append(stream[at : at + size])
        at += size
    return [piece for piece in (*pieces, stream[at:]) if piece]


HOSTILE = st.one_of(
    st.binary(max_size=400),
    st.lists(st.sampled_from([b"5 ", b"<1>", b"\n", b"\x00", b"\r", b"600 ", b" x", b"<13>a", b"x" * 300, b"{", b"}", b"RsaSA\n"]), max_size=30).map(b"".join),
)


@given(HOSTILE, st.lists(st.integers(1, 80), max_size=20))
def test_any_octets_are_read_the_same_however_they_are_cut(stream: bytes, sizes: list[int]) -> None:
    found, rejected, _ = read(cut_by(stream, sizes))
    assert (found, rejected) == read(whole(stream))[:2]
    assert all(0 < len(message) <= LIMIT for message in found)


@pytest.mark.parametrize("engine", Engine)
@given(stream=HOSTILE, sizes=st.lists(st.integers(1, 80), max_size=20))
def test_a_room_changes_nothing(engine: Engine, stream: bytes, sizes: list[int]) -> None:
    assert read(cut_by(stream, sizes), engine, Room(80, 20)) == read(cut_by(stream, sizes), engine)


@pytest.mark.parametrize("engine", Engine)
@given(stream=HOSTILE.map(lambda stream: stream[:300]))
def test_through_a_room_at_every_split_messages_are_those_of_one_read(engine: Engine, stream: bytes) -> None:
    room, expected = Room(64, 16), read(whole(stream), engine)[:2]
    for at in range(1, len(stream)):
        assert read([stream[:at], stream[at:]], engine, room)[:2] == expected


@pytest.mark.parametrize(
    ("pieces", "rejected"),
    [([b"1 x10", b"\x00 "], {"msg-len-syntax": 1}), ([b"1 x1_", b"0 "], {"msg-len-syntax": 1}), ([b"1 x500", b" x"], {"oversize": 1})],
    ids=["a NUL in it", "no digit", "too large"],
)
def test_a_length_that_comes_in_small_pieces_is_judged_once_it_is_whole(pieces: list[bytes], rejected: dict[str, int]) -> None:
    assert read(pieces)[:2] == read([b"".join(pieces)])[:2] == ([b"x"], rejected)


@given(
    st.lists(st.binary(min_size=1, max_size=LIMIT).filter(lambda message: message[-1] not in b"\r\n"), min_size=1), st.lists(st.integers(1, 80), max_size=20)
)
def test_counted_messages_survive_any_cut(sent: list[bytes], sizes: list[int]) -> None:
    stream = b"".join(b"%d %s" % (len(message), message) for message in sent)
    assert read(cut_by(stream, sizes)) == (sent, {}, [])
