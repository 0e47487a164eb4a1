"""`answer = "relayed"`: an answer waits for the disk and for the relay's next hop, and not for ever."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from support.batches import batch_of, submissions
from support.radius_listening import heard, nas, radius_listening, request, silent

from gateway import radius_accounting
from gateway.radius_accounting import relayed
from pipeline.errors import SpoolError
from pipeline.metrics import Metrics
from pipeline.receipt import Receipt
from pipeline.spool.settings import Consumer, SpoolSettings, Start
from pipeline.spool.sqlite import SqliteSpool, open_spool

RELAY = Consumer("relay", Start.BEGINNING)


async def kept(spool: SqliteSpool) -> Receipt:
    """The receipt of three records."""
    (committed,) = await spool.commit(submissions(batch_of([1, 2, 3])))
    receipt = Receipt()
    receipt.settle(number=committed.end)
    return receipt


async def test_an_answer_waits_for_what_the_relay_has_passed(tmp_path: Path) -> None:
    spool = open_spool(tmp_path, SpoolSettings(), [RELAY], Metrics())
    receipt, proof, told = await kept(spool), relayed(spool, "relay"), trio.Event()

    async def ask() -> None:
        assert await proof(receipt)
        told.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        assert not told.is_set()
        spool.advance("relay", 2, b"")
        await spool.flush()
        await trio.testing.wait_all_tasks_blocked()
        assert not told.is_set()
        spool.advance("relay", 3, b"")
        await spool.flush()
        with trio.fail_after(60):
            await told.wait()
    await spool.close()


async def test_it_does_not_wait_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(radius_accounting, "PATIENCE_S", 0.01)
    spool = open_spool(tmp_path, SpoolSettings(), [RELAY], Metrics())
    assert not await relayed(spool, "relay")(await kept(spool))
    await spool.close()


async def test_what_was_never_kept_is_nothing_to_wait_for(tmp_path: Path) -> None:
    spool = open_spool(tmp_path, SpoolSettings(), [RELAY], Metrics())
    receipt = Receipt()
    receipt.settle(error=SpoolError("spool", "closed"))
    with pytest.raises(SpoolError):
        await relayed(spool, "relay")(receipt)
    await spool.close()


async def test_the_listener_answers_what_was_proven_and_counts_the_rest() -> None:
    verdicts, asked = {1: False, 2: True}, list[Receipt]()
    gate = trio.Event()

    async def proof(receipt: Receipt) -> bool:
        await receipt.wait()
        asked.append(receipt)
        number = len(asked)
        await gate.wait()
        return verdicts[number]

    async with radius_listening(proof=proof, keep=True) as listener:
        with nas(listener.address()) as client:
            await client.send(request(1))
            await listener.intake.arrived(1)
            await client.send(request(2))
            await listener.intake.arrived(2)
            await trio.testing.wait_all_tasks_blocked()
            assert silent(client)
            gate.set()
            assert (await heard(client))[1] == 2
            assert silent(client)
        assert listener.counted("radius_unanswered", "reason") == {"relay": 1}
