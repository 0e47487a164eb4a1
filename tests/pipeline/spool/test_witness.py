"""Whose records an authenticated sender's can be the duplicate of: with `witness = "authenticated"` nobody masks an event by forging its like first."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from support.batches import alias_of, batch_of, name_of, read_all, submissions

from pipeline.metrics import Metrics
from pipeline.model import Batch
from pipeline.spool.composition import compose
from pipeline.spool.duplicates import split_keys
from pipeline.spool.settings import Consumer, DuplicateSettings, SpoolSettings, Start, Witness
from pipeline.spool.sqlite import SqliteSpool, open_spool

Said = list[tuple[bool, list[int], bool]]
"""Batches: whether their sender was authenticated, the names of their records, whether their uids are weak."""

said = st.lists(st.tuples(st.booleans(), st.lists(st.integers(0, 6), max_size=5), st.booleans()), max_size=6)


def of(batch: Batch, *, proven: bool) -> Batch:
    return replace(batch, origin=replace(batch.origin, identity="dc1.contoso.example" if proven else None))


def batches(given: Said) -> list[Batch]:
    return [of(batch_of(names, weak=weak), proven=proven) for proven, names, weak in given]


def nothing(asked: bytes) -> bytes:
    return bytes(len(asked) // 16)


@given(said, said)
def test_a_proven_record_is_known_by_proven_ones_alone_and_any_other_by_either(before: Said, group: Said) -> None:
    remembered = set(split_keys(compose(batches(before), nothing, witness=Witness.AUTHENTICATED).keys))
    seen = {(proven, name) for proven, names, weak in before if not weak for name in names}
    expected = []
    for proven, names, weak in group:
        for name in names:
            if not weak and ((True, name) in seen or (not proven and (False, name) in seen)):
                continue
            expected.append(name)
            seen |= set() if weak else {(proven, name)}
    composition = compose(batches(group), lambda asked: bytes(key in remembered for key in split_keys(asked)), witness=Witness.AUTHENTICATED)
    assert [name_of(row.records[entry.start : entry.end]) for row in composition.rows for entry in row.index] == expected
    assert sum(composition.duplicates) == sum(len(names) for _, names, _ in group) - len(expected)


def test_what_is_sent_again_is_known_by_its_alias_whoever_is_a_witness() -> None:
    request = of(replace(batch_of([1]), aliases=alias_of(1)), proven=True)
    assert compose([request, request], nothing, witness=Witness.AUTHENTICATED).duplicates == (0, 1)


def spool_with(folder: Path, witness: Witness) -> SqliteSpool:
    settings = SpoolSettings(duplicates=DuplicateSettings(witness=witness))
    return open_spool(folder, settings, [Consumer("archive", Start.BEGINNING)], Metrics())


async def test_a_forged_twin_masks_nothing_not_even_after_a_restart(tmp_path: Path) -> None:
    forged, true = of(batch_of([7]), proven=False), of(batch_of([7], listener="listeners.wef"), proven=True)
    spool = spool_with(tmp_path, Witness.AUTHENTICATED)
    await spool.commit(submissions(forged))
    await spool.close()
    spool = spool_with(tmp_path, Witness.AUTHENTICATED)
    assert [each.duplicates for each in await spool.commit(submissions(true, true, forged))] == [0, 1, 1]
    assert await read_all(spool, "archive") == [7, 7]
    await spool.close()


async def test_otherwise_an_event_is_kept_once_whichever_way_it_came(tmp_path: Path) -> None:
    forged, true = of(batch_of([7]), proven=False), of(batch_of([7], listener="listeners.wef"), proven=True)
    spool = spool_with(tmp_path, Witness.ANYBODY)
    assert [each.duplicates for each in await spool.commit(submissions(forged, true, true))] == [0, 1, 1]
    await spool.close()
