"""Bursts of datagrams: what was sent comes in order, by sender, within its bounds, and answers go back where they came from."""

from __future__ import annotations

import errno
import socket
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel import Burst, Receiver, Room


@contextmanager
def sockets(host: str, senders: int = 1) -> Iterator[tuple[socket.socket, list[socket.socket]]]:
    """A bound socket, and others connected to it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as bound:
        bound.bind((host, 0))
        bound.setblocking(False)
        found = [socket.socket(family, socket.SOCK_DGRAM) for _ in range(senders)]
        try:
            for sender in found:
                sender.connect(bound.getsockname())
                sender.settimeout(30)
            yield bound, found
        finally:
            for sender in found:
                sender.close()


def spans_of(octets: bytes) -> list[tuple[int, int]]:
    ends = memoryview(octets).cast("I")
    return list(zip(ends[::2], ends[1::2], strict=True))


def messages(burst: Burst, room: Room) -> list[bytes]:
    """The datagrams of a burst whose sender is one."""
    return [room[start:end] for _, spans, _ in burst.peers for start, end in spans_of(spans)]


@given(st.lists(st.binary(max_size=300), max_size=40), st.sampled_from([1, 3, 64]))
def test_what_is_sent_comes_in_order(sent: list[bytes], at_once: int) -> None:
    with sockets("127.0.0.1") as (bound, (sender,)):
        for datagram in sent:
            sender.send(datagram)
        room = Room(64, 0)
        room.extend(b"what a former burst left")
        burst = Receiver(65536, at_once, False).receive(room, bound.fileno(), 100, 1 << 20)
    assert (burst.datagrams, messages(burst, room), room[:]) == (len(sent), sent, b"".join(sent))
    assert [peer for peer, _, _ in burst.peers] == ["127.0.0.1"] * bool(sent)


def test_a_burst_has_its_bounds() -> None:
    with sockets("127.0.0.1") as (bound, (sender,)):
        for number in range(20):
            sender.send(b"%02d" % number)
        receiver, room = Receiver(65536, 4, False), Room(100, 0)
        assert receiver.receive(room, bound.fileno(), 6, 1 << 20).datagrams == 6
        assert receiver.receive(room, bound.fileno(), 100, 3).datagrams == 4
        assert receiver.receive(room, bound.fileno(), 100, 1 << 20).datagrams == 10
        assert receiver.receive(room, bound.fileno(), 100, 1 << 20).datagrams == 0


def test_a_datagram_is_cut_behind_what_is_wanted_of_it() -> None:
    with sockets("127.0.0.1") as (bound, (sender,)):
        sender.send(b"0123456789")
        sender.send(b"01")
        room = Room(100, 0)
        assert messages(Receiver(4, 8, False).receive(room, bound.fileno(), 10, 1 << 20), room) == [b"0123", b"01"]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "0.0.0.0", "::"])
def test_answers_go_back(host: str) -> None:
    anywhere = host in {"0.0.0.0", "::"}
    with sockets(host, 0) as (bound, _):
        if anywhere and ":" in host:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        elif anywhere:
            bound.setsockopt(socket.IPPROTO_IP, 8, 1)
        to = {"0.0.0.0": ["127.0.0.5", "127.0.0.6"], "::": ["::1"]}.get(host, [host])
        asking = []
        for number in range(6):
            sender = socket.socket(bound.family, socket.SOCK_DGRAM)
            sender.connect((to[number % len(to)], bound.getsockname()[1]))
            sender.settimeout(30)
            sender.send(b"%d" % number)
            asking.append(sender)
        room = Room(100, 0)
        burst = Receiver(4096, 4, anywhere).receive(room, bound.fileno(), 100, 1 << 20)
        ways = [way for _, _, own in burst.peers for way in memoryview(own).cast("I")]
        asked = messages(burst, room)
        assert sorted(burst.ports) == sorted(sender.getsockname()[1] for sender in asking)
        answers = [b"to " + message for message in asked]
        ends = [0]
        for answer in answers:
            ends.append(ends[-1] + len(answer))
        spans = array("I", [end for pair in pairwise(ends) for end in pair]).tobytes()
        assert burst.send(bound.fileno(), b"".join(answers), spans, array("I", ways).tobytes(), 2) == (4, 0)
        assert burst.send(bound.fileno(), b"".join(answers), spans[:16], array("I", ways[:2]).tobytes(), 0) == (2, 0)
        assert {sender.recv(100) for sender in asking} == set(answers)
        for sender in asking:
            sender.close()


def test_a_socket_that_is_none_says_so() -> None:
    with pytest.raises(OSError, match=r".") as raised:
        Receiver(100, 4, False).receive(Room(100, 0), -1, 10, 10)
    assert raised.value.errno == errno.EBADF
