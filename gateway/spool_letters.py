"""`tidegate spool list --dead` and `tidegate spool requeue`: dead letters, told by destination and reason, and put before their destination again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

import orjson
from pydantic import TypeAdapter

from gateway.config import Config
from gateway.control import NotRunningError, Request, ask
from gateway.spool_records import is_text, parse_uid, spool_reader, write_time, write_uid
from gateway.spool_report import read_offline
from pipeline.escape import escape_text
from pipeline.metrics import Metrics
from pipeline.spool.letters import Requeue, StoredLetter, scan_letters
from pipeline.spool.sqlite import open_spool

MAX_UIDS: Final = 1000  # a line of the control socket holds no more


def list_letters(config: Config, destination: str | None, *, limit: int, as_json: bool) -> Iterator[str]:
    """Lines: how many there are by destination and reason, then the newest of them; of JSON, a letter each.

    Raises:
        SpoolError: there is no spool, or it can't be read.
    """
    with spool_reader(config) as connection:
        letters = [letter for letter in scan_letters(connection) if destination in (None, letter.consumer)]
    shown = letters[-limit:]
    if as_json:
        yield from (orjson.dumps(_value(letter)).decode() for letter in shown)
        return
    for (consumer, reason), count in sorted(Counter((letter.consumer, letter.reason) for letter in letters).items()):
        yield f"{escape_text(consumer)}: {count:,} {escape_text(reason)}"
    for letter in shown:
        again = "  put before it again" if letter.requeued_at_ms is not None else ""
        yield escape_text(f"{write_time(letter.parked_at_ms)}  {letter.consumer}  {write_uid(letter.uid)}  {letter.reason}  {letter.detail}{again}".rstrip())


def _value(letter: StoredLetter) -> dict[str, object]:
    return {
        "destination": letter.consumer,
        "uid": write_uid(letter.uid),
        "number": letter.number,
        "parked_at_ms": letter.parked_at_ms,
        "reason": letter.reason,
        "detail": letter.detail,
        "requeued_at_ms": letter.requeued_at_ms,
        "record": orjson.Fragment(letter.record) if is_text(letter.record) else None,
    }


def make_requeue(destination: str, reason: str | None, uids: Sequence[str]) -> Requeue:
    """What is asked for.

    Raises:
        ControlError: something isn't a uid.
    """
    return Requeue(destination, reason, tuple(map(parse_uid, uids)))


async def requeue(config: Config, destination: str, reason: str | None, uids: Sequence[str]) -> int:
    """Put dead letters before a destination again, through the running gateway or in the files; how many.

    Raises:
        ControlError: the running gateway refuses.
        SpoolError: there is no such destination, or the spool can't be written.
        ControlError: something isn't a uid.
    """
    make_requeue(destination, reason, uids)
    count = 0
    for at in range(0, max(1, len(uids)), MAX_UIDS):
        some = uids[at : at + MAX_UIDS]
        arguments = {"name": destination, "uids": " ".join(some)} | ({} if reason is None else {"reason": reason})
        try:
            count += TypeAdapter(int).validate_python(await ask(config.gateway.state_dir, Request("spool.requeue", arguments)))
        except NotRunningError:
            return count + await _requeue_offline(config, make_requeue(destination, reason, uids[at:]))
    return count


async def _requeue_offline(config: Config, request: Requeue) -> int:
    read_offline(config)  # says so where there is no spool, instead of making one
    spool = open_spool(config.gateway.state_dir, config.spool, [table.consumer() for table in config.forwarders], Metrics())
    try:
        return await spool.requeue(request)
    finally:
        await spool.close()
