"""RADIUS accounting in the kernel against its twins: who signed a packet, its record, what it says of a session, its key, its answer, octet for octet."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from functools import cache
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.accounting import frames_of, packet_of, parse_hex
from support.engines import equal, shipped
from support.radius_packets import SECRET, accounting_requests, any_attributes, packets, signed

import kernel
from listeners.radius.clients import Client
from listeners.radius.exchange import Accept, receive, sort_datagrams
from listeners.radius.retransmissions import MAX_REQUESTS, STEP_NS, Retransmissions
from normalizers.native import NativeNormalizer
from normalizers.normalizer import Normalizer
from normalizers.settings import NormalizeSettings
from pipeline.model import Batch, SessionChange, SessionEvent, Trust
from pipeline.state.changes import EVENTS, PackedChanges, encode_changes, parse_changes
from wire.radius.attributes import Attribute
from wire.radius.authenticators import encode_response, encode_status_server
from wire.radius.packet import Packet, encode_packet

FIXTURES = Path(__file__).parents[2] / "fixtures" / "radius"
CAPTURED = [parse_hex(path.read_text("utf-8")) for path in sorted(FIXTURES.glob("*.hex"))]
SESSION = (Attribute(40, (1).to_bytes(4)), Attribute(44, b"9"))
ID = ("Acct-Session-Id", "9")
STOP = (("Acct-Status-Type", "Stop"), ID)
CLIENT = Client("vpn1", SECRET)
STRICT = Client("vpn2", SECRET, require_message_authenticator=True)

SETTINGS = [
    NormalizeSettings(observables=observables, captions=captions, raw_data=raw_data, tenant_uid=tenant_uid, labels=labels)
    for observables, captions, raw_data, tenant_uid, labels in product((False, True), (False, True), (False, True), ("", "t1"), ((), ("site:hq",)))
]
DEFAULT = Normalizer(), NativeNormalizer()


def agree(
    messages: Sequence[bytes], engines: tuple[Normalizer, NativeNormalizer] = DEFAULT, vendor: str = "", *, keep: bool = False, trust: Trust | None = None
) -> Batch:
    """The batch that both engines make of packets."""
    reference, native = engines
    aliases = b"".join(number.to_bytes(16) for number in range(len(messages)))
    frames = frames_of(*messages, aliases=aliases, keep=keep, trust=trust)
    return equal(native.normalize_radius(frames, vendor), reference.normalize_radius(frames, vendor))


@st.composite
def flipped(draw: st.DrawFn, octets: st.SearchStrategy[bytes]) -> bytes:
    """Octets of which some are others, or missing."""
    found = bytearray(draw(octets))
    for _ in range(draw(st.integers(0, 4))):
        if found:
            found[draw(st.integers(0, len(found) - 1))] = draw(st.integers(0, 255))
    return bytes(found[: draw(st.integers(0, len(found)))] if draw(st.booleans()) else found)


octets = accounting_requests().map(encode_packet)
any_octets = packets(any_attributes).map(lambda packet: encode_packet(Packet(4, packet.identifier, packet.authenticator, (*SESSION, *packet.attributes)[:14])))


def test_captures_are_the_kernels_own() -> None:
    engines = Normalizer(), NativeNormalizer()
    assert len(agree(CAPTURED, engines, "Cisco").index) == len(CAPTURED)
    assert engines[1].left == 0


@given(st.lists(octets, max_size=5), st.sampled_from(["", "Cisco", 'a "maker"']), st.booleans(), st.sampled_from([(), ("site:b",)]))
def test_sessions(messages: list[bytes], vendor: str, keep: bool, labels: tuple[str, ...]) -> None:  # noqa: FBT001 - drawn
    agree(messages, vendor=vendor, keep=keep, trust=Trust(labels))


@cache
def switched(place: int) -> tuple[Normalizer, NativeNormalizer]:
    profile, settings = shipped("aatp-2020"), SETTINGS[place]
    return Normalizer(profile, settings), NativeNormalizer(profile, settings)


@given(st.lists(octets, max_size=3), st.integers(0, len(SETTINGS) - 1))
def test_switches(messages: list[bytes], place: int) -> None:
    agree(messages, switched(place))


@given(st.lists(any_octets | flipped(octets) | flipped(any_octets) | st.binary(max_size=60), max_size=5), st.booleans())
def test_any_packets(messages: list[bytes], keep: bool) -> None:  # noqa: FBT001 - drawn
    agree(messages, keep=keep)


STATIONS = [
    "203.0.113.9", "203.0.113.9:1701", "[2001:db8::1]:443", "[2001:db8::1]", "[2001:db8::1", "[[2001:db8::1]]", "ip=203.0.113.9", "IP=[::1]:5", " 203.0.113.9 ",
    "203.0.113.9:123456", "203.0.113.9:", ":80", "1.2.3:80", "2001:db8::1", "fe80::1%eth0", "fe80::1%", "1.2.3.4%eth0", "::", "0.0.0.0", "::ffff:0.0.0.0",
    "::ffff:192.0.2.1", "00-11-22-aa-BB-cc", "00:11:22:aa:BB:cc", "0011.22aa.bbcc", "001122aabbcc", "00-11:22-aa-BB-cc", "00-11-22-aa-BB-c", "0011-22aa-bbcc",
    "+49 89 1234", "ip=", "é", "00-11-22-aa-BB-cc ", "ip=00-11-22-aa-BB-cc", "01.2.3.4", "1.2.3.4.5", "256.1.1.1", "1:2:3:4:5:6:7:8:9", "٣.1.1.1",
]  # fmt: skip
ACCOUNTS = ["u", "u@contoso.example", "@contoso.example", "u@", "a@b@c", "D\\u", "\\u", "D\\", "D\\u@r", "a\\b\\c", "u\\@r", "%%1793", "-", "é@ü", "u$"]
DOMAINS = [None, "D", "\x01D", "1D", "\x7fD", "\ufffdD", "\x01", "DD", "é"]


@pytest.mark.parametrize("station", STATIONS)
def test_stations(station: str) -> None:
    agree([packet_of(*STOP, ("Calling-Station-Id", station), ("Tunnel-Client-Endpoint", station))])


@pytest.mark.parametrize("name", ACCOUNTS)
def test_accounts(name: str) -> None:
    pairs = [(*STOP, ("User-Name", name), *([("MS-CHAP-Domain", domain)] if domain is not None else [])) for domain in DOMAINS]
    agree([packet_of(*each) for each in pairs])
    agree([packet_of(*STOP, ("MS-CHAP-Domain", "D"))])


WORDS = ["0", "1", "2147483647", "2147483648", "4294967295"]


@pytest.mark.parametrize("word", WORDS)
def test_numbers(word: str) -> None:
    agree(
        [
            packet_of(*STOP, ("Event-Timestamp", word)),
            packet_of(*STOP, ("Acct-Delay-Time", word)),
            packet_of(*STOP, ("Acct-Session-Time", word)),
            packet_of(*STOP, ("Event-Timestamp", "100"), ("Acct-Session-Time", word)),
            *(packet_of(*STOP, ("Acct-Input-Octets", low), ("Acct-Input-Gigawords", word), ("Acct-Output-Octets", word)) for low in WORDS),
            packet_of(*STOP, ("Acct-Input-Gigawords", word)),
            packet_of(*STOP, ("Acct-Terminate-Cause", word)),
            packet_of(*STOP, ("Framed-IP-Address", "255.255.255.254")),
        ]
    )


requests = st.builds(signed, accounting_requests(), st.sampled_from([SECRET, b"another secret", b"s" * 70]), message_authenticator=st.booleans())
questions = st.builds(encode_status_server, st.integers(0, 255), st.binary(min_size=16, max_size=16), st.just(SECRET))


@given(
    st.lists(requests | flipped(requests) | requests.map(lambda request: request + b"padding") | questions | st.binary(max_size=40), max_size=6), st.booleans()
)
def test_who_signed(datagrams: list[bytes], strict: bool) -> None:  # noqa: FBT001 - drawn
    client = STRICT if strict else CLIENT
    frames = frames_of(*datagrams)
    places = array("I", range(len(datagrams))).tobytes()
    found = sort_datagrams(frames.buffer[:], frames.spans.tobytes(), places, client)
    verdicts = [receive(datagram, client) for datagram in datagrams]
    accepted = [place for place, verdict in enumerate(verdicts) if isinstance(verdict, Accept)]
    assert list(memoryview(found.ways).cast("I")) == accepted
    spans = memoryview(found.spans).cast("I")
    kept = [frames.buffer[start:end] for start, end in zip(spans[::2], spans[1::2], strict=True)]
    assert kept == [verdict.packet for verdict in verdicts if isinstance(verdict, Accept)]
    assert [verdict for _, _, verdict in found.others] == [verdict for verdict in verdicts if not isinstance(verdict, Accept)]
    assert kernel.verify_requests(frames.buffer[:], frames.spans.tobytes(), SECRET, strict)[1] == [n for n in range(len(datagrams)) if n not in accepted]


proxied = st.lists(st.builds(Attribute, st.sampled_from([33, 1, 80, 25]), st.binary(min_size=16, max_size=16)), max_size=4)


@given(
    st.lists(st.builds(lambda number, attributes: encode_packet(Packet(4, number, bytes(range(16)), tuple(attributes))), st.integers(0, 255), proxied)),
    st.binary(min_size=1, max_size=80),
)
def test_answers(messages: list[bytes], secret: bytes) -> None:
    frames = frames_of(*messages)
    responses, spans = kernel.encode_responses(frames.buffer[:], frames.spans.tobytes(), secret)
    ends = memoryview(spans).cast("I")
    assert [responses[start:end] for start, end in zip(ends[::2], ends[1::2], strict=True)] == [encode_response(message, secret) for message in messages]


when = st.integers(0, 4 * STEP_NS)


@given(st.lists(st.tuples(st.lists(st.integers(0, 5), max_size=5), when), max_size=5))
def test_keys(bursts: list[tuple[list[int], int]]) -> None:
    native, twin = kernel.Retransmissions(), Retransmissions()
    sources = [b"192.0.2.1|1646|", b"2001:db8::1|1|"]
    for numbers, now_ns in bursts:
        frames = frames_of(*(encode_packet(Packet(4, number, bytes(16))) for number in numbers))
        ways = [number % 2 for number in numbers]
        keys = native.keys(frames.buffer[:], frames.spans.tobytes(), sources, array("I", ways).tobytes(), now_ns)
        packets_of = [frames.buffer[start:end] for start, end in frames.pairs()]
        assert keys == b"".join(twin.key(sources[way], packet, now_ns) for way, packet in zip(ways, packets_of, strict=True))
        assert len(native) == len(twin)


def test_keys_are_bounded() -> None:
    native, twin = kernel.Retransmissions(), Retransmissions()
    sources = [b"%d|" % number for number in range(3 * MAX_REQUESTS)]
    frames = frames_of(encode_packet(Packet(4, 1, bytes(16))))
    spans = array("I", list(frames.spans) * len(sources)).tobytes()
    keys = native.keys(frames.buffer[:], spans, sources, array("I", range(len(sources))).tobytes(), 0)
    assert keys == b"".join(twin.key(source, frames.buffer[:], 0) for source in sources)
    assert len(native) == len(twin) <= 2 * MAX_REQUESTS


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
times = st.integers(-(2**62), 2**62)
words = st.none() | st.builds(SessionChange, st.sampled_from(SessionEvent), texts, texts, texts, texts, texts, texts, times, st.none() | times)


@given(st.lists(words, max_size=6))
def test_words_on_sessions_stay_what_they_are(told: list[SessionChange | None]) -> None:
    packed = PackedChanges(encode_changes(told), len(told))
    assert list(parse_changes(packed.octets)) == told
    assert [None if word is None else SessionChange._make(word) for word in kernel.parse_changes(packed.octets, EVENTS)] == told
    assert list(packed) == told
    assert packed == tuple(told)
    assert (len(packed), list(packed[1:]), [packed[place] for place in range(len(told))]) == (len(told), told[1:], told)
