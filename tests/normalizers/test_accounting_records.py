"""RADIUS accounting as records: samples against records written by hand, the documented example, what each attribute becomes, and validity of anything."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.accounting import ARRIVAL_MS, FIXTURES, NORMALIZER, PEER, Pairs, fixture, normalized, packet_of, record_of
from support.ocsf import check, complaints
from support.radius_packets import accounting_requests, packets, signed

from normalizers.encoder import encode_record
from normalizers.engine import map_event
from normalizers.normalizer import Normalizer
from normalizers.plan import Choice, Op, Row
from normalizers.settings import NormalizeSettings
from normalizers.source import radius_source
from wire.event import EventKey
from wire.radius.attributes import Attribute
from wire.radius.authenticators import verify_request
from wire.radius.dictionary import dictionary
from wire.radius.named import named_attributes
from wire.radius.packet import Packet, encode_packet, parse_packet

NAMES = sorted(path.stem for path in FIXTURES.glob("*.hex"))
STATUSES = ("Start", "Stop", "Interim-Update", "Accounting-On", "Accounting-Off", "Tunnel-Start", "Tunnel-Link-Stop", "Tunnel-Reject", "Failed", "Subsystem-On")
SETTINGS = st.builds(NormalizeSettings, observables=st.booleans(), captions=st.booleans(), raw_data=st.booleans())

# ---- records written by hand ----


@pytest.mark.parametrize("name", NAMES)
def test_record_is_the_one_written_by_hand(name: str) -> None:
    expected = json.loads((FIXTURES / f"{name}.json").read_text("utf-8"))
    check(expected)
    octets = fixture(name)
    assert verify_request(octets, b"fixtures of contoso.example") == octets
    assert record_of(octets, vendor="Contoso") == expected


WHO = (("User-Name", "CONTOSO\\jdoe"), ("Calling-Station-Id", "203.0.113.77"), ("Framed-IP-Address", "10.8.0.23"), ("Tunnel-Type", "L2TP"))
NAS = (("NAS-IP-Address", "198.51.100.10"), ("NAS-Identifier", "vpn-gw1"), ("NAS-Port", "17"), ("NAS-Port-Type", "Virtual"))
WHAT = (
    ("Service-Type", "Framed"),
    ("Framed-Protocol", "PPP"),
    ("Acct-Authentic", "RADIUS"),
    ("Acct-Session-Id", "8F2A0001"),
    ("Event-Timestamp", "1714983600"),
)
COUNTED = (
    ("Acct-Multi-Session-Id", "8F2A"),
    ("Acct-Session-Time", "3723"),
    ("Acct-Input-Octets", "1048576"),
    ("Acct-Output-Octets", "1073741824"),
    ("Acct-Output-Gigawords", "1"),
    ("Acct-Input-Packets", "2999"),
    ("Acct-Output-Packets", "4021"),
)

STOP = (
    b'{"activity_id":2,"activity_name":"Close","category_name":"Network Activity","category_uid":4,"class_name":"Tunnel Activity","class_uid":4014,'
    b'"cumulative_traffic":{"bytes":5369757696,"bytes_in":5368709120,"bytes_out":1048576,"packets":7020,"packets_in":4021,"packets_out":2999},'
    b'"device":{"hostname":"vpn-gw1","ip":"198.51.100.10","type":"Unknown","type_id":0},'
    b'"dst_endpoint":{"hostname":"vpn-gw1","interface_uid":"17","ip":"198.51.100.10"},"duration":3723000,"end_time":1714983600000,'
    b'"message":"RADIUS accounting Stop: session ended.","metadata":{"event_code":"Stop","log_format":"RADIUS","log_name":"RADIUS Accounting",'
    b'"log_provider":"RADIUS","logged_time":1714983600420,"original_time":"1714983600","product":{"name":"RADIUS Accounting"},'
    b'"uid":"e99ee9eb-60cb-5441-950e-1af781c64ef6","version":"1.8.0"},"protocol_name":"L2TP",'
    b'"session":{"created_time":1714979877000,"expiration_reason":"User Request","expiration_time":1714983600000,"is_remote":true,"is_vpn":true,'
    b'"uid":"8F2A0001","uid_alt":"8F2A"},"severity":"Informational","severity_id":1,"src_endpoint":{"ip":"203.0.113.77"},"start_time":1714979877000,'
    b'"status":"Success","status_code":"1","status_detail":"User Request","status_id":1,"time":1714983600000,'
    b'"tunnel_interface":{"ip":"10.8.0.23","type":"Tunnel","type_id":4},"type_name":"Tunnel Activity: Close","type_uid":401402,'
    b'"unmapped":{"Acct-Authentic":"RADIUS","Framed-Protocol":"PPP","NAS-Port-Type":"Virtual","Service-Type":"Framed"},'
    b'"user":{"domain":"CONTOSO","name":"jdoe","type":"User","type_id":1}}\n'
)


def test_a_stop_is_what_is_documented_to_the_octet() -> None:
    packet = packet_of(("Acct-Status-Type", "Stop"), *WHO, *NAS, *WHAT, *COUNTED, ("Acct-Terminate-Cause", "User Request"))
    batch = normalized(packet, normalizer=Normalizer(settings=NormalizeSettings(observables=False)), arrival_ms=1_714_983_600_420)
    assert batch.records == STOP


#   status            attributes                                     uid                                      why
UIDS = [
    ("Start",          (*NAS, *WHAT),                                "a78be290-ae25-57ce-8422-852866b09342",  "no session time"),
    ("Stop",           (*NAS, *WHAT, *COUNTED),                      "e99ee9eb-60cb-5441-950e-1af781c64ef6",  "all of it"),
    ("Interim-Update", (*NAS, *WHAT, *COUNTED),                      "3dc73e5c-e3c2-5dad-b505-3d86ba890c3d",  "another status type"),
    ("Accounting-On",  (*NAS, *WHAT),                                "863778ca-7198-5c6a-8406-fde5e0643c50",  "an ID without a session"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "pairs", "uid"), [case[:3] for case in UIDS], ids=[f"{case[0]}: {case[3]}" for case in UIDS])
def test_uid_is_the_documented_one(status: str, pairs: Pairs, uid: str) -> None:
    assert record_of(packet_of(("Acct-Status-Type", status), *pairs))["metadata"]["uid"] == uid


# ---- what attributes become ----


def at(record: dict[str, Any], path: str) -> Any:
    node: Any = record
    for step in path.split("."):
        node = node.get(step) if isinstance(node, dict) else None
    return node


def start(*pairs: tuple[str, str], status: str = "Start") -> dict[str, Any]:
    record = record_of(packet_of(("Acct-Status-Type", status), ("Acct-Session-Id", "1"), *pairs))
    check(record)
    return record


VIRTUAL, ETHERNET, WIRELESS = (("NAS-Port-Type", name) for name in ("Virtual", "Ethernet", "Wireless-802.11"))
FRAMED, FRAMED6 = ("Framed-IP-Address", "10.1.2.3"), ("Framed-IPv6-Address", "2001:db8::3")
MAC, END = ("Calling-Station-Id", "00-1a-2b-3c-4d-5e"), ("Tunnel-Client-Endpoint", "203.0.113.9")

#   attributes, path, value, why
BECOMES: list[tuple[Pairs, str, Any, str]] = [
    ([("NAS-IP-Address", "192.0.2.1"), ("NAS-IPv6-Address", "2001:db8::1")], "device.ip", "192.0.2.1", "IPv4 goes first"),
    ([("NAS-IP-Address", "192.0.2.1"), ("NAS-IPv6-Address", "2001:db8::1")], "unmapped.NAS-IPv6-Address", "2001:db8::1", "and IPv6 isn't lost"),
    ([("NAS-IPv6-Address", "2001:db8::1")], "dst_endpoint.ip", "2001:db8::1", "IPv6 alone"),
    ([("NAS-IP-Address", "0.0.0.0")], "device.ip", PEER, "nobody's address"),
    ([("NAS-IP-Address", "0.0.0.0")], "unmapped.NAS-IP-Address", "0.0.0.0", "nobody's address isn't lost"),
    ([("NAS-Identifier", "gw")], "device", {"hostname": "gw", "type": "Unknown", "type_id": 0}, "a name speaks for itself"),
    ([], "device.ip", PEER, "the packet's source"),
    ([("NAS-Port-Id", "ge-0/0/1")], "dst_endpoint.interface_name", "ge-0/0/1", "the port's name"),
    ([VIRTUAL], "session.is_vpn", True, "a virtual port"),
    ([VIRTUAL], "session.is_remote", True, "is remote"),
    ([VIRTUAL], "unmapped.NAS-Port-Type", "Virtual", "and stays"),
    ([WIRELESS], "session.is_vpn", False, "Wi-Fi"),
    ([WIRELESS], "session.is_remote", None, "Wi-Fi doesn't say"),
    ([ETHERNET, ("Tunnel-Type", "VLAN")], "session.is_vpn", False, "a VLAN is no VPN"),
    ([ETHERNET, ("Tunnel-Type", "ESP")], "session.is_vpn", True, "a tunnel is, on any port"),
    ([("Tunnel-Type", "VLAN")], "session.is_vpn", None, "a VLAN alone doesn't say"),
    ([("NAS-Port-Type", "Cable")], "session.is_vpn", None, "another port doesn't say"),
    ([], "session.is_vpn", None, "nothing said"),
    ([FRAMED], "tunnel_interface", {"ip": "10.1.2.3", "type": "Tunnel", "type_id": 4}, "an address"),
    ([FRAMED, WIRELESS], "tunnel_interface.type", "Wireless", "of no tunnel: Wi-Fi"),
    ([FRAMED, ETHERNET], "tunnel_interface.type", "Wired", "of no tunnel: Ethernet"),
    ([WIRELESS], "tunnel_interface", None, "no address, no interface"),
    ([FRAMED, FRAMED6], "tunnel_interface.ip", "10.1.2.3", "IPv4 goes first"),
    ([FRAMED, FRAMED6], "unmapped.Framed-IPv6-Address", "2001:db8::3", "and IPv6 isn't lost"),
    ([FRAMED6], "tunnel_interface.ip", "2001:db8::3", "IPv6 alone"),
    ([("Framed-IP-Address", "255.255.255.254"), FRAMED6], "tunnel_interface.ip", "2001:db8::3", "IPv4 is assigned elsewhere"),
    ([("Framed-IP-Address", "255.255.255.255")], "tunnel_interface", None, "assigned elsewhere"),
    ([("Framed-IP-Address", "255.255.255.255")], "unmapped", None, "which is no value"),
    ([("Framed-IP-Address", "0.0.0.0")], "unmapped.Framed-IP-Address", "0.0.0.0", "none yet"),
    ([("Framed-IPv6-Prefix", "2001:db8:1::/48")], "unmapped.Framed-IPv6-Prefix", "2001:db8:1::/48", "a prefix is no address"),
    ([("Calling-Station-Id", "ip=203.0.113.9")], "src_endpoint", {"ip": "203.0.113.9"}, "ip="),
    ([("Calling-Station-Id", "001a2b3c4d5e")], "src_endpoint", {"mac": "00-1A-2B-3C-4D-5E", "name": "001a2b3c4d5e"}, "a MAC"),
    ([END], "src_endpoint", {"ip": "203.0.113.9"}, "the tunnel's end"),
    ([MAC, END], "src_endpoint.ip", "203.0.113.9", "the tunnel's end beside a MAC"),
    ([("Calling-Station-Id", "203.0.113.7"), END], "unmapped.Tunnel-Client-Endpoint", "203.0.113.9", "an address is there"),
    ([("Tunnel-Client-Endpoint", "vpn.contoso.example")], "unmapped.Tunnel-Client-Endpoint", "vpn.contoso.example", "a name"),
    ([("Tunnel-Type:1", "L2TP"), ("Tunnel-Type:2", "GRE")], "protocol_name", "L2TP", "the first tunnel"),
    ([("Tunnel-Type:1", "L2TP"), ("Tunnel-Type:2", "GRE")], "unmapped.Tunnel-Type:2", "GRE", "the second"),
    ([("User-Name", "dana@contoso.example")], "user.domain", "contoso.example", "a UPN"),
    ([("User-Name", "WKS-042$")], "user.type", "System", "a computer"),
    ([("MS-CHAP-Domain", "CONTOSO")], "user", None, "a domain is nobody"),
    ([("MS-CHAP-Domain", "CONTOSO")], "unmapped.MS-CHAP-Domain", "CONTOSO", "and isn't lost"),
    ([("User-Name", "a"), ("User-Name", "b")], "unmapped.User-Name", "b", "the second of two"),
    ([("User-Name", "N/A")], "user", None, "a missing value"),
    ([("Class", "00ff"), ("Class", "01")], "unmapped.Class", ["00ff", "01"], "opaque, twice"),
    ([("Acct-Input-Gigawords", "1")], "unmapped.Acct-Input-Gigawords", "1", "a high word alone"),
    ([("Acct-Input-Octets", "5"), ("Acct-Input-Gigawords", "2147483648")], "cumulative_traffic", None, "over 63 bits"),
    ([("Acct-Input-Octets", "5")], "cumulative_traffic", {"bytes_out": 5}, "one direction"),
    ([("Acct-Session-Time", "60")], "duration", 60_000, "milliseconds"),
    ([], "start_time", ARRIVAL_MS, "a Start begins now"),
    ([("Acct-Session-Time", "60")], "start_time", ARRIVAL_MS - 60_000, "unless it says since when"),
    ([("Event-Timestamp", "10"), ("Acct-Session-Time", "60")], "session.created_time", 10_000, "none before 1970"),
    ([("Event-Timestamp", "1710504000"), ("Acct-Delay-Time", "9")], "time", 1_710_504_000_000, "told"),
    ([("Event-Timestamp", "1710504000"), ("Acct-Delay-Time", "9")], "unmapped", None, "told: the delay says nothing"),
    ([("Acct-Delay-Time", "9")], "time", ARRIVAL_MS - 9_000, "arrival less the delay"),
    ([("Acct-Delay-Time", "9")], "metadata.original_time", None, "which nobody delivered"),
    ([("Acct-Delay-Time", "4294967295")], "time", ARRIVAL_MS, "a delay that can't be"),
    ([("Acct-Delay-Time", "4294967295")], "unmapped.Acct-Delay-Time", "4294967295", "and isn't lost"),
    ([("Acct-Terminate-Cause", "User Request")], "unmapped.Acct-Terminate-Cause", "User Request", "no Stop"),
]  # fmt: skip


@pytest.mark.parametrize(("pairs", "path", "value"), [case[:3] for case in BECOMES], ids=[f"{case[1]}: {case[3]}" for case in BECOMES])
def test_attributes_become(pairs: Pairs, path: str, value: Any) -> None:
    assert at(start(*pairs), path) == value


CAUSES = {
    1: "User Request", 2: "Lost Carrier", 3: "Lost Service", 4: "Idle Timeout", 5: "Session Timeout", 6: "Admin Reset", 7: "Admin Reboot", 8: "Port Error",
    9: "NAS Error", 10: "NAS Request", 11: "NAS Reboot", 12: "Port Unneeded", 13: "Port Preempted", 14: "Port Suspended", 15: "Service Unavailable",
    16: "Callback", 17: "User Error", 18: "Host Request", 19: "Supplicant Restart", 20: "Reauthentication Failure", 21: "Port Reinitialized",
    22: "Port Administratively Disabled", 23: None,
}  # fmt: skip


@pytest.mark.parametrize(("number", "name"), CAUSES.items())
def test_a_stop_says_why(number: int, name: str | None) -> None:
    attributes = parse_packet(packet_of(("Acct-Status-Type", "Stop"), ("Acct-Session-Id", "1"))).attributes
    record = record_of(encode_packet(Packet(4, 1, bytes(16), (*attributes, Attribute(49, number.to_bytes(4))))))
    check(record)
    assert record["status_code"] == str(number)
    assert (record.get("status_detail"), record["session"].get("expiration_reason")) == (name, name)
    assert record["session"]["expiration_time"] == record["end_time"] == record["time"]
    assert "unmapped" not in record


#   number  event_code             activity                    status_id
STATUS_TYPES = [
    (1,     "Start",              (1, "Open"),                  1),
    (2,     "Stop",               (2, "Close"),                 1),
    (3,     "Interim-Update",     (99, "Interim-Update"),       1),
    (7,     "Accounting-On",      (99, "Accounting-On"),        1),
    (8,     "Accounting-Off",     (99, "Accounting-Off"),       1),
    (9,     "Tunnel-Start",       (99, "Tunnel-Start"),         1),
    (10,    "Tunnel-Stop",        (99, "Tunnel-Stop"),          1),
    (11,    "Tunnel-Reject",      (99, "Tunnel-Reject"),        2),
    (12,    "Tunnel-Link-Start",  (99, "Tunnel-Link-Start"),    1),
    (13,    "Tunnel-Link-Stop",   (99, "Tunnel-Link-Stop"),     1),
    (14,    "Tunnel-Link-Reject", (99, "Tunnel-Link-Reject"),   2),
    (15,    "Failed",             (99, "Failed"),               2),
    (0,     "0",                  (99, "0"),                    0),
    (18,    "Subsystem-On",       (99, "Subsystem-On"),         0),
    (2**32 - 1, "4294967295",     (99, "4294967295"),           0),
]  # fmt: skip


@pytest.mark.parametrize("captions", [True, False], ids=["captions", "plain"])
@pytest.mark.parametrize(("number", "code", "activity", "status_id"), STATUS_TYPES, ids=[case[1] for case in STATUS_TYPES])
def test_status_types(number: int, code: str, activity: tuple[int, str], status_id: int, captions: bool) -> None:  # noqa: FBT001 - a parameter of the test
    packet = Packet(4, 1, bytes(16), (Attribute(40, number.to_bytes(4)), Attribute(44, b"1")))
    record = record_of(encode_packet(packet), Normalizer(NORMALIZER.profile, NormalizeSettings(captions=captions)))
    check(record)
    assert (record["class_uid"], record["type_uid"], record["metadata"]["event_code"], record["status_id"]) == (4014, 401400 + activity[0], code, status_id)
    assert record["activity_id"] == activity[0]
    assert record.get("activity_name") == (activity[1] if captions or activity[0] == 99 else None)
    assert ("tunnel_type_id" in record) == (number in {7, 8})


# ---- identity ----


def uid_of(*pairs: tuple[str, str], arrival_ms: int = ARRIVAL_MS, peer: str = PEER) -> str:
    uid: str = record_of(packet_of(*pairs), arrival_ms=arrival_ms, peer=peer)["metadata"]["uid"]
    return uid


SESSION = (("Acct-Status-Type", "Start"), ("Acct-Session-Id", "9"), ("NAS-IP-Address", "192.0.2.1"))
TIMED = (*SESSION, ("Event-Timestamp", "1710504000"))


def test_one_packet_by_two_paths_has_one_uid() -> None:
    direct = uid_of(*TIMED)
    assert direct == uid_of(*TIMED, ("Proxy-State", "01"), ("Acct-Delay-Time", "30"), arrival_ms=ARRIVAL_MS + 30_000, peer="192.0.2.50")


def test_a_packet_sent_again_without_a_time_of_its_own_keeps_its_uid() -> None:
    assert uid_of(*SESSION, ("Acct-Delay-Time", "0")) == uid_of(*SESSION, ("Acct-Delay-Time", "7"), arrival_ms=ARRIVAL_MS + 7_400)


#   octets              session.uid         why
SESSION_IDS = [
    (b"8F2A0001",           "8F2A0001",         "text"),
    (b"8F2A0001\0",         "8F2A0001",         "a terminator"),
    ("sitz\u00fcng".encode(), "sitz\u00fcng",     "UTF-8"),
    (b"\xff\x01",           "ff01",             "no UTF-8"),
    (b"\0\0\0\x07",         "00000007",         "a number"),
    (b"\0\0\0\0",           "00000000",         "nought"),
    (b"\x07\0\0\0",         "07000000",         "a number the other way"),
]  # fmt: skip


@pytest.mark.parametrize(("octets", "uid"), [case[:2] for case in SESSION_IDS], ids=[case[2] for case in SESSION_IDS])
def test_session_ids(octets: bytes, uid: str) -> None:
    record = record_of(encode_packet(Packet(4, 1, bytes(16), (Attribute(40, (3).to_bytes(4)), Attribute(44, octets), Attribute(44, b"other")))))
    check(record)
    assert (record["session"]["uid"], record["unmapped"]["Acct-Session-Id"]) == (uid, "other")


def test_two_restarts_stay_two() -> None:
    on = (("Acct-Status-Type", "Accounting-On"), ("NAS-IP-Address", "192.0.2.1"))
    assert uid_of(*on) != uid_of(*on, arrival_ms=ARRIVAL_MS + 10_001)
    assert uid_of(*on) == uid_of(*on, arrival_ms=ARRIVAL_MS + 1)
    assert uid_of(*on, ("Event-Timestamp", "1")) != uid_of(*on, ("Event-Timestamp", "2"))


@pytest.mark.parametrize(
    "change",
    [("Acct-Status-Type", "Stop"), ("Acct-Session-Id", "8"), ("NAS-IP-Address", "192.0.2.2"), ("Event-Timestamp", "1710504001"), ("Acct-Session-Time", "1")],
    ids=lambda change: change[0],
)
def test_what_tells_records_apart(change: tuple[str, str]) -> None:
    assert uid_of(*({**dict(TIMED), **dict([change])}.items())) != uid_of(*TIMED)


@given(accounting_requests(statuses=STATUSES))
def test_uid_is_stable_and_strong(packet: Packet) -> None:
    one, other = normalized(signed(packet)), normalized(signed(replace(packet, identifier=(packet.identifier + 1) % 256)))
    assert [entry.uid for entry in one.index] == [entry.uid for entry in other.index]
    assert not any(entry.weak for entry in one.index)


# ---- the official schema, and nothing lost ----


@given(accounting_requests(statuses=STATUSES), SETTINGS)
def test_whatever_a_server_sends_its_record_is_valid(packet: Packet, settings: NormalizeSettings) -> None:
    batch = normalized(signed(packet), normalizer=Normalizer(NORMALIZER.profile, settings))
    for line in batch.records.splitlines():
        check(json.loads(line))


@given(packets())
def test_any_packet_gives_a_valid_record_or_a_reject(packet: Packet) -> None:
    batch = normalized(
        encode_packet(packet), encode_packet(replace(packet, attributes=(Attribute(40, bytes(4)), Attribute(44, b"1"), *packet.attributes)[:60]))
    )
    assert batch.received == 2 == len(batch.index) + sum(batch.rejected.values())
    for line in batch.records.splitlines():
        assert complaints(json.loads(line)) == []


READ_AS_TEXT = {"Acct-Status-Type", "Acct-Session-Id", "NAS-IP-Address", "NAS-Identifier", "Acct-Multi-Session-Id", "NAS-Port", "NAS-Port-Id", "Tunnel-Type"}


@given(accounting_requests(statuses=STATUSES))
def test_every_attribute_is_taken_by_a_row_or_unmapped(packet: Packet) -> None:
    """A name with a value shows in the record, and away with it the record is another one (but for what says that there is no value)."""
    attributes = named_attributes(packet)
    batch = normalized(signed(packet))
    if not batch.records:
        return
    record = json.loads(batch.records)
    plan = NORMALIZER.profile.plans.by_key.get(EventKey("RADIUS Accounting", "RADIUS", str(int.from_bytes(packet.values(40)[0]))))
    plan = plan or NORMALIZER.profile.plans.by_key[EventKey("RADIUS Accounting", "RADIUS", "*")]
    read = set(names_read(plan.ops))
    text = json.dumps(record, ensure_ascii=False)
    for name, value in attributes:
        if missing(value):
            continue
        if name not in read:
            kept = record["unmapped"][name]
            assert value in (kept if isinstance(kept, list) else [kept])
        elif name in READ_AS_TEXT:
            assert json.dumps(value, ensure_ascii=False) in text or (name == "Acct-Session-Id" and packet.values(44)[0].hex() in text), name


def missing(text: str) -> bool:
    return text.strip(" \t\r\n") in {"", "-", "N/A"} or (text.strip(" \t\r\n").startswith("%%") and text.strip(" \t\r\n")[2:].isdecimal())


def names_read(ops: tuple[Op, ...]) -> list[str]:
    """Payload names that rows take, here and in branches."""
    found: list[str] = []
    for op in ops:
        if isinstance(op, Row):
            found += [source.name for source in op.inputs if source.where.value == ""]
        elif isinstance(op, Choice):
            for branch in op.branches:
                found += names_read(branch.ops)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_dropping_any_row_of_a_plan_shows(name: str) -> None:
    """Every row that takes something of a sample is needed for its record."""
    packet = parse_packet(fixture(name))
    attributes, number = named_attributes(packet), int.from_bytes(packet.values(40)[0])
    plans = NORMALIZER.profile.plans
    plan = plans.by_key.get(EventKey("RADIUS Accounting", "RADIUS", str(number))) or plans.by_key[EventKey("RADIUS Accounting", "RADIUS", "*")]
    source = radius_source(attributes, status_type=number, peer=PEER, arrival_ms=ARRIVAL_MS, vendor="Contoso")
    whole = encode_record(map_event(plans, plan, source, NormalizeSettings()).record)
    there = {attribute for attribute, _ in attributes} - json.loads(whole).get("unmapped", {}).keys()
    for op in plan.ops:
        if not isinstance(op, Row) or not any(source.where.value == "" and source.name in there for source in op.inputs):
            continue
        maimed = replace(plan, ops=tuple(other for other in plan.ops if other is not op))
        assert encode_record(map_event(plans, maimed, source, NormalizeSettings()).record) != whole, op.inputs


def test_rows_name_what_the_dictionary_names() -> None:
    """A name spelled otherwise would never be read, and nobody would notice."""
    known = dictionary().by_name
    for plan in (plan for key, plan in NORMALIZER.profile.plans.by_key.items() if key.channel == "RADIUS Accounting"):
        assert set(names_read(plan.ops)) <= known.keys()
    assert {name for name in CAUSES.values() if name} <= set(known["Acct-Terminate-Cause"].values.values())
    assert {"Virtual", "Ethernet", "Wireless-802.11"} <= set(known["NAS-Port-Type"].values.values())
    assert "VLAN" in known["Tunnel-Type"].values.values()


# ---- what must not be seen ----

SECRETS = sorted(entry.path for entry in dictionary().by_path.values() if entry.secret)


@pytest.mark.parametrize("path", [path for path in SECRETS if len(path) == 1 or path[0] == 26], ids=lambda path: ".".join(map(str, path)))
@pytest.mark.parametrize("value", [b"\x01hunter2!hunter2!", b"\x81\x82\x83"], ids=["text", "octets"])
def test_secrets_are_nowhere(path: tuple[int, ...], value: bytes) -> None:
    inside = Attribute(path[-1], value)
    attribute = inside if len(path) == 1 else Attribute(26, path[1].to_bytes(4) + bytes((inside.type, 2 + len(value))) + value)
    packet = Packet(4, 1, bytes(16), (Attribute(40, bytes((0, 0, 0, 1))), Attribute(44, b"1"), attribute))
    record = record_of(encode_packet(packet), Normalizer(NORMALIZER.profile, NormalizeSettings(raw_data=True)))
    assert "unmapped" not in record
    assert record["raw_data"] == "Acct-Status-Type=Start\nAcct-Session-Id=1"


def test_raw_data_is_a_line_an_attribute_and_no_value_forges_one() -> None:
    normalizer = Normalizer(NORMALIZER.profile, NormalizeSettings(raw_data=True))
    record = record_of(packet_of(("Acct-Status-Type", "Start"), ("Acct-Session-Id", "1"), ("User-Name", "dana\nUser-Name=root\u2028\x1b[31m")), normalizer)
    check(record)
    assert record["raw_data"].split("\n") == ["Acct-Status-Type=Start", "Acct-Session-Id=1", "User-Name=dana\ufffdUser-Name=root\ufffd\ufffd[31m"]
    assert record["raw_data_size"] == len(record["raw_data"].encode())
