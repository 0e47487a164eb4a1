"""The judgement of a conservation test: what the archive, the spool and every destination have, held against what was acknowledged and counted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import apsw
import orjson
from support.conservation_sinks import Key, Sinks
from support.sentinel_fake import SentinelFake

from pipeline.spool.database import FILE_NAME
from pipeline.spool.letters import scan_letters

POISONED: Final = 6
"""Of 256 records, those that the HTTP server refuses."""

SPLUNK: Final = re.compile(rb"\r\nLogfile=([^\r\n]*)\r\n.*?ComputerName=([^\r\n]*)\r\nRecordNumber=([0-9]+)\r\n", re.DOTALL)
DESTINATIONS: Final = ("archive", "http", "lossy", "hec", "elastic", "syslog", "sensor", "relay", "tls", "udp", "sentinel", "kafka")
FATES: Final = ("delivered", "skipped", "parked")
DONE: Final = (*FATES, "lost")


def is_poison(uid: str) -> bool:
    return UUID(uid).bytes[-1] < POISONED


@dataclass(frozen=True)
class Judgement:
    """Of what one gateway did; its folder, and what was behind it."""

    folder: Path
    sinks: Sinks

    def lost(self) -> int:
        """Records that the spool counts as lost to `lossy`."""
        connection = apsw.Connection(str(self.folder / "state" / FILE_NAME), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            return int(connection.execute("SELECT lost FROM consumers WHERE name = 'lossy'").get)
        finally:
            connection.close()

    def letters(self) -> Mapping[str, Counter[str]]:
        """uids of dead letters, by destination."""
        connection = apsw.Connection(str(self.folder / "state" / FILE_NAME), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            found: dict[str, Counter[str]] = {}
            for letter in scan_letters(connection):
                found.setdefault(letter.consumer, Counter())[orjson.loads(letter.record)["metadata"]["uid"]] += 1
            return found
        finally:
            connection.close()

    def archived(self) -> list[dict[str, Any]]:
        return [orjson.loads(line) for line in (self.folder / "events.ndjson").read_bytes().splitlines()]

    def judge(self, acked: AbstractSet[Key], *, mended: bool = False) -> None:
        """Every acknowledged event is everywhere, or a dead letter; twice only under one uid. With `mended`, nothing is poison any more."""
        archive = self.archived()
        uids = {key_of(record): record["metadata"]["uid"] for record in archive}
        assert len(archive) == len(uids) == len(set(uids.values())), "once in the archive, and one uid each"
        assert acked <= uids.keys(), "what was acknowledged is kept"
        every = set(uids.values())
        poison = {uid for uid in every if is_poison(uid) and not mended}
        letters = self.letters()
        assert letters.keys() <= {"http"}
        assert letters.get("http", Counter()) == Counter(poison), "poison is parked, once, and nothing else is"
        assert {record["metadata"]["uid"] for record in self.sinks.http.taken} == every - poison
        missed = every - {record["metadata"]["uid"] for record in self.sinks.lossy.taken}
        assert len(missed) <= self.lost(), "what drop-oldest dropped is counted"
        assert {envelope["event"]["metadata"]["uid"] for envelope in self.sinks.hec.events} == every  # type: ignore[index]
        assert {name for stream in self.sinks.elastic.streams.values() for name in stream} == every
        assert set(sentinel_uids(self.sinks.sentinel)) == every
        assert set(map(uid_inside, self.sinks.syslog.taken)) == every
        assert set(map(uid_inside, self.sinks.tls.taken)) == every
        assert set(map(uid_inside, self.sinks.kafka.taken)) == every
        unheard = every - set(map(uid_inside, self.sinks.udp.taken))
        assert len(unheard) <= self.sinks.udp.dropped, "what was handed over comes, or its receiver's system counts it"
        windows = {key_of(record) for record in archive if record["class_uid"] and not is_vpn(record)}
        assert {splunk_key(frame) for frame in self.sinks.sensor.taken} == windows
        assert self.sinks.relay.taken.keys() == {key_of(record) for record in archive if is_vpn(record)}

    def reconcile(self, counted: Mapping[str, float]) -> None:
        """One run's counters agree with each other, and with what is where."""
        archive = self.archived()
        for listener in ("listeners.wef", "listeners.radius", "listeners.syslog"):
            received, *became = (sum_of(counted, name, listener) for name in ("received", "normalized", "duplicate", "filtered", "rejected", "control"))
            assert received == sum(became), listener
        missed = len(archive) - len({record["metadata"]["uid"] for record in self.sinks.lossy.taken})
        assert sum_of(counted, "lost", "lossy") == sum_of(counted, "lost") == self.lost() >= missed
        assert sum_of(counted, "uncommitted") == 0
        assert sum_of(counted, "normalized") == counted["tidegate_committed_total"] == len(archive)
        vpn = sum(map(is_vpn, archive))
        windows = len({splunk_key(frame) for frame in self.sinks.sensor.taken})
        poison = sum(is_poison(record["metadata"]["uid"]) for record in archive)
        expected: dict[str, tuple[float, ...]] = {name: (len(archive), 0, 0) for name in DESTINATIONS}
        expected |= {
            "http": (len(archive) - poison, 0, poison),
            "lossy": (len(archive) - self.lost(), 0, 0),
            "relay": (vpn, len(archive) - vpn, 0),
            "sensor": (windows, len(archive) - windows, 0),
        }
        for name, fates in expected.items():
            assert tuple(sum_of(counted, fate, name) for fate in FATES) == fates, name
        assert sum_of(counted, "dead_letters", kind="") == poison


def sum_of(counted: Mapping[str, float], name: str, label: str = "", *, kind: str = "_total") -> float:
    """A counter's samples that have such a label."""
    return sum(value for sample, value in counted.items() if sample.startswith(f"tidegate_{name}{kind}{{") and (not label or f'="{label}"' in sample))


def done_with(counted: Mapping[str, float], destination: str) -> float:
    return sum(sum_of(counted, fate, destination) for fate in DONE)


def is_vpn(record: Mapping[str, Any]) -> bool:
    return bool(record["metadata"]["product"]["name"] == "RADIUS Accounting")


def key_of(record: Mapping[str, Any]) -> Key:
    metadata = record["metadata"]
    if not is_vpn(record):
        return record["device"]["hostname"], metadata["log_name"], metadata["original_event_uid"]
    session = record.get("session", {}).get("uid") or record.get("unmapped", {}).get("Acct-Session-Id", "")
    lasted = record.get("duration")
    return record["device"]["ip"], session, metadata["event_code"], "" if lasted is None else str(lasted // 1000)


def splunk_key(message: bytes) -> Key:
    found = SPLUNK.search(message)
    assert found, message
    return found[2].decode(), found[1].decode(), found[3].decode()


def uid_inside(message: bytes) -> str:
    """Of a record that is all that is left behind a header."""
    return str(orjson.loads(message[message.index(b"{") :])["metadata"]["uid"])


def sentinel_uids(taken: SentinelFake) -> Iterator[str]:
    """Of all rows: WindowsEvent has no EventOriginalUid."""
    for rows in taken.rows.values():
        for row in rows:
            yield row.get("EventOriginalUid") or row["EventOriginId"]
