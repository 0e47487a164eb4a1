"""[listeners.syslog] as an operator writes it."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest
from pydantic import ValidationError
from support.syslog_listening import settings

from listeners.admission import Admission, AllowList
from wire.layouts.layout import Mode


def test_an_example_in_full(tmp_path: Path) -> None:
    found = settings(
        {
            "udp": ["127.0.0.1:514", "[::1]:514"],
            "mode": "strict",
            "zone": "-05:30",
            "allow": ["127.0.0.0/8", "::1/128"],
            "max_message": "64 KiB",
            "idle": "1 h",
            "tls": {"addresses": ["0.0.0.0:6514"], "certificate": "server.pem", "key": "/etc/server.key", "client_ca": ["ca.pem"]},
        },
        tmp_path,
    )
    assert [str(address) for address in found.udp] == ["127.0.0.1:514", "[::1]:514"]
    assert (found.mode, found.zone, found.max_message, found.idle) == (Mode.STRICT, -330, 64 << 10, 3600.0)
    assert found.tls is not None
    assert (found.tls.certificate, found.tls.key, found.tls.client_ca) == (tmp_path / "server.pem", Path("/etc/server.key"), (tmp_path / "ca.pem",))


def test_the_defaults_are_the_documented_limits() -> None:
    found = settings({"tcp": ["[::]:514"]})
    assert (found.max_message, found.receive_buffer, found.incomplete) == (256 << 10, 16 << 20, 64 << 20)
    assert (found.connections, found.connections_per_peer, found.idle, found.multiline, found.zone) == (4096, 64, None, 0.5, 0)
    assert AllowList(found.allow).allows("192.0.2.1")
    assert AllowList(found.allow).allows("fe80::1%eth0")


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({}, "give it an address"),
        ({"tcp": ["127.0.0.1"]}, "write host:port"),
        ({"tcp": ["127.0.0.1:99999"]}, "write host:port"),
        ({"tcp": "127.0.0.1:514"}, "valid tuple"),
        ({"tcp": ["127.0.0.1:514"], "allow": []}, "at least 1 item"),
        ({"tcp": ["127.0.0.1:514"], "allow": ["10.0.0.1/8"]}, "host bits"),
        ({"tcp": ["127.0.0.1:514"], "zone": "+15:00"}, "write an offset"),
        ({"tcp": ["127.0.0.1:514"], "zone": "CET"}, "write an offset"),
        ({"tcp": ["127.0.0.1:514"], "max_message": "479 B"}, "greater than or equal to 480"),
        ({"tcp": ["127.0.0.1:514"], "max_message": "1 GiB"}, "less than or equal to 9999999"),
        ({"tcp": ["127.0.0.1:514"], "connections": 0}, "greater than or equal to 1"),
        ({"tcp": ["127.0.0.1:514"], "idle": "0 s"}, "greater than 0"),
        ({"tcp": ["127.0.0.1:514"], "tls": {"addresses": [], "certificate": "a", "key": "b"}}, "at least 1 item"),
        ({"tcp": ["127.0.0.1:514"], "connection": 5}, "Extra inputs"),
    ],
)
def test_what_cannot_be_meant_is_refused(given: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        settings(given)


def test_connections_are_counted_in_and_out() -> None:
    admission = Admission(AllowList(settings({"tcp": ["127.0.0.1:0"], "allow": ["10.0.0.0/8"]}).allow), 3, 2)
    assert admission.refusal("192.0.2.1") == "not-allowed"
    guest = admission.enter("10.0.0.1")
    assert admission.enter("10.0.0.1") is guest
    assert admission.refusal("10.0.0.1") == "connections-per-peer"
    assert admission.refusal("10.0.0.2") is None
    admission.enter("10.0.0.2")
    assert admission.refusal("10.0.0.3") == "connections"
    for peer in ("10.0.0.1", "10.0.0.1", "10.0.0.2"):
        admission.leave(peer)
    assert admission.open == 0
    assert admission.enter("10.0.0.1") is not guest


def test_an_allow_list_forgets_its_answers_when_it_is_renewed() -> None:
    found = AllowList([ip_network("10.0.0.0/8")])
    admission = Admission(found, 2, 1)
    assert (admission.refusal("10.0.0.1"), admission.refusal("192.0.2.1")) == (None, "not-allowed")
    admission.enter("10.0.0.1")
    admission.renew([ip_network("192.0.2.0/24")], 3, 2)
    assert (admission.refusal("10.0.0.1"), admission.refusal("192.0.2.1")) == ("not-allowed", None)
    admission.enter("192.0.2.1")
    assert admission.refusal("192.0.2.1") is None, "two of one address by now"
    admission.leave("10.0.0.1")
    admission.renew([ip_network("192.0.2.0/24")], 1, 2)
    assert admission.refusal("192.0.2.1") == "connections", "who is in stays, and counts"
