"""TLS without a socket: every octet once and in order, however it was cut into records and however those come; nothing but an SSLError escapes."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from functools import cache

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from listeners.tls_records import RECORD, Records

SIZES = st.one_of(st.integers(1, 40), st.integers(1, 3 * RECORD))
VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


@cache
def contexts(version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """(of a client, of a server)"""
    authority = trustme.CA()
    client, server = ssl.create_default_context(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.configure_trust(client)
    authority.issue_cert("localhost").configure_cert(server)
    server.num_tickets = 0
    client.minimum_version = client.maximum_version = version
    return client, server


class Client:
    """The other end."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")

    def shake_hands(self, records: Records, piece: int = RECORD) -> None:
        done = told = False
        while not (done and told):
            try:
                self.tls.do_handshake()
                told = True
            except ssl.SSLWantReadError:
                pass
            for part in split(self.outgoing.read(), [piece] * 1000):
                records.feed(part)
                done = records.shake_hands()
            self.incoming.write(records.fetch())

    def encrypt(self, texts: Sequence[bytes]) -> bytes:
        for text in texts:
            self.tls.write(text)
        return self.outgoing.read()

    def close(self) -> bytes:
        with pytest.raises(ssl.SSLWantReadError):
            self.tls.unwrap()
        return self.outgoing.read()


def split(octets: bytes, sizes: Sequence[int]) -> list[bytes]:
    """Pieces of these sizes, and the rest."""
    parts, at = [], 0
    for size in sizes:
        if at < len(octets):
            parts.append(octets[at : at + size])
            at += size
    return [*parts, octets[at:]] if at < len(octets) else parts


def opened(version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> tuple[Client, Records]:
    """Two ends whose handshake is done."""
    context, server = contexts(version)
    client, records = Client(context), Records(server)
    client.shake_hands(records)
    return client, records


@pytest.mark.parametrize("version", VERSIONS)
@given(texts=st.lists(SIZES, max_size=8), pieces=st.lists(SIZES, max_size=30), most=SIZES, closes=st.booleans())
def test_every_octet_once_and_in_order(version: ssl.TLSVersion, texts: list[int], pieces: list[int], most: int, *, closes: bool) -> None:
    client, records = opened(version)
    text = [bytes([number % 251]) * size for number, size in enumerate(texts)]
    came = bytearray()
    for piece in [*split(client.encrypt(text) + (client.close() if closes else b""), pieces), b""]:
        records.feed(piece)
        while read := records.read(came.extend, most):
            assert read <= most
    assert bytes(came) == b"".join(text)
    assert records.ended


@given(texts=st.lists(SIZES, min_size=1, max_size=4), place=st.floats(0, 1, exclude_max=True), change=st.integers(1, 255))
def test_what_was_changed_on_its_way_is_told_and_what_came_before_is_there(texts: list[int], place: float, change: int) -> None:
    client, records = opened()
    text = b"".join(bytes([number % 251]) * size for number, size in enumerate(texts))
    octets = bytearray(client.encrypt([text]))
    octets[int(place * len(octets))] ^= change
    came = bytearray()
    records.feed(bytes(octets))
    records.feed(b"")
    try:
        while not records.ended:
            records.read(came.extend, RECORD)
    except ssl.SSLError:
        assert records.fetch()  # an alert
    assert len(came) < len(text)
    assert text.startswith(came)


@given(octets=st.binary(min_size=1, max_size=300))
def test_strangers(octets: bytes) -> None:
    _, server = contexts()
    records = Records(server)
    records.feed(octets)
    records.feed(b"")
    with pytest.raises(ssl.SSLError):
        records.shake_hands()


@pytest.mark.parametrize("piece", [1, 7, 100])
def test_a_handshake_in_pieces(piece: int) -> None:
    context, server = contexts()
    client, records = Client(context), Records(server)
    client.shake_hands(records, piece)
    assert records.tls.version() == "TLSv1.3"


def test_what_is_written_and_the_end_of_it_can_be_fetched() -> None:
    client, records = opened()
    records.write(b"answer")
    records.close()
    client.incoming.write(records.fetch())
    assert records.fetch() == b""
    assert client.tls.read() == b"answer"
    assert client.tls.read() == b""  # close_notify


def test_to_close_before_the_handshake_says_nothing() -> None:
    records = Records(contexts()[1])
    records.close()
    assert records.fetch() == b""
