"""The gateway with a WEF endpoint, as a process: a source enumerates and delivers over mutual TLS, and what it sent comes out."""

from __future__ import annotations

import http.client
import socket
import ssl
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Self

import orjson
import pytest
import trio
import trustme
from support.events import SAMPLES
from support.gateway_process import running_gateway
from support.wef_listening import events_of

from gateway.config import load
from gateway.control import Request as ControlRequest
from gateway.control import ask
from gateway.windows_subscriptions import expand
from listeners.wef.settings import SubscriptionSettings
from pipeline.errors import ConfigError
from wire.event_xml import encode_event
from wire.soap_encoding import decode_body, encode_body
from wire.wef.encoding import encode_request
from wire.wef.messages import Enumerate, Request
from wire.wef.responses import Ack, EnumerateResponse, Fault, parse_response

CONFIG = """
[gateway]
state_dir = "state"

[[listeners.wef.endpoints]]
address = "127.0.0.1:0"
url = "https://localhost:15986"
auth = "certificate"
certificate = "server.pem"
key = "server.key"
client_ca = ["ca.pem"]

[[listeners.wef.subscriptions]]
name = "identity"
heartbeat = "60 s"
read_existing = true

[[forwarders]]
name = "archive"
kind = "file"
path = "events.ndjson"
start = "beginning"

[metrics]
address = "127.0.0.1:0"
"""


class Client:
    """A source that speaks HTTP as the standard library does."""

    def __init__(self, address: tuple[str, int], context: ssl.SSLContext) -> None:
        self._http = http.client.HTTPSConnection("localhost", address[1], context=context, timeout=30)
        self._http.sock = context.wrap_socket(socket.create_connection(address), server_hostname="localhost")

    def say(self, request: Request) -> EnumerateResponse | Ack | Fault | None:
        fields = {"Content-Type": "application/soap+xml;charset=UTF-16", "User-Agent": "Microsoft WinRM Client"}
        self._http.request("POST", "/wsman/SubscriptionManager/WEC", encode_body(encode_request(request).decode()), fields)
        with self._http.getresponse() as response:
            body = response.read()
        return parse_response(decode_body(body).text) if body else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()


@pytest.fixture
def client_context(tmp_path: Path) -> ssl.SSLContext:
    """Writes the server's files beside the configuration, and gives what a source needs."""
    authority = trustme.CA()
    server = authority.issue_cert("localhost")
    server.cert_chain_pems[0].write_to_path(tmp_path / "server.pem")
    server.private_key_pem.write_to_path(tmp_path / "server.key")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    (tmp_path / "gateway.toml").write_text(CONFIG)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    authority.issue_cert("dc1.contoso.example").configure_cert(context)
    return context


def event(number: int, computer: str = "dc1.contoso.example") -> bytes:
    return encode_event(replace(SAMPLES["4776"], record_id=str(number), computer=computer))


def test_a_source_enumerates_delivers_and_goes_on_after_a_restart(tmp_path: Path, client_context: ssl.SSLContext) -> None:
    bookmark = b'<BookmarkList><Bookmark Channel="Security" RecordId="2" IsCurrent="true"/></BookmarkList>'
    with running_gateway(tmp_path / "gateway.toml", ready=2) as gateway, ExitStack() as clients:
        client = clients.enter_context(Client(gateway.address("listeners.wef", "https"), client_context))
        answer = client.say(Enumerate(message_id="uuid:1", machine_id="dc1.contoso.example"))
        assert isinstance(answer, EnumerateResponse)
        offer = next(one for one in answer.offers if one.subscription.name == "identity/Security")
        assert offer.bookmark.endswith(b"bookmark/earliest")
        assert client.say(events_of(offer, event(1), b"<Event>", event(2, "dc9.contoso.example"), bookmark=bookmark)) == Ack("uuid:E1")
        gateway.await_delivered(2)
        assert gateway.stop() == 0
    records = [orjson.loads(line) for line in (tmp_path / "events.ndjson").read_bytes().splitlines()]
    assert [record["metadata"].get("labels") for record in records] == [None, ["identity:mismatch"]]
    with running_gateway(tmp_path / "gateway.toml", ready=2) as gateway, ExitStack() as clients:
        client = clients.enter_context(Client(gateway.address("listeners.wef", "https"), client_context))
        answer = client.say(Enumerate(message_id="uuid:2"))
        assert isinstance(answer, EnumerateResponse)
        assert next(one.bookmark for one in answer.offers if one.subscription.name == "identity/Security") == bookmark
        client.say(events_of(offer, event(1), event(2, "dc9.contoso.example"), bookmark=bookmark))
        assert gateway.counters("duplicate_total") == {'tidegate_duplicate_total{listener="listeners.wef"}': 2}
        kept = trio.run(ask, tmp_path / "state", ControlRequest("rejects.last"))
        assert isinstance(kept, list)
        assert [(one["rule"], one["listener"]) for one in kept] == [("not-well-formed", "listeners.wef")]
        assert gateway.stop() == 0


def test_a_contracts_configuration_loads(tmp_path: Path) -> None:
    kerberos = '[[listeners.wef.endpoints]]\naddress = "127.0.0.1:15985"\nurl = "http://gateway.contoso.example:15985"\nauth = "kerberos"\nkeytabs = ["a"]\n'
    (tmp_path / "gateway.toml").write_text(CONFIG + kerberos)
    wef = load(tmp_path / "gateway.toml", {}).listeners.wef
    assert wef is not None
    assert [str(endpoint.url) for endpoint in wef.endpoints] == [
        "https://localhost:15986/wsman/SubscriptionManager/WEC",
        "http://gateway.contoso.example:15985/wsman/SubscriptionManager/WEC",
    ]
    assert wef.idle == 180


def test_a_profile_becomes_one_subscription_per_channel_with_an_id_of_its_own() -> None:
    found = expand(SubscriptionSettings(name="identity"))
    assert [one.name for one in found] == ["identity/Microsoft-Windows-NTLM/Operational", "identity/Security", "identity/System"]
    assert len({one.id for one in found}) == 3
    assert [one.id for one in expand(SubscriptionSettings(name="identity", profile="mdi-current")) if one.name == "identity/Security"] == [found[1].id]


@pytest.mark.parametrize("text", ["", "<QueryList/>", "<a>"], ids=["nothing", "no query", "no list"])
def test_a_query_that_selects_nothing_is_the_operators_mistake(tmp_path: Path, text: str) -> None:
    (tmp_path / "q.xml").write_text(text)
    with pytest.raises(ConfigError):
        expand(SubscriptionSettings(name="identity", query=tmp_path / "q.xml"))
