"""The RADIUS peers themselves: radclient and FreeRADIUS understand each other through our support, so that what they say of the gateway counts."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.freeradius import SECRET, running_freeradius
from support.radclient import encode_packets, radclient

START = [
    ("Acct-Status-Type", "Start"),
    ("Acct-Session-Id", "S-1"),
    ("User-Name", 'CONTOSO\\zoë "z"'),
    ("Framed-IP-Address", "10.1.2.3"),
    ("Framed-IPv6-Prefix", "2001:db8::/64"),
    ("Cisco-AVPair", "mdm-tlv=device-mac=00-11"),
    ("Tunnel-Type:1", "L2TP"),
    ("Attr-241", "0x0102"),
    ("Proxy-State", "0x0a0b"),
    ("Message-Authenticator", "0x00"),
]


def test_they_understand_each_other(tmp_path: Path) -> None:
    with running_freeradius(tmp_path) as home:
        heard = radclient(home.address, SECRET, [START, START])
        assert (heard.answered, heard.lost, heard.sessions) == (2, 0, ("S-1", "S-1")), heard.text
        arrived = home.arrived()
    assert len(arrived) == 2
    assert arrived[0].values("Acct-Status-Type") == ["Start"]
    assert arrived[0].values("Framed-IP-Address") == ["10.1.2.3"]
    assert arrived[0].values("Cisco-AVPair") == ["mdm-tlv=device-mac=00-11"]
    assert arrived[0].values("Proxy-State") == ["0x0a0b"]
    assert [name for name, _ in arrived[0].attributes][:2] == ["Acct-Status-Type", "Acct-Session-Id"]


def test_a_wrong_secret_is_met_with_silence(tmp_path: Path) -> None:
    with running_freeradius(tmp_path) as home:
        heard = radclient(home.address, "not the next hop's secret", [START], timeout=0.2)
        assert (heard.answered, heard.lost, home.arrived()) == (0, 1, [])


def test_it_can_be_ended_and_come_back_where_it_was(tmp_path: Path) -> None:
    with running_freeradius(tmp_path) as home:
        pass
    assert radclient(home.address, SECRET, [START], timeout=0.2).answered == 0
    with running_freeradius(tmp_path, port=home.address[1]) as again:
        assert radclient(again.address, SECRET, [START]).answered == 1


@pytest.mark.parametrize(
    ("name", "value", "written"),
    [
        ("Acct-Status-Type", "Interim-Update", "Interim-Update"),
        ("User-Name", "1", '"1"'),
        ("User-Name", 'C\\a"b', '"C\\\\a\\"b"'),
        ("Class", "0x00ff", "0x00ff"),
        ("Framed-IPv6-Address", "2001:db8::1", "2001:db8::1"),
        ("Reply-Message", "two words", '"two words"'),
    ],
)
def test_radclients_input_is_quoted_as_it_reads_it(name: str, value: str, written: str) -> None:
    assert encode_packets([[(name, value)]]) == f"{name} = {written}\n"
