"""A room holds what was put and read into it, in order, whatever was in it before."""

from __future__ import annotations

import socket
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

import kernel
from kernel import Room

STEPS = st.lists(st.tuples(st.sampled_from(["extend", "prepend", "receive", "clear"]), st.binary(max_size=40)), max_size=20)


@given(STEPS, st.integers(0, 50), st.integers(0, 20), st.slices(60))
def test_a_room_is_a_row_of_octets(steps: list[tuple[str, bytes]], octets: int, before: int, span: slice) -> None:
    room, model = Room(octets, before), b""
    span = slice(span.start, span.stop)
    one, other = socket.socketpair()
    with one, other:
        for step, given in steps:
            match step:
                case "extend":
                    room.extend(given)
                    model += given
                case "prepend":
                    room.prepend(given)
                    model = given + model
                case "receive" if given:
                    other.sendall(given)
                    assert room.receive(one.fileno(), 64) == len(given)
                    model += given
                case _:
                    room.clear()
                    model = b""
            assert (len(room), room[:], room[span]) == (len(model), model, model[span])


def test_receiving_takes_no_more_than_asked_and_tells_silence_from_the_end() -> None:
    room = Room(16, 0)
    one, other = socket.socketpair()
    with one:
        with other:
            assert room.receive(one.fileno(), 8) is None
            other.sendall(b"abcdef")
            assert (room.receive(one.fileno(), 4), room[:]) == (4, b"abcd")
        assert (room.receive(one.fileno(), 4), room.receive(one.fileno(), 4), room[:]) == (2, 0, b"abcdef")
    with pytest.raises(OSError, match="Bad file"):
        room.receive(one.fileno(), 4)


def test_octets_that_are_no_neighbours_are_no_slice() -> None:
    with pytest.raises(ValueError, match="neighbours"):
        Room(1, 0)[::2]


@given(st.lists(st.sampled_from([b"5 <1>ab", b"<1>ab\n", b" more\n", b"\x00", b"9", b"0 "]), max_size=12).map(b"".join), st.integers(0, 30))
def test_a_room_is_scanned_as_bytes_are(stream: bytes, cut: int) -> None:
    room = Room(len(stream[cut:]), len(stream[:cut]))
    room.extend(stream[cut:])
    room.prepend(stream[:cut])
    assert kernel.scan_counted(room, 0, 4) == kernel.scan_counted(stream, 0, 4)
    assert kernel.scan_trailed(room, False, 0, 4) == (found := kernel.scan_trailed(stream, False, 0, 4))
    assert kernel.loose_lines(room, array("I", found[0]).tobytes()) == kernel.loose_lines(stream, array("I", found[0]).tobytes())
    with pytest.raises(TypeError):
        kernel.scan_counted("text", 0, 4)  # type: ignore[arg-type]
