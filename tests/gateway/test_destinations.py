"""From a table to what it describes: a destination that asks for joins gets them, from the spool's own sessions."""

from __future__ import annotations

from pathlib import Path

import orjson
import trio
from support.accounting import normalized, packet_of
from support.batches import spool_in, submissions
from support.engines import frames_of
from support.events import NOON, SAMPLES
from support.ocsf import check

from forwarders.file import FileDestination
from forwarders.file_settings import FileSettings
from gateway.destinations import make_destination
from normalizers.normalizer import Normalizer
from pipeline.metrics import Metrics
from pipeline.spool.settings import Consumer, Start
from wire.event_xml import encode_event

LOGON = SAMPLES["4776"]
START = packet_of(
    ("Acct-Status-Type", "Start"),
    ("Acct-Session-Id", "s1"),
    ("User-Name", dict(LOGON.data)["TargetUserName"]),
    ("NAS-IP-Address", "192.0.2.1"),
    ("Framed-IP-Address", "10.8.0.5"),
    ("Event-Timestamp", str(NOON.unix_ns // 1_000_000_000 - 60)),
)


async def test_a_session_that_was_heard_of_is_joined_on_the_way_to_a_file(tmp_path: Path) -> None:
    spool = spool_in(tmp_path / "state", [Consumer("file", Start.BEGINNING)], now_ms=NOON.unix_ns // 1_000_000)
    event = Normalizer().normalize_events(frames_of([encode_event(LOGON)]))
    await spool.commit(submissions(normalized(START), event))
    table = FileSettings.model_validate({"name": "file", "kind": "file", "path": str(tmp_path / "out.ndjson"), "enrich": ["vpn-by-account"]})
    destination = make_destination(table, Metrics(), spool)
    await destination.open(b"")
    row = await spool.read("file")
    assert row is not None
    await destination.deliver(row)
    await destination.close()
    await spool.close()
    accounting, logon = map(orjson.loads, (await trio.Path(tmp_path / "out.ndjson").read_bytes()).splitlines())
    check(logon)
    assert "enrichments" not in accounting
    assert logon["enrichments"][0]["data"]["sessions"][0]["address"] == "10.8.0.5"


async def test_a_destination_that_asks_for_nothing_stands_alone(tmp_path: Path) -> None:
    spool = spool_in(tmp_path / "state")
    table = FileSettings.model_validate({"name": "file", "kind": "file", "path": str(tmp_path / "out.ndjson")})
    assert isinstance(make_destination(table, Metrics(), spool), FileDestination)
    await spool.close()
