"""How fast the spool keeps records: commits, octets and records a second, against plain rows in the same SQLite.

    python bench/spool.py [--seconds 3] [--folder FOLDER]

Each line is one size of group, both ways in turn, in the same run and folder. "plain" stores a group's octets as one uncompressed row with the same durability
(WAL, synchronous=FULL) and neither index nor duplicate keys: what the spool's compression has to pay for.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import apsw
import orjson
import trio

from pipeline.index import Entry, Index
from pipeline.metrics import Metrics
from pipeline.model import Batch, Origin, Transport
from pipeline.spool.settings import Consumer, SpoolSettings, Start
from pipeline.spool.spool import Submission
from pipeline.spool.sqlite import open_spool

GROUPS = (1, 10, 100, 1000, 4000)
ORIGIN = Origin("listeners.syslog", Transport.TCP, "192.0.2.1", 0)


@dataclass(frozen=True, slots=True)
class Speed:
    """What one run came to; CPU of the whole process."""

    commits: int
    records: int
    octets: int
    seconds: float
    cpu_seconds: float

    def text(self) -> str:
        return (
            f"{self.commits / self.seconds:8.0f} commits/s {self.octets / self.seconds / 1e6:7.1f} MB/s {self.records / self.seconds:9.0f} records/s "
            f"{self.cpu_seconds / self.octets * 1e9:7.2f} CPU-s/GB"
        )


def record(random: Random, number: int) -> tuple[bytes, bytes]:
    """(uid, record) of an invented logon, about as long and as repetitive as real ones."""
    uid = random.randbytes(16)
    user = f"user{random.randrange(5000)}"
    value = {
        "activity_id": 1,
        "activity_name": "Logon",
        "auth_protocol": "Kerberos",
        "category_uid": 3,
        "class_uid": 3002,
        "device": {"hostname": f"dc{random.randrange(4)}.contoso.example", "type_id": 1},
        "dst_endpoint": {"hostname": "dc1.contoso.example"},
        "logon_type_id": 3,
        "metadata": {
            "event_code": "4624",
            "log_name": "Security",
            "original_event_uid": str(1_000_000 + number),
            "product": {"name": "Microsoft-Windows-Security-Auditing", "vendor_name": "Microsoft"},
            "uid": str(uuid.UUID(bytes=uid)),
            "version": "1.8.0",
        },
        "session": {"uid": hex(random.randrange(1 << 32))},
        "severity_id": 1,
        "src_endpoint": {"ip": f"10.{random.randrange(256)}.{random.randrange(256)}.{random.randrange(256)}", "port": random.randrange(49152, 65536)},
        "status_id": 1,
        "time": 1_700_000_000_000 + number,
        "type_uid": 300201,
        "unmapped": {"ElevatedToken": "%%1842", "KeyLength": "0", "LogonGuid": str(uuid.UUID(bytes=random.randbytes(16))), "LogonProcessName": "Kerberos"},
        "user": {"domain": "CONTOSO", "name": user, "uid": f"S-1-5-21-1004336348-1177238915-682003330-{random.randrange(10_000)}"},
    }
    return uid, orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def batches(records: int) -> Iterator[Batch]:
    """Batches of so many records, never the same ones."""
    random, number = Random(1), 0  # noqa: S311 - a benchmark's records
    while True:
        parts, index, at = [], [], 0
        for _ in range(records):
            uid, text = record(random, number)
            index.append(Entry(at, at + len(text), uid, False, 3002, "4624", 1, 1_700_000_000_000 + number, "dc1.contoso.example"))
            parts.append(text + b"\n")
            at += len(text) + 1
            number += 1
        yield Batch(b"".join(parts), Index.of(index), ORIGIN, records)


def measured(groups: list[Batch], seconds: float, commit: Callable[[Batch], object]) -> Speed:
    commits = records = octets = 0
    started, cpu = time.perf_counter(), time.process_time()
    for batch in groups:
        commit(batch)
        commits, records, octets = commits + 1, records + len(batch.index), octets + len(batch.records)
        if time.perf_counter() - started > seconds:
            break
    return Speed(commits, records, octets, time.perf_counter() - started, time.process_time() - cpu)


def run_plain(folder: Path, groups: list[Batch], seconds: float) -> Speed:
    connection = apsw.Connection(str(folder / "plain.sqlite"))
    connection.pragma("page_size", 8192)
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", "full")
    connection.execute("CREATE TABLE rows (number INTEGER PRIMARY KEY, body BLOB)")

    def commit(batch: Batch) -> None:
        connection.execute("INSERT INTO rows (body) VALUES (?)", (batch.records,))

    speed = measured(groups, seconds, commit)
    connection.close()
    return speed


def run_spool(folder: Path, groups: list[Batch], seconds: float) -> tuple[Speed, float]:
    async def main() -> tuple[Speed, float]:
        spool = open_spool(folder / "state", SpoolSettings(), [Consumer("archive", Start.BEGINNING)], Metrics())
        commits = records = octets = 0
        started, cpu = time.perf_counter(), time.process_time()
        for batch in groups:
            await spool.commit([Submission(batch)])
            commits, records, octets = commits + 1, records + len(batch.index), octets + len(batch.records)
            if time.perf_counter() - started > seconds:
                break
        speed = Speed(commits, records, octets, time.perf_counter() - started, time.process_time() - cpu)
        stored = (await spool.status()).bytes
        await spool.close()
        return speed, octets / stored

    return trio.run(main)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--folder", type=Path, help="on the disk to measure; the system's temporary folder unless given")
    arguments = parser.parse_args()
    for records in GROUPS:
        source = batches(records)
        groups = [next(source) for _ in range(max(20, min(8000, 60_000 // records)))]
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            plain = run_plain(Path(folder), groups, arguments.seconds)
            spool, ratio = run_spool(Path(folder), groups, arguments.seconds)
        octets_a_second = (spool.octets / spool.seconds) / (plain.octets / plain.seconds)
        sys.stdout.write(f"{records:5d} records a group   plain {plain.text()}\n")
        sys.stdout.write(f"{'':23s}   spool {spool.text()}   {ratio:.1f} times smaller, {octets_a_second:.2f} of plain\n")


if __name__ == "__main__":
    main()
