"""The stdout destination: whole lines, whatever the reader does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import trio
import trio.testing
from support.batches import batch_of

from forwarders.destination import Delivered
from forwarders.stdout import StdoutDestination
from pipeline.errors import DeliveryError, Fault
from pipeline.spool.row import Row


def row_of(names: range, octets: int = 0) -> Row:
    batch = batch_of(names, octets=octets)
    return Row.whole(batch.records, batch.index, names.start)


async def test_a_file_gets_every_line(tmp_path: Path) -> None:
    row = row_of(range(50), 1000)
    with (tmp_path / "out").open("wb") as file:
        destination = StdoutDestination(file.fileno())
        await destination.open(b"")
        assert await destination.deliver(row) == Delivered()
        await destination.close()
    assert (tmp_path / "out").read_bytes() == row.records


async def test_a_reader_that_stops_reading_blocks_nothing_and_tears_no_line() -> None:
    read_end, write_end = os.pipe()
    destination, row = StdoutDestination(write_end), row_of(range(400), 1000)
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(destination.deliver, row)
            await trio.testing.wait_all_tasks_blocked()
            scope.cancel()
    received = bytearray()

    async def read() -> None:
        while True:
            await trio.lowlevel.wait_readable(read_end)
            data = os.read(read_end, 1 << 16)
            if not data:
                return
            received.extend(data)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await destination.deliver(row)
        os.close(write_end)
    os.close(read_end)
    lines = bytes(received).splitlines()
    assert set(lines) <= set(row.texts()), "no line is torn"
    assert lines[-400:] == list(row.texts())


async def test_a_reader_that_went_away_may_come_back() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    with pytest.raises(DeliveryError) as caught:
        await StdoutDestination(write_end).deliver(row_of(range(3)))
    assert caught.value.fault is Fault.RETRY
    assert caught.value.taken == 0
    os.close(write_end)
