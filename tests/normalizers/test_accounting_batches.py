"""Bursts of RADIUS accounting as batches: what is refused by which rule, what goes along with each record, what is said of sessions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.accounting import ARRIVAL_MS, NORMALIZER, PEER, Pairs, fixture, frames_of, normalized, packet_of
from support.radius_packets import accounting_requests, signed

from normalizers.normalizer import Normalizer
from pipeline.model import Origin, SessionChange, SessionEvent, Transport, Trust
from wire.radius.attributes import Attribute
from wire.radius.packet import Packet, encode_packet

ID = ("Acct-Session-Id", "9")
GOOD = packet_of(("Acct-Status-Type", "Start"), ID, ("NAS-IP-Address", "192.0.2.1"))


def raw(*attributes: tuple[int, bytes]) -> bytes:
    return encode_packet(Packet(4, 1, bytes(16), tuple(Attribute(*attribute) for attribute in attributes)))


#   packet                                                        rule                                       why
REFUSED = [
    (raw((44, b"9")),                                             "missing-attribute:Acct-Status-Type",      "no status type"),
    (raw((40, b""), (44, b"9")),                                  "malformed-attribute:Acct-Status-Type",    "an empty one"),
    (raw((40, bytes(5)), (44, b"9")),                             "malformed-attribute:Acct-Status-Type",    "five octets"),
    (packet_of(("Acct-Status-Type", "Start")),                    "missing-attribute:Acct-Session-Id",       "nobody's session"),
    (packet_of(("Acct-Status-Type", "Stop"), ("Acct-Session-Id", "-")), "missing-attribute:Acct-Session-Id", "a missing value"),
    (packet_of(("Acct-Status-Type", "Interim-Update")),           "missing-attribute:Acct-Session-Id",       "nobody's session goes on"),
    (packet_of(("Acct-Status-Type", "Tunnel-Start")),             "missing-attribute:Acct-Session-Id",       "a tunnel's"),
    (raw((40, (99).to_bytes(4))),                                 "missing-attribute:Acct-Session-Id",       "of an unknown status"),
    (GOOD[:-1],                                                   "radius-short",                            "cut"),
    (b"",                                                         "radius-short",                            "nothing"),
]  # fmt: skip


@pytest.mark.parametrize(("packet", "rule"), [case[:2] for case in REFUSED], ids=[case[2] for case in REFUSED])
def test_refused_by_rule(packet: bytes, rule: str) -> None:
    batch = normalized(GOOD, packet, GOOD)
    assert (len(batch.index), batch.received, batch.rejected) == (2, 3, {rule: 1})
    (reject,) = batch.rejects
    assert (reject.raw, reject.rule) == (packet, rule)


@pytest.mark.parametrize("status", ["Accounting-On", "Accounting-Off"])
def test_a_restart_needs_no_session(status: str) -> None:
    assert len(normalized(packet_of(("Acct-Status-Type", status))).index) == 1


def test_the_first_of_two_status_types_counts() -> None:
    batch = normalized(raw((40, (1).to_bytes(4)), (40, (2).to_bytes(4)), (44, b"9")))
    record = json.loads(batch.records)
    assert (record["activity_name"], record["unmapped"]) == ("Open", {"Acct-Status-Type": "Stop"})


def test_all_rejects_are_kept() -> None:
    assert len(normalized(*[raw((44, b"9"))] * 40).rejects) == 40


def test_accounting_is_wanted_whatever_the_profile() -> None:
    assert len(normalized(GOOD, normalizer=Normalizer("mdi-current")).index) == 1


OWN = """
[profiles.ours]
base = "aatp-2020"
[[event]]
id = "18"
like = "radius"
class = "tunnel_activity"
activity = 99
message = "A part of the server began anew."
use = ["radius_session", "radius_other"]
"""


def test_an_operator_maps_another_status_type(tmp_path: Path) -> None:
    (tmp_path / "ours.toml").write_text(OWN, "utf-8")
    packet = packet_of(("Acct-Status-Type", "Subsystem-On"), ID)
    record = json.loads(normalized(packet, normalizer=Normalizer(tmp_path / "ours.toml")).records)
    assert (record["message"], record["status_id"]) == ("A part of the server began anew.", 1)
    assert json.loads(normalized(packet).records)["message"] == "RADIUS accounting, another status type."


def test_a_windows_event_that_calls_itself_accounting_is_mapped_as_what_it_is() -> None:
    event = (
        b"<Event><System><Provider Name='RADIUS'/><EventID>2</EventID><EventRecordID>1</EventRecordID><Channel>RADIUS Accounting</Channel>"
        b"<Computer>dc1</Computer></System><EventData><Data Name='User-Name'>dana</Data></EventData></Event>"
    )
    record = json.loads(Normalizer(keep_all=True).explain(event, Origin("listeners.syslog", Transport.TCP, PEER, ARRIVAL_MS * 1_000_000)).record)
    assert (record["class_uid"], record["unmapped"]) == (0, {"User-Name": "dana"})


def test_labels_and_vendor_are_the_clients() -> None:
    metadata = json.loads(NORMALIZER.normalize_radius(frames_of(GOOD, trust=Trust(labels=("site:hq",))), "Cisco").records)["metadata"]
    assert (metadata["labels"], metadata["product"]) == (["site:hq"], {"name": "RADIUS Accounting", "vendor_name": "Cisco"})
    assert "labels" not in json.loads(normalized(GOOD).records)["metadata"]


@given(st.lists(accounting_requests() | st.none(), max_size=6), st.booleans())
def test_what_goes_along_is_of_its_record(packets: list[Packet | None], keep: bool) -> None:  # noqa: FBT001 - drawn
    octets = [raw((44, b"9")) if packet is None else signed(packet) for packet in packets]
    aliases = [bytes([number]) * 16 for number in range(len(octets))]
    batch = NORMALIZER.normalize_radius(frames_of(*octets, aliases=b"".join(aliases), keep=keep))
    alone = [normalized(packet) for packet in octets]
    kept = [number for number, one in enumerate(alone) if one.index]
    assert batch.records == b"".join(one.records for one in alone)
    assert batch.aliases == b"".join(aliases[number] for number in kept)
    assert batch.originals == (tuple(octets[number] for number in kept) if keep else ())
    assert batch.sessions == tuple(change for one in alone for change in one.sessions)
    assert len(batch.sessions) == len(batch.index) == len(kept)
    assert batch.received == len(octets) == len(batch.index) + sum(batch.rejected.values())
    assert [entry.computer for entry in batch.index] == [_device(line) for line in batch.records.splitlines()]


def _device(line: bytes) -> str:
    device = json.loads(line)["device"]
    return str(device.get("hostname") or device.get("ip"))


# ---- sessions ----


def test_what_samples_say_of_sessions() -> None:
    samples = ("rras-start", "asa-stop", "wireless-interim", "accounting-on", "tunnel-reject", "unknown-status")
    assert normalized(*map(fixture, samples)).sessions == (
        SessionChange(
            event=SessionEvent.START,
            nas="192.0.2.10",
            session_id="417",
            user="dana",
            domain="CONTOSO",
            address="10.20.0.23",
            client="203.0.113.77",
            at_ms=1_710_504_000_000,
            started_at_ms=1_710_504_000_000,
        ),
        SessionChange(
            event=SessionEvent.STOP,
            nas="192.0.2.20",
            session_id="C0A80101000A1",
            user="dana",
            domain="contoso.example",
            address="10.20.4.8",
            client="203.0.113.9",
            at_ms=1_710_504_000_000,
            started_at_ms=1_710_496_800_000,
        ),
        SessionChange(
            event=SessionEvent.UPDATE,
            nas="2001:db8::30",
            session_id="65f43a40/00:1a:2b:3c:4d:5e/91",
            user="host/wks-042.contoso.example",
            domain="",
            address="10.30.1.5",
            client="",
            at_ms=1_710_503_996_000,
            started_at_ms=1_710_503_936_000,
        ),
        SessionChange(
            event=SessionEvent.RESTART,
            nas="vpn2.contoso.example",
            session_id="",
            user="",
            domain="",
            address="",
            client="",
            at_ms=1_710_503_999_000,
        ),
        None,
        None,
    )


#   attributes                                                        server            why
SERVERS: list[tuple[Pairs, str, str]] = [
    ([("NAS-IP-Address", "192.0.2.1"), ("NAS-Identifier", "gw")],      "192.0.2.1",      "its address"),
    ([("NAS-IPv6-Address", "2001:db8::1"), ("NAS-Identifier", "gw")],  "2001:db8::1",    "its IPv6 address"),
    ([("NAS-Identifier", "gw")],                                       "gw",             "else its name"),
    ([],                                                               PEER,             "else where the packet is from"),
]  # fmt: skip


@pytest.mark.parametrize(("pairs", "nas"), [case[:2] for case in SERVERS], ids=[case[2] for case in SERVERS])
def test_the_server_of_a_session_is_the_one_of_its_restart(pairs: Pairs, nas: str) -> None:
    begun, anew = normalized(
        packet_of(("Acct-Status-Type", "Start"), ID, *pairs), packet_of(("Acct-Status-Type", "Accounting-On"), *pairs), arrival_ms=ARRIVAL_MS
    ).sessions
    assert begun is not None
    assert anew is not None
    assert begun.nas == anew.nas == nas
