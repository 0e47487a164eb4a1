"""UDP: bursts, peers, limits, and a count of what the kernel dropped that adds up."""

from __future__ import annotations

import socket

import pytest
import trio
from support.syslog_listening import PATIENCE, Listening, listening, settings

from listeners.bind import ask_receive_buffer
from pipeline.model import Transport

LISTENER = "listeners.syslog"


def sender(host: str = "127.0.0.1") -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((host, 0))
    return sock


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_a_datagram_is_a_message(host: str) -> None:
    async with listening(settings({"udp": [f"[{host}]:0" if ":" in host else f"{host}:0"]})) as listener:
        with sender(host) as peer:
            for message in (b"<1>ab", b"<2>c\nd\n", b"5 <3>e", b"<4>\x00f"):
                peer.sendto(message, listener.address(Transport.UDP))
            assert await listener.intake.arrived(4) == [b"<1>ab", b"<2>c\nd\n", b"5 <3>e", b"<4>\x00f"]
        origin = listener.intake.batches[0].origin
        assert (origin.transport, origin.peer, origin.identity) == (Transport.UDP, host, None)


async def test_a_burst_is_one_buffer_and_a_batch_for_each_peer() -> None:
    async with listening(settings({"udp": ["127.0.0.1:0"]})) as listener:
        with sender() as first, sender("127.0.0.2") as second, sender("127.0.0.3") as third:
            listener.intake.close()
            third.sendto(b"<0>stall", listener.address(Transport.UDP))
            await trio.testing.wait_all_tasks_blocked()
            for number in range(100):
                for peer in (first, second):
                    peer.sendto(b"<1>%d" % number, listener.address(Transport.UDP))
            listener.intake.open.set()
            await listener.intake.arrived(201)
        assert [(batch.origin.peer, batch.received) for batch in listener.intake.batches] == [("127.0.0.3", 1), ("127.0.0.1", 100), ("127.0.0.2", 100)]
        assert listener.intake.messages[1:101] == listener.intake.messages[101:] == [b"<1>%d" % number for number in range(100)]


async def test_only_allowed_peers_are_heard() -> None:
    async with listening(settings({"udp": ["127.0.0.1:0"], "allow": ["127.0.0.2/32"]})) as listener:
        with sender() as stranger, sender("127.0.0.2") as friend:
            for _ in range(10):
                stranger.sendto(b"<1>ab", listener.address(Transport.UDP))
            friend.sendto(b"<2>cd", listener.address(Transport.UDP))
            assert await listener.intake.arrived(1) == [b"<2>cd"]
        assert listener.metrics.value("tidegate_datagrams_refused_total", listener=LISTENER, reason="not-allowed") == 10
        assert listener.log.getvalue().count("datagrams refused") <= 5


@pytest.mark.parametrize(
    ("datagram", "messages", "rejected"),
    [
        (b"", [b""], {}),
        (b" " * 400, [b" " * 400], {}),
        (b"\xff\xfe\x00", [b"\xff\xfe\x00"], {}),
        (b"x" * 480, [b"x" * 480], {}),
        (b"x" * 481, [], {"oversize": 1}),
        (b"x" * 65_507, [], {"oversize": 1}),
    ],
    ids=["empty", "spaces", "no text", "the longest", "longer", "the longest there can be"],
)
async def test_any_datagram_is_accounted_for(datagram: bytes, messages: list[bytes], rejected: dict[str, int]) -> None:
    async with listening(settings({"udp": ["127.0.0.1:0"], "max_message": "480 B"})) as listener:
        with sender() as peer:
            peer.sendto(datagram, listener.address(Transport.UDP))
            peer.sendto(b"<9>z", listener.address(Transport.UDP))
        await listener.intake.until(lambda: listener.intake.received == 2)
        assert (listener.intake.messages, listener.intake.rejected) == ([*messages, b"<9>z"], rejected)
        assert all(len(reject.raw) <= 8 << 10 for reject in listener.intake.rejects)


async def test_the_longest_datagram_is_a_message_by_default() -> None:
    async with listening(settings({"udp": ["127.0.0.1:0"]})) as listener:
        with sender() as peer:
            for _ in range(20):
                peer.sendto(b"<1>" + b"x" * 65_504, listener.address(Transport.UDP))
        assert await listener.intake.arrived(20) == [b"<1>" + b"x" * 65_504] * 20


def reconciled(listener: Listening, sent: int) -> bool:
    address = "{}:{}".format(*listener.address(Transport.UDP))
    return listener.intake.received + listener.metrics.value("tidegate_udp_kernel_drops_total", listener=LISTENER, address=address) == sent


async def test_what_was_sent_is_received_or_reported_as_dropped() -> None:
    sent = 0
    async with listening(settings({"udp": ["127.0.0.1:0"], "receive_buffer": "4096 B"})) as listener:
        with sender() as peer:
            for _ in range(5):  # a reader that stalls, and a queue too small for what comes meanwhile
                listener.intake.close()
                for _ in range(500):
                    peer.sendto(b"<13>" + b"x" * 400, listener.address(Transport.UDP))
                    sent += 1
                await trio.testing.wait_all_tasks_blocked()
                listener.intake.open.set()
                await trio.testing.wait_all_tasks_blocked()
        assert listener.intake.received < sent
        with trio.fail_after(PATIENCE):
            while not reconciled(listener, sent):
                await trio.lowlevel.checkpoint()
        await listener.drained()
        assert reconciled(listener, sent)


async def test_a_drain_takes_what_is_queued() -> None:
    async with listening(settings({"udp": ["127.0.0.1:0"]})) as listener:
        with sender() as peer:
            peer.sendto(b"<0>stall", listener.address(Transport.UDP))
            await listener.intake.arrived(1)
            listener.intake.close()
            peer.sendto(b"<0>stall", listener.address(Transport.UDP))
            await trio.testing.wait_all_tasks_blocked()
            for _ in range(3000):
                peer.sendto(b"<1>ab", listener.address(Transport.UDP))
            listener.stop.set()
            await trio.testing.wait_all_tasks_blocked()
            listener.intake.open.set()
            await listener.drained()
        assert listener.intake.received == 3002


def test_the_receive_buffer_is_what_the_kernel_gave() -> None:
    with sender() as sock:
        assert ask_receive_buffer(sock, 64 << 10) == 64 << 10
