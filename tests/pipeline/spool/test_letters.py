"""Dead letters: kept whole, put before their destination once, gone when it took them, and there whatever becomes of the file."""

from __future__ import annotations

import json
from pathlib import Path

import apsw
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.batches import batch_of, name_of, spool_in, submissions

from pipeline.errors import DeliveryError, Fault, SpoolError
from pipeline.spool.database import FILE_NAME
from pipeline.spool.letters import Requeue, StoredLetter, scan_letters
from pipeline.spool.salvage import MARK
from pipeline.spool.settings import Consumer, Start
from pipeline.spool.sqlite import SqliteSpool

ARCHIVE, SENSOR = Consumer("archive", Start.BEGINNING), Consumer("sensor", Start.BEGINNING)


async def parked(folder: Path, names: list[int], *, weak: bool = False) -> SqliteSpool:
    """A spool whose sensor refused these records, each for a reason that is its name."""
    spool = spool_in(folder, [ARCHIVE, SENSOR])
    await spool.commit(submissions(batch_of(names, weak=weak, event_code="4776", computer="dc2.contoso.example")))
    row = await spool.read("sensor")
    assert row is not None
    for place, name in enumerate(names):
        assert spool.park("sensor", row.pick([place]), DeliveryError(f"reason-{name}", Fault.REFUSED, detail="d" * 5000))
    spool.advance("sensor", row.end, b"")
    await spool.flush()
    return spool


def kept(spool: SqliteSpool) -> list[tuple[int, str, bool]]:
    return [(name_of(letter.record), letter.reason, letter.requeued_at_ms is not None) for letter in scan_letters(spool._files.reader)]


@pytest.mark.parametrize("weak", [False, True])
async def test_a_requeued_letter_is_the_record_and_its_index(weak: bool, tmp_path: Path) -> None:  # noqa: FBT001 - pytest's
    spool = await parked(tmp_path, [1, 2, 3], weak=weak)
    assert not spool.has_requeued("sensor")
    assert await spool.requeued("sensor") is None
    assert await spool.requeue(Requeue("sensor", "reason-2")) == 1
    assert await spool.requeue(Requeue("sensor", None, (bytes(15) + b"\x03", bytes(16)))) == 1
    await spool.wait_for_more("sensor", 3)
    letters = await spool.requeued("sensor")
    assert letters is not None
    assert list(map(name_of, letters.row.texts())) == [2, 3]
    assert [(entry.weak, entry.event_code, entry.class_uid, entry.status_id, entry.computer) for entry in letters.row.entries()] == [
        (weak, "4776", 3002, 1, "dc2.contoso.example")
    ] * 2
    assert not spool.has_requeued("archive")
    await spool.close()


async def test_answers_are_durable_with_the_next_commit_and_not_asked_for_twice(tmp_path: Path) -> None:
    spool = await parked(tmp_path, [1, 2, 3])
    await spool.requeue(Requeue("sensor"))
    letters = await spool.requeued("sensor")
    assert letters is not None
    spool.answer("sensor", letters.ids[0])
    spool.answer("sensor", letters.ids[2], DeliveryError("still", Fault.REFUSED))
    rest = await spool.requeued("sensor")
    assert rest is not None
    assert rest.ids == letters.ids[1:2]
    spool._files.close()  # the process dies
    spool = spool_in(tmp_path, [ARCHIVE, SENSOR])
    again = await spool.requeued("sensor")
    assert again is not None
    assert again.ids == letters.ids
    spool.answer("sensor", letters.ids[0])
    spool.answer("sensor", letters.ids[2], DeliveryError("still", Fault.REFUSED))
    await spool.close()
    spool = spool_in(tmp_path, [ARCHIVE, SENSOR])
    assert kept(spool) == [(2, "reason-2", True), (3, "still", False)]
    status = (await spool.status()).consumers[1]
    assert (status.parked, status.requeued) == (2, 1)
    await spool.close()


async def test_room_is_made_by_what_is_taken(tmp_path: Path) -> None:
    spool = spool_in(tmp_path, [Consumer("sensor", Start.BEGINNING, dead_letters=1)])
    await spool.commit(submissions(batch_of([1, 2])))
    row = await spool.read("sensor")
    assert row is not None
    refusal = DeliveryError("refused", Fault.REFUSED)
    assert spool.park("sensor", row.pick([0]), refusal)
    assert not spool.park("sensor", row.pick([1]), refusal)
    await spool.requeue(Requeue("sensor"))
    letters = await spool.requeued("sensor")
    assert letters is not None
    spool.answer("sensor", letters.ids[0])
    assert spool.park("sensor", row.pick([1]), refusal)
    await spool.close()


@pytest.mark.parametrize("name", ["nobody", "left"])
async def test_nobody_gets_letters_who_is_not_configured(name: str, tmp_path: Path) -> None:
    await (spool_in(tmp_path, [Consumer("left")])).close()
    spool = spool_in(tmp_path, [ARCHIVE])
    with pytest.raises(SpoolError, match=f"destination {name}"):
        await spool.requeue(Requeue(name))
    await spool.close()


async def test_letters_are_handed_out_and_scanned_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.spool.letters.MAX_LETTERS", 2)
    spool = await parked(tmp_path, [1, 2, 3, 4, 5])
    assert [name for name, _, _ in kept(spool)] == [1, 2, 3, 4, 5]
    await spool.requeue(Requeue("sensor"))
    got = []
    while (letters := await spool.requeued("sensor")) is not None:
        got.append(len(letters.ids))
        for letter in letters.ids:
            spool.answer("sensor", letter)
    assert got == [2, 2, 1]
    await spool.close()
    spool = spool_in(tmp_path, [ARCHIVE, SENSOR])
    assert kept(spool) == []
    await spool.close()


async def test_letters_outlive_a_salvage(tmp_path: Path) -> None:
    spool = await parked(tmp_path, [1, 2, 3])
    await spool.requeue(Requeue("sensor", "reason-2"))
    await spool.close()
    (tmp_path / MARK).touch()
    spool = spool_in(tmp_path, [ARCHIVE, SENSOR])
    assert spool.salvaged is not None
    assert kept(spool) == [(1, "reason-1", False), (2, "reason-2", True), (3, "reason-3", False)]
    assert spool.has_requeued("sensor")
    await spool.close()


async def test_one_without_an_index_is_delivered_by_what_it_says_itself(tmp_path: Path) -> None:
    spool = await parked(tmp_path, [1])
    await spool.close()
    record = {"class_uid": 3002, "status_id": 2, "time": 7, "metadata": {"event_code": "4625"}, "device": {"hostname": "dc9.contoso.example"}}
    connection = apsw.Connection(str(tmp_path / FILE_NAME))
    connection.execute("UPDATE dead_letters SET entry = NULL, record = ?", (orjson.dumps(record),))
    connection.close()
    spool = spool_in(tmp_path, [ARCHIVE, SENSOR])
    await spool.requeue(Requeue("sensor"))
    letters = await spool.requeued("sensor")
    assert letters is not None
    (entry,) = letters.row.entries()
    assert entry[3:] == (True, 3002, "4625", 2, 7, "dc9.contoso.example")
    await spool.close()


values = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=3)
inner = st.dictionaries(st.sampled_from(["event_code", "hostname"]), values)
outer = st.dictionaries(st.sampled_from(["class_uid", "status_id", "time", "metadata", "device"]), values | inner)
records = st.binary() | outer.map(lambda record: json.dumps(record).encode())


@given(records, st.binary(max_size=40), st.none() | st.binary())
def test_whatever_lies_there_has_an_index(record: bytes, uid: bytes, entry: bytes | None) -> None:
    letter = StoredLetter(1, "sensor", 0, uid, 0, "", "", record, None, entry)
    index = letter.own_index()
    assert (len(index), index.offsets) == (1, (0, len(record) + 1))
