"""What the spool remembers of its sources: true with the batch that brought it, and bounded."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest
from support.batches import batch_of, spool_in

from pipeline.index import EMPTY
from pipeline.model import Batch, Origin, Reject, Transport
from pipeline.spool import sources
from pipeline.spool.database import FILE_NAME, open_reader
from pipeline.spool.salvage import MARK
from pipeline.spool.sources import SourceStatus, read_record_ids
from pipeline.spool.spool import Bookmark, Submission

SECURITY, DC1 = "identity/Security", "dc1$@contoso.example"


def mark(fragment: bytes | None, at_ms: int, *, events: bool = True, gaps: int = 0, record_ids: dict[tuple[str, str], int] | None = None) -> Submission:
    return Submission(batch_of([at_ms]), Bookmark(SECURITY, DC1, fragment, at_ms, "192.0.2.1", events=events, gaps=gaps, record_ids=record_ids or {}))


def rejecting(*raws: bytes) -> Submission:
    origin = Origin("listeners.wef", Transport.HTTPS, "192.0.2.1", 5, "dc1.contoso.example")
    return Submission(Batch(b"", EMPTY, origin, len(raws), rejects=tuple(Reject(raw, "not-well-formed", 3, "x") for raw in raws)), keep_rejects=True)


async def test_bookmarks_are_kept_octet_for_octet_and_survive(tmp_path: Path) -> None:
    fragment = b"<BookmarkList> \r\n <Bookmark Channel='Security'/></BookmarkList>"
    spool = spool_in(tmp_path)
    await spool.commit([mark(fragment, 1)])
    await spool.commit([mark(None, 2, events=False)])
    await spool.close()
    spool = spool_in(tmp_path)
    assert await spool.bookmarks(DC1, [SECURITY, "identity/System"]) == {SECURITY: fragment}
    assert await spool.bookmarks("somebody", [SECURITY]) == {}
    assert await spool.sources() == [SourceStatus(SECURITY, DC1, "192.0.2.1", 1, 2, 1, 2, 0)]
    await spool.close()


async def test_a_gap_is_one_only_where_there_was_a_place_before(tmp_path: Path) -> None:
    spool = spool_in(tmp_path)
    await spool.commit([mark(b"<a/>", 1, gaps=1)])
    await spool.commit([mark(b"<b/>", 2, gaps=1)])
    (status,) = await spool.sources()
    assert status.gaps == 1
    reader = open_reader(tmp_path / FILE_NAME)
    assert reader.execute("SELECT before, after FROM gaps ORDER BY id").fetchall() == [(None, b"<a/>"), (b"<a/>", b"<b/>")]
    reader.close()
    await spool.close()


async def test_record_ids_are_those_of_the_last_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_RECORD_IDS", 2)
    monkeypatch.setattr(sources, "TRIM_AFTER", 0)
    spool = spool_in(tmp_path)
    pair = ("dc1.contoso.example", "Security")
    await spool.commit([mark(None, 1, record_ids={pair: 9})])
    await spool.commit([mark(None, 2, record_ids={pair: 4})])
    reader = open_reader(tmp_path / FILE_NAME)
    assert read_record_ids(reader) == {pair: 4}, "a cleared log begins anew"
    await spool.commit([mark(None, 3, record_ids={("a", "x"): 1, ("b", "x"): 1, ("c", "x"): 1})])
    assert len(read_record_ids(reader)) == 2
    reader.close()
    await spool.close()


async def test_rejects_are_kept_whole_and_the_oldest_leave_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_REJECTS", 3)
    spool = spool_in(tmp_path)
    await spool.commit([rejecting(b"1", b"\x00\xff"), rejecting(b"3", b"4")])
    kept = await spool.rejects(10)
    assert [reject.raw for _, reject in kept] == [b"\x00\xff", b"3", b"4"]
    assert kept[0] == (rejecting().batch.origin, Reject(b"\x00\xff", "not-well-formed", 3, "x"))
    assert [reject.raw for _, reject in await spool.rejects(1)] == [b"4"]
    assert dropped(tmp_path) == (3, 4, 1)
    await spool.close()


async def test_rejects_are_bounded_in_octets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_REJECT_OCTETS", 100)
    spool = spool_in(tmp_path)
    for _ in range(5):
        await spool.commit([rejecting(b"x" * 40)])
    assert dropped(tmp_path) == (2, 80, 3)
    await spool.commit([rejecting(b"x" * 200)])
    assert dropped(tmp_path) == (0, 0, 6)
    await spool.close()


async def test_what_is_saved_from_a_damaged_file_is_counted(tmp_path: Path) -> None:
    spool = spool_in(tmp_path)
    await spool.commit([mark(b"<a/>", 1, record_ids={("dc1", "Security"): 3}), rejecting(b"1", b"22")])
    await spool.close()
    (tmp_path / MARK).touch()
    spool = spool_in(tmp_path)
    assert spool.salvaged is not None
    assert await spool.bookmarks(DC1, [SECURITY]) == {SECURITY: b"<a/>"}
    assert [reject.raw for _, reject in await spool.rejects(10)] == [b"1", b"22"]
    assert dropped(tmp_path) == (2, 3, 0)
    await spool.close()


async def test_nothing_is_said_that_wasnt_committed(tmp_path: Path) -> None:
    spool = spool_in(tmp_path)
    await spool.commit([Submission(batch_of([1]))])
    assert (await spool.sources(), await spool.rejects(10)) == ([], [])
    await spool.close()


def dropped(folder: Path) -> tuple[int, int, int]:
    reader: apsw.Connection = open_reader(folder / FILE_NAME)
    try:
        kept, octets, gone = reader.execute("SELECT kept, octets, dropped FROM reject_totals").get
        return kept, octets, gone
    finally:
        reader.close()
