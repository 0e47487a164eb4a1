"""The simulator's connection to collectors that answer badly, slowly, or not at all: always a DeliveryError with its reason."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from gateway.simulate.wef_certificate import Unsealed
from gateway.simulate.wef_connection import ANSWER_S, MAX_ANSWER, Connection
from listeners.wef.settings import parse_url
from pipeline.errors import DeliveryError
from wire.soap_encoding import encode_body
from wire.wef.messages import Enumerate
from wire.wef.responses import Ack, EnumerateResponse

URL = parse_url("http://gw.contoso.example:5985")
QUESTION = Enumerate(message_id="uuid:1")
ENVELOPE = '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"><s:Header>{}</s:Header>{}</s:Envelope>'
ACK = ENVELOPE.format("<a:Action>http://schemas.dmtf.org/wbem/wsman/1/wsman/Ack</a:Action><a:RelatesTo>{}</a:RelatesTo>", "<s:Body/>")
FAULT = ENVELOPE.format(
    "<a:Action>http://schemas.dmtf.org/wbem/wsman/1/wsman/fault</a:Action>",
    "<s:Body><s:Fault><s:Code><s:Value>s:Receiver</s:Value><s:Subcode><s:Value>w:QuotaLimit</s:Value></s:Subcode></s:Code>"
    "<s:Reason><s:Text>full</s:Text></s:Reason></s:Fault></s:Body>",
)


def answer(body: bytes, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: application/soap+xml;charset=UTF-16\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


async def ask(octets: bytes | None, *, closes: bool = True) -> EnumerateResponse | Ack | None:
    """Ask somebody who answers with these octets, whatever they are, or with none."""
    ours, theirs = trio.testing.memory_stream_pair()
    if octets:
        await theirs.send_all(octets)
    if closes:
        await theirs.send_eof()
    return await Connection(ours, URL, Unsealed()).ask(QUESTION)


async def test_an_answer_to_the_question() -> None:
    assert await ask(answer(encode_body(ACK.format("uuid:1")))) == Ack("uuid:1")
    assert await ask(answer(b"")) is None
    assert await ask(b"HTTP/1.1 204 No Content\r\n\r\n") is None
    assert await ask(b"HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n") is None


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"", "connection-lost"),
        (b"HTTP/1.1 200 OK\r\nContent-", "connection-lost"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab", "connection-lost"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "not-http"),
        (b"x" * 70_000, "not-http"),
        (answer(b"", "503 Service Unavailable"), "status-503"),
        (answer(b"", "401 Unauthorized"), "status-401"),
        (answer(b"<html/>"), "not-an-answer"),
        (answer(b"\xff\xfe<\x00"), "not-an-answer"),
        (answer(encode_body(ACK.format("uuid:2"))), "not-an-answer"),
        (answer(encode_body(FAULT)), "fault-QuotaLimit"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"ffff\r\n" + b"x" * 65_535 + b"\r\n" + b"fff000\r\n" + b"x" * MAX_ANSWER,
            "answer-too-large",
        ),
    ],
)
async def test_any_other_answer(octets: bytes, reason: str) -> None:
    with pytest.raises(DeliveryError) as caught:
        await ask(octets)
    assert caught.value.reason == reason


async def test_no_answer_in_time(autojump_clock: trio.testing.MockClock) -> None:
    with pytest.raises(DeliveryError) as caught:
        await ask(None, closes=False)
    assert caught.value.reason == "no-answer"
    assert trio.current_time() >= ANSWER_S


async def test_a_connection_that_was_closed_is_not_used_again() -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    connection = Connection(ours, URL, Unsealed())
    await theirs.send_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
    assert await connection.ask(QUESTION) is None
    with pytest.raises(DeliveryError) as caught:
        await connection.ask(QUESTION)
    assert caught.value.reason == "connection-closed"
