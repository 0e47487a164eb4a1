"""The relay: packets reach the next server as they came, once it answers they are delivered, and nothing else counts as an answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import count

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st
from support.batches import batch_of
from support.radius_packets import accounting_requests, signed

from forwarders.destination import Delivered
from forwarders.relay import Relay
from forwarders.relay_exchange import Original, check_answer, encode_relayed
from forwarders.sensor_settings import RelaySettings
from pipeline.errors import DeliveryError, Fault, MessageError
from pipeline.metrics import Metrics
from pipeline.spool.row import Row
from wire.radius.attributes import Attribute
from wire.radius.authenticators import MESSAGE_AUTHENTICATOR, PROXY_STATE, encode_accounting_request, encode_response, verify_request
from wire.radius.packet import MAX_LENGTH, Code, Packet, parse_packet

NAS_SECRET, NEXT_SECRET = b"what the NAS and we share", b"what the next hop and we share"
USER_NAME = 1
ROW_START = 1000


def original(name: int, *more: Attribute) -> bytes:
    return encode_accounting_request(name % 256, (Attribute(USER_NAME, b"user%d" % name), *more), NAS_SECRET)


def row_of(count_: int) -> Row:
    batch = batch_of(range(count_))
    return Row.whole(batch.records, batch.index, ROW_START)


@dataclass
class Server:
    """The next hop: what it heard, and what it does with each datagram."""

    answer: Callable[[bytes, int], list[bytes]] = lambda request, _nth: [encode_response(request, NEXT_SECRET)]
    heard: list[bytes] = field(default_factory=list)
    port: int = 0

    def users(self) -> list[bytes]:
        return [parse_packet(request).values(USER_NAME)[0] for request in self.heard]

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        with trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as sock:
            await sock.bind(("127.0.0.1", 0))
            self.port = sock.getsockname()[1]
            task_status.started()
            for nth in count():
                datagram, peer = await sock.recvfrom(MAX_LENGTH)
                self.heard.append(datagram)
                for answer in self.answer(datagram, nth):
                    await sock.sendto(answer, peer)


def relay_to(server: Server, packets: Sequence[bytes], metrics: Metrics | None = None, **settings: object) -> Relay:
    table = RelaySettings.model_validate(
        {"name": "next", "kind": "sensor", "layout": "radius", "address": f"udp://127.0.0.1:{server.port}", "secret": NEXT_SECRET, **settings}
    )

    async def originals(row: Row) -> Sequence[bytes]:
        await trio.lowlevel.checkpoint()
        return [packets[place] for place in row.chosen]

    return Relay(table, metrics or Metrics(), originals=originals, random=lambda: 0.5)


@asynccontextmanager
async def serving(server: Server) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:
        await nursery.start(server.run)
        yield
        nursery.cancel_scope.cancel()


async def outcome(server: Server, packets: Sequence[bytes], metrics: Metrics | None = None, **settings: object) -> Delivered | DeliveryError:
    """What one attempt comes to."""
    found: Delivered | DeliveryError | None = None
    async with serving(server):
        relay = relay_to(server, packets, metrics, **settings)
        await relay.open(b"")
        try:
            found = await relay.deliver(row_of(len(packets)))
        except DeliveryError as error:
            found = error
        finally:
            await relay.close()
    assert found is not None
    return found


@given(accounting_requests(), st.integers(0, 2**62), st.integers(0, 255))
def test_attributes_arrive_as_they_came(packet: Packet, number: int, identifier: int) -> None:
    received = signed(packet, NAS_SECRET)
    try:
        relayed = encode_relayed(Original(number, received), identifier, NEXT_SECRET)
    except ValueError:
        assert len(received) + 10 > MAX_LENGTH
        return
    sent = parse_packet(verify_request(relayed, NEXT_SECRET))
    came = parse_packet(received)
    assert (sent.code, sent.identifier) == (Code.ACCOUNTING_REQUEST, identifier)
    assert sent.attributes[-1] == Attribute(PROXY_STATE, number.to_bytes(8))
    for before, after in zip(came.attributes, sent.attributes[:-1], strict=True):
        assert before.type == after.type
        assert before.value == after.value or before.type == MESSAGE_AUTHENTICATOR
    check_answer(encode_response(relayed, NEXT_SECRET), relayed, NEXT_SECRET)


@given(accounting_requests(), st.integers(0, 4095), st.integers(1, 255))
def test_a_flipped_octet_is_no_answer(packet: Packet, at: int, flip: int) -> None:
    request = encode_relayed(Original(7, signed(packet, NAS_SECRET)), 1, NEXT_SECRET)
    answer = bytearray(encode_response(request, NEXT_SECRET))
    answer[at % len(answer)] ^= flip
    with pytest.raises(MessageError):
        check_answer(bytes(answer), request, NEXT_SECRET)


STATE = Attribute(PROXY_STATE, b"the NAS's proxy")
REQUEST = encode_relayed(Original(7, original(1, STATE)), 9, NEXT_SECRET)


def returning(*states: bytes, code: int = Code.ACCOUNTING_RESPONSE) -> bytes:
    """A signed answer with these Proxy-States."""
    asked = Packet(REQUEST[0], REQUEST[1], REQUEST[4:20], tuple(Attribute(PROXY_STATE, state) for state in states))
    octets = bytes((asked.code, asked.identifier)) + bytes(2) + asked.authenticator
    for attribute in asked.attributes:
        octets += bytes((attribute.type, len(attribute.value) + 2)) + attribute.value
    return encode_response(octets[:2] + len(octets).to_bytes(2) + octets[4:], NEXT_SECRET, code)


OURS = (7).to_bytes(8)


@pytest.mark.parametrize("answer", [returning(STATE.value, OURS), returning()], ids=["every Proxy-State", "none"])
def test_what_counts_as_an_answer(answer: bytes) -> None:
    check_answer(answer, REQUEST, NEXT_SECRET)


@pytest.mark.parametrize(
    ("answer", "rule"),
    [
        pytest.param(returning(OURS), "proxy-state", id="without the NAS's"),
        pytest.param(returning(STATE.value), "proxy-state", id="without ours"),
        pytest.param(returning(OURS, STATE.value), "proxy-state", id="in another order"),
        pytest.param(returning(STATE.value, OURS, code=Code.ACCESS_ACCEPT), "radius-code", id="another code"),
        pytest.param(encode_response(REQUEST, NAS_SECRET), "radius-authenticator", id="another secret"),
        pytest.param(b"", "radius-short", id="nothing"),
    ],
)
def test_what_does_not(answer: bytes, rule: str) -> None:
    with pytest.raises(MessageError) as refused:
        check_answer(answer, REQUEST, NEXT_SECRET)
    assert refused.value.rule == rule


async def test_a_row_is_delivered_when_all_of_it_is_answered() -> None:
    server = Server()
    assert await outcome(server, [original(name) for name in range(600)]) == Delivered()
    assert server.users() == [b"user%d" % name for name in range(600)], "in order, once, and more than there are Identifiers"


@pytest.fixture
def patient_clock(autojump_clock: trio.testing.MockClock) -> trio.testing.MockClock:
    """Time that goes on once nothing has come for a moment: what is on its way over the loopback is there by then."""
    autojump_clock.autojump_threshold = 0.02
    return autojump_clock


async def test_no_more_are_outstanding_than_may_be() -> None:
    """Whoever answers nothing before three wait gets three, and never a fourth."""
    waiting: list[bytes] = []

    def late(request: bytes, _nth: int) -> list[bytes]:
        waiting.append(request)
        if len(waiting) < 3:
            return []
        answers = [encode_response(each, NEXT_SECRET) for each in reversed(waiting)]
        waiting.clear()
        return answers

    server = Server(late)
    assert await outcome(server, [original(name) for name in range(9)], outstanding=3) == Delivered()
    assert server.users() == [b"user%d" % name for name in range(9)]


async def test_records_without_a_packet_are_skipped_and_counted() -> None:
    metrics = Metrics()
    server = Server()
    long = original(1, *[Attribute(25, bytes(252))] * 16)
    assert await outcome(server, [b"", original(5), b"", long], metrics) == Delivered(skipped=3)
    assert server.users() == [b"user5"]
    assert metrics.value("tidegate_skipped_total", destination="next", reason="no-original") == 2
    assert metrics.value("tidegate_skipped_total", destination="next", reason="oversize") == 1


async def test_nothing_to_pass_on_needs_no_server() -> None:
    server = Server(port=9)
    relay = relay_to(server, [b"", b""])
    await relay.open(b"")
    assert await relay.deliver(row_of(2)) == Delivered(skipped=2)
    await relay.close()


async def test_the_unanswered_is_sent_again_octet_for_octet(patient_clock: trio.testing.MockClock) -> None:
    metrics = Metrics()
    server = Server(lambda request, nth: [encode_response(request, NEXT_SECRET)] * (nth != 1))
    assert await outcome(server, [original(name) for name in range(3)], metrics) == Delivered()
    assert server.users() == [b"user0", b"user1", b"user2", b"user1"]
    assert server.heard[1] == server.heard[3]
    assert metrics.value("tidegate_relay_retransmissions_total", destination="next") == 1


@pytest.mark.parametrize(
    ("secret", "reason"),
    [(None, "unanswered"), (b"another secret than ours", "refused-answers")],
    ids=["silence", "another secret"],
)
async def test_what_was_answered_before_a_failure_stays_delivered(
    secret: bytes | None,
    reason: str,
    patient_clock: trio.testing.MockClock,
) -> None:
    def answer(request: bytes, _nth: int) -> list[bytes]:
        if parse_packet(request).values(USER_NAME)[0] != b"user4":
            return [encode_response(request, NEXT_SECRET)]
        return [] if secret is None else [encode_response(request, secret)]

    metrics = Metrics()
    packets = [original(name) for name in range(8)]
    packets[1] = packets[6] = b""
    packets[2] = original(2, *[Attribute(25, bytes(252))] * 16)
    failed = await outcome(Server(answer), packets, metrics)
    assert isinstance(failed, DeliveryError)
    assert (failed.reason, failed.fault, failed.taken, failed.skipped) == (reason, Fault.RETRY, 4, 2)
    for why in ("no-original", "oversize"):
        assert metrics.value("tidegate_skipped_total", destination="next", reason=why) == 1, "what comes again is counted then"
    assert NEXT_SECRET.decode() not in str(failed)
    assert metrics.value("tidegate_relay_answers_refused_total", destination="next", rule="radius-authenticator") == (0 if secret is None else 4)


async def test_a_slow_server_makes_progress(patient_clock: trio.testing.MockClock) -> None:
    """An attempt that can't be whole ends in time to say what was taken."""

    def answer(request: bytes, _nth: int) -> list[bytes]:
        patient_clock.jump(1.0)
        return [encode_response(request, NEXT_SECRET)]

    failed = await outcome(Server(answer), [original(name) for name in range(100)], outstanding=1)
    assert isinstance(failed, DeliveryError)
    assert failed.reason == "slow"
    assert 25 <= failed.taken <= 30, "in half of an attempt's minute"


async def test_a_closed_port_fails_the_attempt() -> None:
    server = Server()
    async with serving(server):
        pass
    relay = relay_to(server, [original(1)])
    await relay.open(b"")
    with pytest.raises(DeliveryError) as failed:
        await relay.deliver(row_of(1))
    await relay.close()
    assert (failed.value.reason, failed.value.taken) == ("refused", 0)


async def test_pieces_of_a_row_are_passed_on_alone() -> None:
    server = Server()
    packets = [original(name) for name in range(6)]
    async with serving(server):
        relay = relay_to(server, packets)
        await relay.open(b"")
        _, rest = row_of(6).split(4)
        await relay.deliver(rest)
        await relay.deliver(replace(row_of(6), chosen=[0, 2]))
        await relay.close()
    assert server.users() == [b"user4", b"user5", b"user0", b"user2"]
    assert [parse_packet(request).values(PROXY_STATE)[-1] for request in server.heard] == [number.to_bytes(8) for number in (1004, 1005, 1000, 1002)]


@pytest.mark.parametrize("others", [True, False], ids=["the others are answered", "nobody is answered"])
async def test_what_is_ignored_while_others_are_answered_is_refused_in_the_end(others: bool, patient_clock: trio.testing.MockClock) -> None:  # noqa: FBT001 - a parameter
    """It would keep all that come behind it from the server for ever; a server that is down keeps everything."""

    def answer(request: bytes, _nth: int) -> list[bytes]:
        is_meant = parse_packet(request).values(USER_NAME)[0] == b"user1"
        return [] if is_meant or not others else [encode_response(request, NEXT_SECRET)]

    assert patient_clock.autojump_threshold < 1
    faults: list[Fault | None] = []
    async with serving(server := Server(answer)):
        relay = relay_to(server, [original(name) for name in range(4)])
        for chosen in [range(4)] + [range(1, 4)] * 5 + [[1], [2, 3]]:
            await relay.open(b"")
            try:
                await relay.deliver(replace(row_of(4), chosen=chosen))
            except DeliveryError as error:
                faults.append(error.fault)
            else:
                faults.append(None)
        await relay.close()
    assert faults == ([Fault.RETRY] * 5 + [Fault.REFUSED, Fault.REFUSED, None] if others else [Fault.RETRY] * 8)
