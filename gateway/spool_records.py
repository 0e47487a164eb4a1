"""`tidegate spool list | show | verify`: the records in the spool, read as they lie, whether a gateway runs or not."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Final
from uuid import UUID

import apsw
import orjson

from forwarders.filter import FilterSettings
from gateway.config import Config
from gateway.control import ControlError
from gateway.spool_report import octets, read_offline
from pipeline.errors import SpoolError
from pipeline.escape import escape_text
from pipeline.index import UID_OCTETS, Entry
from pipeline.settings import parse_duration
from pipeline.spool.database import FILE_NAME, open_reader, translated
from pipeline.spool.letters import scan_letters
from pipeline.spool.records import Kept, scan_records
from pipeline.spool.spool import ConsumerStatus
from pipeline.spool.verification import Verification
from pipeline.spool.verification import verify as verify_spool

QUANTITY: Final = re.compile(r"[0-9.]+ *[a-z]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Choice:
    """Which records to list.

    destination:  only those that it has yet to take.
    event_codes, computers: as in a forwarder's filter.
    since:        only those committed then or later: `2 h` ago, or a time as ISO 8601 writes it.
    limit:        the newest so many.
    """

    destination: str | None = None
    event_codes: tuple[str, ...] = ()
    computers: tuple[str, ...] = ()
    since: str | None = None
    limit: int = 100


@contextmanager
def spool_reader(config: Config) -> Iterator[apsw.Connection]:
    """A connection that only reads.

    Raises:
        SpoolError: there is no spool, or it can't be read.
    """
    path = config.gateway.state_dir / FILE_NAME
    with closing(open_reader(path)) as connection, translated(f"spool {path}"):
        yield connection


def list_records(config: Config, choice: Choice, *, as_json: bool) -> list[str]:
    """A line for each chosen record, oldest first.

    Raises:
        SpoolError: there is no spool, it can't be read, or it doesn't know the destination.
        ControlError: `since` is no time.
    """
    since_ms = None if choice.since is None else parse_since(choice.since, time.time())
    waits = _waits(config, choice.destination)
    wants = FilterSettings(event_codes=frozenset(choice.event_codes), computers=frozenset(choice.computers)).compile()
    with spool_reader(config) as connection:
        found = _until(scan_records(connection), since_ms)
        chosen = list(islice((kept for kept in found if wants(kept.entry) and waits(kept)), choice.limit))
    return [_line(kept, as_json=as_json) for kept in reversed(chosen)]


def _until(records: Iterator[Kept], since_ms: int | None) -> Iterator[Kept]:
    for kept in records:
        if since_ms is not None and kept.kept_at_ms < since_ms:
            return
        yield kept


def _waits(config: Config, destination: str | None) -> Callable[[Kept], bool]:
    """Whether a record is before a destination; all are where none is asked for."""
    if destination is None:
        return lambda _: True
    consumer = next((each for each in read_offline(config).consumers if each.name == destination), None)
    if consumer is None:
        raise SpoolError(f"destination {destination}", "the spool doesn't know it", "tidegate spool status lists those it knows")
    wants = _filter(config, destination)
    return lambda kept: kept.number >= consumer.cursor and wants(kept.entry)


def _filter(config: Config, name: str) -> Callable[[Entry], bool]:
    found = next((table.consumer().wants for table in config.forwarders if table.name == name), None)
    return found or (lambda _: True)


def _line(kept: Kept, *, as_json: bool) -> str:
    entry = kept.entry
    if as_json:
        return orjson.dumps(_entry_value(kept)).decode()
    texts = (write_time(kept.kept_at_ms), str(kept.number), write_uid(entry.uid), entry.event_code, str(entry.class_uid), entry.computer)
    return escape_text("  ".join(texts))


def _entry_value(kept: Kept) -> dict[str, object]:
    entry = kept.entry
    return {
        "number": kept.number,
        "kept_at_ms": kept.kept_at_ms,
        "uid": write_uid(entry.uid),
        "weak": entry.weak,
        "class_uid": entry.class_uid,
        "event_code": entry.event_code,
        "status_id": entry.status_id,
        "time_ms": entry.time_ms,
        "computer": entry.computer,
    }


def show_record(config: Config, uid: str) -> str:
    """Everything the spool knows of the records with a uid, a JSON text: where they lie, who has passed them, their dead letters.

    Raises:
        SpoolError: there is no spool, it can't be read, or nothing in it has this uid.
        ControlError: that is no uid.
    """
    wanted = parse_uid(uid)
    consumers = read_offline(config).consumers
    with spool_reader(config) as connection:
        letters = [letter for letter in scan_letters(connection) if letter.uid == wanted]
        dead = {(letter.consumer, letter.number): letter for letter in letters}
        found: list[dict[str, object]] = [
            {
                **_entry_value(kept),
                "destinations": {
                    each.name: "dead letter" if (each.name, kept.number) in dead else _standing(each, kept, _filter(config, each.name)) for each in consumers
                },
                "record": orjson.Fragment(kept.record) if is_text(kept.record) else None,
            }
            for kept in scan_records(connection)
            if kept.entry.uid == wanted
        ]
    shown = {record["number"] for record in found}
    found += [
        {"number": letter.number, "uid": write_uid(letter.uid), "destinations": {letter.consumer: "dead letter"}, "record": orjson.Fragment(letter.record)}
        for letter in letters
        if letter.number not in shown and is_text(letter.record)
    ]
    if not found:
        raise SpoolError(f"record {uid}", "the spool doesn't hold it", "every destination may have passed it; `tidegate spool list` shows what is there")
    for record in found:
        record["dead_letters"] = [
            {"destination": letter.consumer, "reason": letter.reason, "detail": letter.detail, "requeued": letter.requeued_at_ms is not None}
            for letter in letters
            if letter.number == record["number"]
        ]
    return "\n".join(orjson.dumps(record, option=orjson.OPT_INDENT_2).decode() for record in found)


def _standing(consumer: ConsumerStatus, kept: Kept, wants: Callable[[Entry], bool]) -> str:
    if not wants(kept.entry):
        return "not wanted"
    return "passed" if kept.number < consumer.cursor else "waiting"


def verify(config: Config) -> Verification:
    """Look at every row.

    Raises:
        SpoolError: there is no spool, or it can't be opened.
    """
    with spool_reader(config) as connection:
        return verify_spool(connection)


def render_verification(verification: Verification, *, as_json: bool) -> str:
    """For a person, or the JSON."""
    if as_json:
        return orjson.dumps(asdict(verification)).decode()
    lines = [
        f"whole        {verification.records:,} records in {verification.rows:,} rows; {verification.dead_letters:,} dead letters",
        *([f"quarantined  {verification.quarantined:,} records, set aside before"] if verification.quarantined else []),
        *(f"damaged      {escape_text(line)}" for line in verification.damage),
    ]
    return "\n".join(lines)


def render_backup(target: Path, verification: Verification | None) -> str:
    """What was copied, on one line."""
    held = "of an older Tidegate, not looked through" if verification is None else f"{verification.records:,} records in {verification.rows:,} rows, verified"
    return f"{target}: {octets(target.stat().st_size)}, {held}"


def parse_since(text: str, now: float) -> int:
    """A time in ms since the Unix epoch, from a duration before `now` (`"2 h"`) or from ISO 8601, in UTC unless it says otherwise.

    Raises:
        ControlError: it is neither.
    """
    try:
        if QUANTITY.fullmatch(text):
            return int((now - parse_duration(text)) * 1000)
        time_of = datetime.fromisoformat(text)
    except (OverflowError, ValueError) as error:
        raise ControlError("--since", f"{text!r} is no time", "write '2 h', or '2026-01-31T12:00:00Z'") from error
    return int((time_of if time_of.tzinfo else time_of.replace(tzinfo=UTC)).timestamp() * 1000)


def parse_uid(text: str) -> bytes:
    """`metadata.uid` of a record to its 16 octets.

    Raises:
        ControlError: it is none.
    """
    try:
        return UUID(text).bytes
    except ValueError:
        raise ControlError(f"uid {text[:80]!r}", "it is none", "write it as metadata.uid has it") from None


def write_uid(uid: bytes) -> str:
    """16 octets to the text of `metadata.uid`; any others, which only damage leaves, as they are."""
    return str(UUID(bytes=uid)) if len(uid) == UID_OCTETS else uid.hex()


def write_time(time_ms: int) -> str:
    """`2026-01-31T12:00:00.000Z`."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def is_text(record: bytes) -> bool:
    """Whether a record is JSON, which damage may have changed."""
    try:
        orjson.loads(record)
    except ValueError:
        return False
    return True
