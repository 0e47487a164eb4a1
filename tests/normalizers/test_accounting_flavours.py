"""What simulated VPN servers of each vendor report becomes records that name who, from where and with what address, and sessions that begin and end."""

from __future__ import annotations

import json
from random import Random

import pytest
from support.accounting import NORMALIZER, frames_of
from support.ocsf import check

from gateway.simulate.estate import build_estate
from gateway.simulate.radius_flavours import FLAVOURS, STATUS_NAMES, Flavour, describe, session_id
from gateway.simulate.radius_sessions import NS, Nas, Status
from pipeline.model import SessionEvent
from wire.radius.authenticators import ZEROS
from wire.radius.packet import Packet, encode_packet

EVENTS = {
    Status.START: SessionEvent.START,
    Status.INTERIM: SessionEvent.UPDATE,
    Status.STOP: SessionEvent.STOP,
    Status.ON: SessionEvent.RESTART,
    Status.OFF: SessionEvent.RESTART,
}
BEGAN = 1_710_504_000


@pytest.mark.parametrize("flavour", FLAVOURS, ids=[flavour.name for flavour in FLAVOURS])
def test_every_flavours_records(flavour: Flavour) -> None:
    nas = Nas(1, "vpn01.contoso.example", build_estate(Random(1)).users, Random(7), most=5)
    reports = [nas.turn_on(BEGAN * NS), *(nas.report((BEGAN + 30 * step) * NS) for step in range(60)), nas.turn_off((BEGAN + 1800) * NS)]
    packets = [encode_packet(Packet(4, 1, ZEROS, tuple(describe(flavour, nas, report, 0)))) for report in reports]
    for report, packet in zip(reports, packets, strict=True):
        batch = NORMALIZER.normalize_radius(frames_of(packet, peer=str(nas.address), arrival_ms=report.unix_ns // 1_000_000), flavour.vendor)
        record = json.loads(batch.records)
        check(record)
        (change,) = batch.sessions
        assert change is not None
        assert (record["metadata"]["event_code"], change.event) == (STATUS_NAMES[report.status], EVENTS[report.status])
        assert (record["metadata"]["product"].get("vendor_name", ""), record["device"]["ip"], change.nas) == (
            flavour.vendor,
            str(nas.address),
            str(nas.address),
        )
        session = report.session
        if session is None:
            assert (change.session_id, "session" in record) == ("", False)
            continue
        assert change.session_id == record["session"]["uid"] == session_id(flavour, nas, report)
        assert (record["user"]["name"], record["session"]["is_vpn"]) == (session.account.name, True)
        assert (record["src_endpoint"]["ip"], record["tunnel_interface"]["ip"]) == (str(session.client), str(session.given)) == (change.client, change.address)
        assert change.started_at_ms is not None
        assert abs(change.started_at_ms - session.began_ns // 1_000_000) <= 1000
