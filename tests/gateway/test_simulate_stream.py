"""Simulated syslog on real sockets and on a recorded one: paced, counted, framed, and different each time it goes round."""

from __future__ import annotations

import socket
import ssl
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from random import Random

import pytest
import trio
import trio.testing
import trustme

from gateway.simulate.events import generate_events
from gateway.simulate.messages import MARKER, Header, encode_header, encode_message, encode_messages
from gateway.simulate.send import MAX_DATAGRAM
from gateway.simulate.stream import Course, Flow, Sent, stream_syslog
from gateway.simulate.target import Target, parse_target
from pipeline.errors import ConfigError, DeliveryError, MessageError
from pipeline.model import Transport
from wire.event import WindowsEvent
from wire.layouts.layout import Layout, Reading
from wire.syslog_framing import Framing, Position, scan

NOW_NS = 1_714_979_289_123_456_700


def encode_plain(event: WindowsEvent) -> bytes:
    return f"PLAIN id={event.event_id} record={event.record_id} computer={event.computer} channel={event.channel}".encode()


def parse_plain(payload: bytes, _reading: Reading) -> WindowsEvent:
    pairs = dict(part.split("=", 1) for part in payload.decode().split(" ") if "=" in part)
    return WindowsEvent(event_id=pairs["id"], record_id=pairs["record"])


PLAIN = Layout("plain", "this test", "syslog", lambda payload: payload.startswith(b"PLAIN"), parse_plain, encode_plain)
FEW = Layout("few", "this test", "syslog", PLAIN.starts, parse_plain, encode_plain, carries=frozenset({"4776"}))


def draw(count: int, seed: int = 1) -> list[WindowsEvent]:
    return list(islice(generate_events(Random(seed), lambda: NOW_NS), count))


class Recorder:
    """A sender that keeps what it is given, and when."""

    max_message = 1000

    def __init__(self) -> None:
        self.messages: list[tuple[float, bytes]] = []

    async def send(self, messages: Sequence[bytes]) -> None:
        await trio.lowlevel.checkpoint()
        self.messages += [(trio.current_time(), message) for message in messages]


# -- addresses


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("udp://127.0.0.1:5514", Target(Transport.UDP, "127.0.0.1", 5514)),
        ("tcp://[::1]:601", Target(Transport.TCP, "::1", 601)),
        ("tls://collector.contoso.example", Target(Transport.TLS, "collector.contoso.example", 6514)),
        ("udp://sensor", Target(Transport.UDP, "sensor", 514)),
    ],
)
def test_target_is_read(text: str, target: Target) -> None:
    assert parse_target(text) == target
    assert parse_target(str(target)) == target


@pytest.mark.parametrize("text", ["", "sensor:514", "http://sensor:514", "udp://sensor:0", "udp://sensor:70000", "udp://:514", "udp://a b:1", "tcp://::1:514"])
def test_target_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_target(text)


# -- messages


def test_header_of_each_kind() -> None:
    event = draw(1)[0]
    host = event.computer.encode()
    assert encode_header(event, Header.RFC5424) == b"<134>1 2024-05-06T07:08:09.123456Z %b tidegate-simulate - %b - " % (host, event.event_id.encode())
    assert encode_header(event, Header.RFC3164) == b"<134>May  6 07:08:09 %b " % host.split(b".")[0]
    assert encode_header(event, Header.NONE) == b""


def test_message_carries_the_record_id_it_is_given() -> None:
    event = draw(1)[0]
    message = encode_message(event, PLAIN, Header.NONE, Framing.OCTET_COUNTING)
    assert message is not None
    for record_id in (1, 77, 10**12):
        octets = message.encode_numbered(record_id)
        found = scan(octets, Position(), 10_000)
        [(start, end)] = zip(found.spans[::2], found.spans[1::2], strict=True)
        assert parse_plain(octets[start:end], Reading()).record_id == str(record_id)
        assert found.consumed == len(octets)


def test_marker_in_an_events_own_text_survives() -> None:
    event = WindowsEvent(event_id="4776", record_id="12", computer=MARKER.decode(), channel="Security")
    message = encode_message(event, PLAIN, Header.NONE, Framing.UNDECIDED)
    assert message is not None
    assert message.encode_numbered(99).count(b"record=12 ") == 1


def test_layout_leaves_out_what_it_cannot_carry() -> None:
    events = draw(300)
    assert len(list(encode_messages(events, FEW, Header.NONE, Framing.UNDECIDED))) == sum(event.event_id == "4776" for event in events)

    def refuse(event: WindowsEvent) -> bytes:
        raise MessageError("cannot-carry", detail=event.event_id)

    refusing = Layout("refusing", "this test", "syslog", PLAIN.starts, parse_plain, refuse)
    assert encode_message(events[0], refusing, Header.NONE, Framing.UNDECIDED) is None


# -- pace


async def flow(course: Course, seed: int = 1) -> tuple[Recorder, Sent]:
    recorder = Recorder()
    run = Flow(recorder, course, trio.Event(), None, renumber=False)
    await run.run(encode_messages(generate_events(Random(seed), lambda: NOW_NS), PLAIN, Header.NONE, Framing.UNDECIDED))
    return recorder, run.sent()


async def test_slow_stream_is_evenly_spaced(autojump_clock: trio.testing.MockClock) -> None:
    begun = trio.current_time()
    recorder, sent = await flow(Course(rate=2.0, count=9))
    assert [round(at - begun, 6) for at, _ in recorder.messages] == [index / 2 for index in range(9)]
    assert sent.messages == 9


@pytest.mark.parametrize("rate", [10.0, 333.0, 20_000.0])
async def test_rate_is_kept_over_time(autojump_clock: trio.testing.MockClock, rate: float) -> None:
    recorder, sent = await flow(Course(rate=rate, duration=3.0))
    assert abs(sent.messages - rate * 3) <= rate * 0.03 + 1
    assert len(recorder.messages) == sent.messages == sum(sent.by_event_id.values())
    assert sent.octets == sum(len(message) for _, message in recorder.messages)


async def test_count_ends_a_flood() -> None:
    _, sent = await flow(Course(rate=None, count=1000))
    assert sent.messages == 1000


async def test_stop_ends_a_stream(autojump_clock: trio.testing.MockClock) -> None:
    stop, recorder = trio.Event(), Recorder()
    run = Flow(recorder, Course(rate=1.0), stop, None, renumber=False)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run.run, encode_messages(generate_events(Random(1), lambda: NOW_NS), PLAIN, Header.NONE, Framing.UNDECIDED))
        await trio.sleep(4.5)
        stop.set()
    assert run.sent().messages == 5


async def test_too_long_for_the_way_is_counted_not_sent() -> None:
    long = WindowsEvent(event_id="4776", computer="x" * 2000)
    recorder = Recorder()
    run = Flow(recorder, Course(rate=None), trio.Event(), None, renumber=False)
    await run.run(encode_messages([*draw(3), long], PLAIN, Header.NONE, Framing.UNDECIDED))
    assert (run.sent().messages, run.sent().oversize, len(recorder.messages)) == (3, 1, 3)


async def test_receiver_that_takes_nothing_is_given_up(autojump_clock: trio.testing.MockClock) -> None:
    class Stalled(Recorder):
        async def send(self, messages: Sequence[bytes]) -> None:  # noqa: ARG002 - the protocol's signature
            await trio.sleep_forever()

    run = Flow(Stalled(), Course(rate=None), trio.Event(), None, renumber=False)
    with pytest.raises(DeliveryError, match="stalled"):
        await run.run(encode_messages(draw(1), PLAIN, Header.NONE, Framing.UNDECIDED))


# -- real sockets


async def receive_stream(server: trio.SocketListener, context: ssl.SSLContext | None = None) -> bytes:
    plain = await server.accept()
    stream: trio.abc.Stream = plain if context is None else trio.SSLStream(plain, context, server_side=True)
    received = bytearray()
    async with stream:
        while data := await stream.receive_some(65_536):
            received += data
    return bytes(received)


async def exchange(scheme: str, context: ssl.SSLContext | None, **how: object) -> tuple[bytes, Sent]:
    [server] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = server.socket.getsockname()[1]
    received: list[bytes] = []

    async def serve() -> None:
        received.append(await receive_stream(server, context))

    async with server, trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        sent = await stream_syslog(parse_target(f"{scheme}://127.0.0.1:{port}"), layout=PLAIN, random=Random(4), **how)  # type: ignore[arg-type]
    return received[0], sent


@pytest.mark.parametrize("framing", [Framing.OCTET_COUNTING, Framing.NON_TRANSPARENT])
@pytest.mark.parametrize("header", list(Header))
async def test_every_message_of_a_flood_arrives_once(framing: Framing, header: Header) -> None:
    octets, sent = await exchange("tcp", None, framing=framing, header=header, course=Course(rate=None, count=5000))
    found = scan(octets, Position(), 10_000)
    messages = [octets[start:end] for start, end in zip(found.spans[::2], found.spans[1::2], strict=True)]
    assert (len(messages), len(octets), found.consumed) == (5000, sent.octets, len(octets))
    payloads = [message[message.index(b"PLAIN") :] for message in messages]
    assert Counter(parse_plain(payload, Reading()).event_id for payload in payloads) == sent.by_event_id
    assert len(set(payloads)) == 5000, "what goes round has to be other events each time"


async def test_tls_ends_in_order() -> None:
    authority = trustme.CA()
    serving, asking = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.issue_cert("127.0.0.1").configure_cert(serving)
    authority.configure_trust(asking)
    octets, sent = await exchange("tls", serving, tls=asking, course=Course(rate=None, count=3000))
    assert len(octets) == sent.octets


async def test_tls_that_is_not_trusted_is_one_clear_error() -> None:
    authority = trustme.CA()
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(serving)
    [server] = await trio.open_tcp_listeners(0, host="127.0.0.1")

    async def refuse() -> None:
        stream = trio.SSLStream(await server.accept(), serving, server_side=True)
        with pytest.raises(trio.BrokenResourceError):
            await stream.do_handshake()
        await trio.aclose_forcefully(stream)

    async with server, trio.open_nursery() as nursery:
        nursery.start_soon(refuse)
        with pytest.raises(DeliveryError, match="tls-handshake"):
            await stream_syslog(parse_target(f"tls://127.0.0.1:{server.socket.getsockname()[1]}"), layout=PLAIN)


async def test_datagrams_are_single_messages() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        target = Target(Transport.UDP, "127.0.0.1", receiver.getsockname()[1])
        sent = await stream_syslog(target, layout=PLAIN, header=Header.NONE, course=Course(rate=None, count=50), random=Random(2))
        received = [receiver.recv(MAX_DATAGRAM) for _ in range(50)]
    assert all(message.startswith(b"PLAIN id=") for message in received)
    assert sum(map(len, received)) == sent.octets


async def test_given_events_are_sent_once_as_they_are() -> None:
    events = draw(40)
    octets, sent = await exchange("tcp", None, events=events, framing=Framing.NON_TRANSPARENT, header=Header.NONE, course=Course(rate=None))
    assert octets == b"".join(encode_plain(event) + b"\n" for event in events)
    assert sent.messages == 40


async def test_given_events_go_round_under_new_record_ids() -> None:
    octets, _ = await exchange(
        "tcp", None, events=draw(10), framing=Framing.NON_TRANSPARENT, header=Header.NONE, course=Course(rate=None, count=100, repeat=True)
    )
    assert len(set(octets.splitlines())) == 100


async def test_nobody_there_is_one_clear_error() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(DeliveryError, match="connect"):
            await stream_syslog(Target(Transport.TCP, "127.0.0.1", unused.getsockname()[1]), layout=PLAIN)


async def test_layout_that_carries_none_of_the_events_says_so() -> None:
    with pytest.raises(ConfigError, match="few"):
        await exchange_none()


async def exchange_none() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        target = Target(Transport.UDP, "127.0.0.1", receiver.getsockname()[1])
        await stream_syslog(target, layout=FEW, only=frozenset({"7045"}), course=Course(rate=None))
