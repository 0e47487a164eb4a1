"""kill -9 under load, again and again: whatever was acknowledged reaches the file, once, in whole lines."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random

import orjson
import structlog
from support.batches import spool_in

from forwarders.common_settings import RetrySettings
from forwarders.delivery import Delivery
from forwarders.file import FileDestination
from forwarders.file_settings import FileSettings
from pipeline.metrics import Metrics
from pipeline.spool.settings import Consumer

DRIVER = Path(__file__).parents[2] / "support" / "loaded_spool.py"
ROOT = Path(__file__).parents[3]
KILLS = 5
BATCH, OVERLAP = 50, 7


def acknowledged(state_dir: Path, output: Path, first: int, lines: int) -> list[int]:
    """Run the load, kill it behind so many acknowledgements, and say which batches it acknowledged, by their last name."""
    with subprocess.Popen([sys.executable, str(DRIVER), str(state_dir), str(output), str(first)], stdout=subprocess.PIPE, cwd=ROOT) as load:
        assert load.stdout is not None
        seen = [int(load.stdout.readline()) for _ in range(lines)]
        load.kill()
        seen += [int(line) for line in load.stdout.read().split(b"\n")[:-1]]
    return seen


async def test_kill_under_load(tmp_path: Path) -> None:
    state_dir, output, random = tmp_path / "state", tmp_path / "out" / "events.ndjson", Random(9)
    expected: set[int] = set()
    for kill in range(KILLS):
        first = kill * 10_000_000
        for last in acknowledged(state_dir, output, first, random.randint(1, 60)):
            expected.update(range(max(first, last - BATCH + 1 - OVERLAP), last + 1))
    settings = FileSettings(name="archive", kind="file", path=output, rotate_bytes=200_000)
    spool = spool_in(state_dir, [Consumer("archive")])
    delivery = Delivery(
        "archive",
        spool,
        FileDestination(settings),
        wants=None,
        retry=RetrySettings(),
        metrics=Metrics(),
        log=structlog.get_logger(),
        random=lambda: 0.5,
    )
    delivery.finish()
    await delivery.run()
    assert spool.salvaged is None
    await spool.close()

    files = [*sorted(output.parent.glob("events-*.ndjson")), output]
    written = Counter(int(orjson.loads(line)["name"]) for file in files for line in file.read_bytes().split(b"\n")[:-1])
    assert all(file.read_bytes().endswith(b"\n") for file in files), "no torn line"
    assert expected <= set(written), "everything acknowledged is there"
    assert set(written.values()) == {1}, "and once"
