"""The listener on real sockets of the loopback: TCP, limits, fairness, backpressure, and the orderly end."""

from __future__ import annotations

import contextlib
import errno
import resource
import socket
import struct
import sys
from collections.abc import AsyncIterator
from functools import partial
from io import StringIO

import pytest
import trio
from support.syslog_listening import NOW_NS, PATIENCE, Collector, Listening, keep_all, listening, settings

from kernel import Engine
from listeners.accept import descriptors_for_connections
from listeners.ready import Ready
from listeners.syslog.serve import serve_syslog
from listeners.syslog.settings import SyslogSettings
from pipeline.errors import ConfigError
from pipeline.log import LogSettings
from pipeline.log_lines import open_log
from pipeline.metrics import Metrics
from pipeline.model import Batch, Frames, Transport

LISTENER = "listeners.syslog"


@pytest.fixture
async def tcp() -> AsyncIterator[Listening]:
    async with listening(settings({"tcp": ["127.0.0.1:0"]})) as found:
        yield found


async def serve(given: SyslogSettings, task_status: trio.TaskStatus[list[Ready]] = trio.TASK_STATUS_IGNORED) -> None:
    """The listener alone, for ever."""
    await serve_syslog(
        given,
        normalize=keep_all,
        intake=Collector(),
        metrics=Metrics(),
        engine=Engine.NATIVE,
        clock=lambda: NOW_NS,
        log=open_log(StringIO(), LogSettings()),
        task_status=task_status,
    )


async def connect(listener: Listening, number: int = 0) -> trio.SocketStream:
    return await trio.open_tcp_stream(*listener.address(Transport.TCP, number))


async def send(listener: Listening, stream: bytes, local: str | None = None) -> None:
    async with await trio.open_tcp_stream(*listener.address(Transport.TCP), local_address=local) as sender:
        await sender.send_all(stream)


async def until_closed(stream: trio.abc.ReceiveStream) -> None:
    with trio.fail_after(PATIENCE):
        with contextlib.suppress(trio.BrokenResourceError):
            assert await stream.receive_some(1) == b""


async def test_messages_arrive_with_their_origin(tcp: Listening) -> None:
    await send(tcp, b"5 <1>ab3 <2>")
    assert await tcp.intake.arrived(2) == [b"<1>ab", b"<2>"]
    origin = tcp.intake.batches[0].origin
    assert (origin.listener, origin.transport, origin.peer, origin.received_at_ns, origin.identity) == (LISTENER, Transport.TCP, "127.0.0.1", NOW_NS, None)
    await tcp.drained()
    assert tcp.metrics.value("tidegate_received_bytes_total", listener=LISTENER, transport="tcp") == len(b"5 <1>ab3 <2>")
    assert tcp.metrics.value("tidegate_connections", listener=LISTENER, transport="tcp") == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_both_families_on_one_port(host: str) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    async with listening(settings({"tcp": [f"127.0.0.1:{port}", f"[::1]:{port}"]})) as both, await trio.open_tcp_stream(host, port) as sender:
        await sender.send_all(b"<1>ab\n<2>cd\n")
        assert (await both.intake.arrived(1))[0] == b"<1>ab"
        assert both.intake.batches[0].origin.peer == host
        assert str(both.ready[1]) == f"ready {LISTENER} tcp [::1]:{port}"


async def test_a_held_line_is_handed_on_when_its_time_is_up(autojump_clock: trio.testing.MockClock) -> None:
    autojump_clock.autojump_threshold = 0.05
    async with listening(settings({"tcp": ["127.0.0.1:0"], "multiline": "500 ms"})) as listener, await connect(listener) as sender:
        begun = trio.current_time()
        await sender.send_all(b"<1>ab\n more\n")
        assert await listener.intake.arrived(1) == [b"<1>ab\n more"]
        assert trio.current_time() - begun == pytest.approx(0.5)


async def test_trickling_lines_cannot_hold_a_message_for_ever(autojump_clock: trio.testing.MockClock) -> None:
    autojump_clock.autojump_threshold = 0.05
    async with listening(settings({"tcp": ["127.0.0.1:0"]})) as listener, await connect(listener) as sender:
        await sender.send_all(b"<1>ab\n")
        for _ in range(4):
            await trio.sleep(0.2)
            await sender.send_all(b" more\n")
        assert listener.intake.messages[0].startswith(b"<1>ab\n more")


async def test_one_octet_a_second_arrives_and_disturbs_nobody(autojump_clock: trio.testing.MockClock) -> None:
    autojump_clock.autojump_threshold = 0.05
    async with listening(settings({"tcp": ["127.0.0.1:0"]})) as listener, await connect(listener) as slow:
        for octet in b"5 <1>ab":
            await slow.send_all(bytes([octet]))
            await trio.sleep(1)
            await send(listener, b"5 <2>cd")
        await listener.intake.arrived(8)
        assert sorted(listener.intake.messages) == [b"<1>ab", *[b"<2>cd"] * 7]


async def test_silence_ends_a_connection_only_where_configured(autojump_clock: trio.testing.MockClock) -> None:
    autojump_clock.autojump_threshold = 0.05
    async with listening(settings({"tcp": ["127.0.0.1:0"], "idle": "30 s"})) as listener, await connect(listener) as sender:
        await sender.send_all(b"5 <1>ab9 <2>")
        await until_closed(sender)
        assert trio.current_time() >= 30
        await listener.intake.until(lambda: listener.intake.rejected == {"truncated": 1})
        assert listener.intake.messages == [b"<1>ab"]
        assert listener.metrics.value("tidegate_connections_ended_total", listener=LISTENER, reason="idle") == 1
    async with listening(settings({"tcp": ["127.0.0.1:0"]})) as listener, await connect(listener) as sender:
        await trio.sleep(86_400)
        await sender.send_all(b"5 <1>ab")
        assert await listener.intake.arrived(1) == [b"<1>ab"]


# what ecosystem practice knows as hostile or broken on TCP: each on its own connection, with a good message before it
#   stream                                       messages             rejected                 ended      why
BAD_STREAMS = [
    (b"99999999999 <13>x", [b"<1>ab"], {"msg-len-digits": 1}, "framing", "a length of eleven digits"),
    (b"0 <13>x", [b"<1>ab"], {"msg-len-syntax": 1}, "framing", "a length of zero"),
    (b"-1 <13>x", [b"<1>ab"], {"msg-len-syntax": 1}, "framing", "a negative length"),
    (b"12", [b"<1>ab"], {"truncated": 1}, None, "digits, then the end"),
    (b"50 <13>half of", [b"<1>ab"], {"truncated": 1}, None, "the end inside a frame"),
    (b"600 " + b"x" * 600 + b"5 <2>cd", [b"<1>ab", b"<2>cd"], {"oversize": 1}, None, "a valid frame behind an oversize one"),
    (b"<13>line\n", [b"<1>ab"], {"mixed-framing": 1}, "framing", "a line on a counted connection"),
    (b"8 <2>c\nd\n\n5 <3>ef", [b"<1>ab", b"<2>c\nd\n", b"<3>ef"], {}, None, "LF inside a frame"),
    (b"7 <2>c\x00d\x005 <3>ef", [b"<1>ab", b"<2>c\x00d\x00", b"<3>ef"], {}, None, "NUL inside a frame"),
]


@pytest.mark.parametrize(("stream", "messages", "rejected", "ended"), [row[:4] for row in BAD_STREAMS], ids=[row[4] for row in BAD_STREAMS])
async def test_bad_streams_lose_nothing_else(stream: bytes, messages: list[bytes], rejected: dict[str, int], ended: str | None) -> None:
    async with listening(settings({"tcp": ["127.0.0.1:0"], "max_message": "480 B"})) as listener:
        await send(listener, b"5 <1>ab" + stream)
        await send(listener, b"6 <9>zzz")
        await listener.intake.until(lambda: b"<9>zzz" in listener.intake.messages and listener.intake.received == len(messages) + len(rejected) + 1)
        assert [message for message in listener.intake.messages if message != b"<9>zzz"] == messages
        assert listener.intake.rejected == rejected
        assert {reject.rule for reject in listener.intake.rejects} == set(rejected)
        await listener.drained()
        assert "Traceback" not in listener.log.getvalue()
        if ended:
            assert listener.metrics.value("tidegate_connections_ended_total", listener=LISTENER, reason=ended) == 1


async def test_a_reset_keeps_what_came_before_it(tcp: Listening) -> None:
    sender = await connect(tcp)
    await sender.send_all(b"<1>ab\n<2>cd\n<3>e")
    await tcp.intake.arrived(1)
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    await sender.aclose()
    assert sorted(await tcp.intake.arrived(3)) == [b"<1>ab", b"<2>cd", b"<3>e"]
    await tcp.drained()
    assert tcp.metrics.value("tidegate_connections_ended_total", listener=LISTENER, reason="reset") == 1


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"connections": 2}, "connections"),
        ({"connections_per_peer": 2}, "connections-per-peer"),
        ({"allow": ["10.0.0.0/8", "::/0"]}, "not-allowed"),
    ],
    ids=["in all", "per peer", "allow-list"],
)
async def test_connections_past_a_limit_are_refused_and_counted(given: dict[str, object], reason: str, autojump_clock: trio.testing.MockClock) -> None:
    autojump_clock.autojump_threshold = 0.05
    async with listening(settings({"tcp": ["127.0.0.1:0"], **given})) as listener:
        served = 0 if reason == "not-allowed" else 2
        kept = [await connect(listener) for _ in range(served)]
        for stream in kept:
            await stream.send_all(b"5 <1>ab")
        await listener.intake.arrived(served)
        refused = await connect(listener)
        await until_closed(refused)
        assert listener.metrics.value("tidegate_connections_refused_total", listener=LISTENER, reason=reason) == 1
        for stream in kept:
            await stream.aclose()
        await refused.aclose()


async def test_a_place_is_free_again_when_its_connection_ends() -> None:
    async with listening(settings({"tcp": ["127.0.0.1:0"], "connections": 1})) as listener:
        for number in range(1, 4):
            await send(listener, b"5 <1>ab")
            await listener.intake.arrived(number)
            with trio.fail_after(PATIENCE):
                while listener.metrics.value("tidegate_connections", listener=LISTENER, transport="tcp"):
                    await trio.lowlevel.checkpoint()


async def test_a_full_intake_stops_the_reading(tcp: Listening, autojump_clock: trio.testing.MockClock) -> None:
    autojump_clock.autojump_threshold = 0.05
    tcp.intake.close()
    async with await connect(tcp) as sender:
        message = b"<13>" + b"x" * 996
        frame = b"%d %s" % (len(message), message)
        sent = 0
        with trio.move_on_after(1) as stalled:
            while True:
                await sender.send_all(frame * 64)
                sent += 64
        assert stalled.cancelled_caught, "the sender must feel it"
        assert tcp.intake.submitted == 1
    tcp.intake.open.set()
    await tcp.intake.arrived(sent)


async def test_unfinished_messages_of_all_connections_are_bounded() -> None:
    async with listening(settings({"tcp": ["127.0.0.1:0"], "incomplete": "1 MiB", "max_message": "512 KiB", "connections_per_peer": 100})) as listener:
        honest = await connect(listener)
        await honest.send_all(b"9 <1>")
        greedy = [await connect(listener) for _ in range(3)]
        for stream in greedy:
            await stream.send_all(b"500000 " + b"x" * 450_000)
        await listener.intake.until(lambda: listener.intake.rejected == {"truncated": 1})
        assert len(listener.intake.rejects[0].raw) <= 8 << 10
        assert listener.metrics.value("tidegate_connections_ended_total", listener=LISTENER, reason="memory") == 1
        await honest.send_all(b"whole!")
        assert await listener.intake.arrived(1) == [b"<1>whole!"]
        for stream in (honest, *greedy):
            await stream.aclose()


async def test_a_drain_takes_what_the_kernel_took(tcp: Listening, autojump_clock: trio.testing.MockClock) -> None:
    autojump_clock.autojump_threshold = 0.05
    sender = await connect(tcp)
    await sender.send_all(b"5 <1>ab")
    await tcp.intake.arrived(1)
    tcp.intake.close()
    await sender.send_all(b"5 <2>cd")
    await trio.testing.wait_all_tasks_blocked(0.05)
    await sender.send_all(b"5 <3>ef" * 1000 + b"9 <4>")
    tcp.stop.set()
    await trio.testing.wait_all_tasks_blocked(0.05)
    assert not tcp.done.is_set(), "a drain returns when everything is settled"
    tcp.intake.open.set()
    await tcp.drained()
    assert tcp.intake.messages == [b"<1>ab", b"<2>cd", *[b"<3>ef"] * 1000]
    assert tcp.intake.rejected == {"truncated": 1}
    await until_closed(sender)
    await sender.aclose()
    with pytest.raises(OSError, match="all attempts to connect"):
        await connect(tcp)


async def test_cancelling_closes_at_once() -> None:
    async with trio.open_nursery() as nursery:
        ready = await nursery.start(partial(serve, settings({"tcp": ["127.0.0.1:0"]})))
        sender = await trio.open_tcp_stream(*ready[0].address)
        await sender.send_all(b"5 <1>ab")
        nursery.cancel_scope.cancel()
    with pytest.raises(OSError, match="all attempts to connect"):
        await trio.open_tcp_stream(*ready[0].address)
    await until_closed(sender)
    await sender.aclose()


async def test_a_normalizer_that_fails_rejects_only_the_culprit() -> None:
    def fails(frames: Frames) -> Batch:
        if any(frames.buffer[start:end] == b"<2>cd" for start, end in frames.pairs()):
            raise ZeroDivisionError
        return keep_all(frames)

    async with listening(settings({"tcp": ["127.0.0.1:0"]}), normalize=fails) as listener:
        await send(listener, b"5 <1>ab5 <2>cd5 <3>ef")
        assert await listener.intake.arrived(2) == [b"<1>ab", b"<3>ef"]
        assert listener.intake.rejected == {"internal-error": 1}
        assert listener.intake.rejects[0].raw == b"<2>cd"


async def test_what_waits_for_the_intake_is_not_read_over(tcp: Listening) -> None:
    """Buffers of several slices each, all of them half handed on while others are read."""
    tcp.intake.close()
    expected = [b"<13>" + b"%d" % sender * 99_996 for sender in range(8)]
    async with trio.open_nursery() as nursery:
        for sender, message in enumerate(expected, 1):
            nursery.start_soon(send, tcp, (b"%d %s" % (len(message), message)) * 5, f"127.0.0.{sender}")
        while tcp.intake.submitted < len(expected):
            await trio.lowlevel.checkpoint()
        tcp.intake.open.set()
    assert sorted(await tcp.intake.arrived(40)) == sorted(expected * 5)


async def test_large_buffers_are_normalized_beside_the_event_loop(tcp: Listening) -> None:
    message = b"<13>" + b"x" * 99_996
    await send(tcp, (b"%d %s" % (len(message), message)) * 50)
    assert await tcp.intake.arrived(50) == [message] * 50


@pytest.mark.parametrize("engine", Engine)
async def test_many_connections_lose_nothing(engine: Engine) -> None:
    async with listening(settings({"tcp": ["127.0.0.1:0"]}), engine=engine) as listener:
        expected = [b"<13>sender %d message %d" % (sender, number) for sender in range(32) for number in range(500)]

        async def play(sender: int) -> None:
            mine = expected[sender * 500 : sender * 500 + 500]
            counted = sender % 2
            await send(listener, b"".join(b"%d %s" % (len(one), one) if counted else one + b"\n" for one in mine))

        async with trio.open_nursery() as nursery:
            for sender in range(32):
                nursery.start_soon(play, sender)
        assert sorted(await listener.intake.arrived(len(expected))) == sorted(expected)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_an_address_that_cannot_be_bound_is_the_operators(transport: str) -> None:
    kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
    with socket.socket(type=kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if transport == "tcp":
            taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ConfigError, match=f"{transport} {address}: Address already in use; another program holds it"):
            await serve(settings({transport: [address]}))


async def test_an_address_of_another_machine_is_the_operators() -> None:
    with pytest.raises(ConfigError, match="Cannot assign requested address; no interface"):
        await serve(settings({"tcp": ["127.0.0.1:0", "192.0.2.1:0"]}))


class Short(socket.socket):
    """A listening socket of a machine that runs out of descriptors for a while."""

    shortages = 2

    def accept(self) -> tuple[socket.socket, object]:
        if self.shortages:
            self.shortages -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


async def test_the_last_descriptors_are_no_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as probe:
        limit = (probe.fileno() + 12) * 4 // 3
    monkeypatch.setattr("listeners.accept.resource.getrlimit", lambda _: (limit, limit))
    async with listening(settings({"tcp": ["127.0.0.1:0"]})) as listener:
        held = [await trio.open_tcp_stream(*listener.address(Transport.TCP)) for _ in range(12)]
        with trio.fail_after(PATIENCE):
            while not listener.metrics.value("tidegate_connections_refused_total", listener=LISTENER, reason="shortage"):
                await trio.lowlevel.checkpoint()
        for stream in held:
            await stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        await send(listener, b"5 <1>ab")
        assert await listener.intake.arrived(1) == [b"<1>ab"]


@pytest.mark.parametrize(
    ("limit", "descriptors"), [(64, 48), (1024, 896), (1 << 20, (1 << 20) - 128), (resource.RLIM_INFINITY, sys.maxsize)], ids=["few", "usual", "many", "any"]
)
def test_descriptors_kept_from_connections(limit: int, descriptors: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("listeners.accept.resource.getrlimit", lambda _: (limit, limit))
    assert descriptors_for_connections() == descriptors


async def test_a_shortage_of_descriptors_is_survived(monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock) -> None:
    autojump_clock.autojump_threshold = 0.05
    monkeypatch.setattr("listeners.bind.socket.socket", Short)
    async with listening(settings({"tcp": ["127.0.0.1:0"]})) as listener:
        monkeypatch.undo()
        await send(listener, b"5 <1>ab")
        assert await listener.intake.arrived(1) == [b"<1>ab"]
        assert listener.metrics.value("tidegate_connections_refused_total", listener=LISTENER, reason="shortage") == 2
