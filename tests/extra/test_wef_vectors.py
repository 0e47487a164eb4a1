"""Captured messages of Windows: they are read, and what we answer has every element of what Windows answers, in its order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from support.wef import same

from wire.event_xml import parse_event
from wire.wef.encoding import encode_request
from wire.wef.envelope import Element, parse_envelope
from wire.wef.messages import Events, Heartbeat, Request, SubscriptionEnd, parse_request
from wire.wef.responses import encode_ack, encode_enumerate_response, parse_enumerate_response


@pytest.fixture(scope="session")
def vectors(extra_corpus: Path) -> Path:
    return extra_corpus / "vectors" / "wef"


REQUESTS = (
    "01-enumerate-request",
    "03-end-request",
    "04-heartbeat-request",
    "06-events-request.unescaped",
    "08-subscription-end-request",
    "09-subscription-end-followup-end-request",
)


def request_of(vectors: Path, name: str) -> Request:
    return parse_request((vectors / f"{name}.xml").read_bytes())


def names(element: Element, *leave_out: str) -> Iterator[tuple[int, str, str]]:
    """Depth, namespace and name of everything in document order."""

    def walk(inner: Element, depth: int) -> Iterator[tuple[int, str, str]]:
        if inner.name not in leave_out:
            yield depth, inner.namespace, inner.name
            for child in inner.children:
                yield from walk(child, depth + 1)

    return walk(element, 0)


@pytest.mark.parametrize("name", REQUESTS)
def test_requests_are_read_and_written_again(vectors: Path, name: str) -> None:
    request = request_of(vectors, name)
    assert same(parse_request(encode_request(request)), request)


def test_the_enumerate_of_the_wire_is_written_octet_for_octet_but_for_its_spelling(vectors: Path) -> None:
    octets = bytes.fromhex((vectors / "01-enumerate-request.utf16le.hex").read_text())
    captured = octets.decode("utf-16").encode()
    request = parse_request(captured)
    assert same(request, request_of(vectors, "01-enumerate-request"))
    ours, theirs = (parse_envelope(each).root for each in (encode_request(request), captured))
    assert list(names(ours)) == list(names(theirs))


@pytest.mark.parametrize("name", ["04-heartbeat-request", "06-events-request.unescaped", "08-subscription-end-request"])
def test_what_we_write_has_the_elements_in_the_captured_order(vectors: Path, name: str) -> None:
    ours, theirs = (parse_envelope(each).root for each in (encode_request(request_of(vectors, name)), (vectors / f"{name}.xml").read_bytes()))
    assert list(names(ours)) == list(names(theirs))


def test_the_heartbeat(vectors: Path) -> None:
    heartbeat = request_of(vectors, "04-heartbeat-request")
    assert isinstance(heartbeat, Heartbeat)
    assert heartbeat.ack_requested
    assert heartbeat.identifier == parse_enumerate_response((vectors / "02-enumerate-response.xml").read_bytes()).offers[0].references[0].text


def test_every_event_of_the_batch_is_one(vectors: Path) -> None:
    batch = request_of(vectors, "06-events-request.unescaped")
    assert isinstance(batch, Events)
    assert batch.count == 21
    assert {parse_event(event).channel for event in batch.events()} == {"Microsoft-Windows-WinRM/Operational"}
    assert b"149161" in batch.bookmark


def test_the_end_says_why(vectors: Path) -> None:
    end = request_of(vectors, "08-subscription-end-request")
    assert isinstance(end, SubscriptionEnd)
    assert (end.code, end.text) == (1717, "Windows Event Forward Plugin failed to read events.")


def test_the_enumerate_response_has_every_captured_element_by_namespace_and_order(vectors: Path) -> None:
    captured = (vectors / "02-enumerate-response.xml").read_bytes()
    request = request_of(vectors, "01-enumerate-request")
    answer = parse_enumerate_response(captured)
    ours = encode_enumerate_response(request, answer.offers, uuid4, operation_id=request.operation_id)
    theirs = list(names(parse_envelope(captured).root))
    assert list(names(parse_envelope(ours).root)) == theirs
    assert parse_enumerate_response(ours) == answer
    without = encode_enumerate_response(request, [replace(offer, bookmark=b"") for offer in answer.offers], uuid4)
    assert list(names(parse_envelope(without).root)) == [
        each for each in names(parse_envelope(captured).root, "Bookmark") if each[:1] + each[2:] != (2, "OperationID")
    ]


@pytest.mark.parametrize(
    ("request_name", "ack"), [("04-heartbeat-request", "05-heartbeat-ack-response"), ("06-events-request.unescaped", "07-events-ack-response")]
)
def test_the_ack_has_every_captured_element_in_order(vectors: Path, request_name: str, ack: str) -> None:
    request = request_of(vectors, request_name)
    ours = parse_envelope(encode_ack(request, uuid4, operation_id=request.operation_id)).root
    assert list(names(ours)) == list(names(parse_envelope((vectors / f"{ack}.xml").read_bytes()).root))
