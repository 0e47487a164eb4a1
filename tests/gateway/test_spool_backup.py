"""`tidegate spool backup`, and what `tidegate check` says of a spool that another version wrote."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest
import trio
from support.batches import batch_of, spool_in, submissions
from support.older_spool import spool_of_schema_1

from gateway.check.examinations import examine
from gateway.check.findings import Level
from gateway.cli import main
from gateway.config import load
from pipeline.spool.database import FILE_NAME
from pipeline.spool.schema import SCHEMA_VERSION
from pipeline.spool.settings import Consumer, Start

CONFIG = """
[gateway]
state_dir = "state"
[[forwarders]]
name = "archive"
kind = "file"
path = "out.ndjson"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "tidegate.toml"
    path.write_text(CONFIG)
    return path


def said_of_the_spool(config: Path) -> list[tuple[Level, str]]:
    findings = examine(load(config, {}), config)
    return [(finding.level, finding.why) for finding in findings if finding.what.startswith("spool ")]


def test_the_command_copies_and_verifies(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def fill() -> None:
        spool = spool_in(tmp_path / "state", [Consumer("archive", Start.BEGINNING)])
        await spool.commit(submissions(batch_of(range(12))))
        await spool.close()

    trio.run(fill)
    command = ["spool", "backup", str(tmp_path / "copy.sqlite"), "--config", str(config)]
    assert main(command) == 0
    assert "12 records in 1 rows, verified" in capsys.readouterr().out
    assert main(command) == 1
    assert "it is there already" in capsys.readouterr().err


def test_check_says_before_an_upgrade_that_there_is_no_way_back(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spool_of_schema_1(tmp_path / "state")
    why = f"an older Tidegate wrote it (schema 1); the next start brings it to schema {SCHEMA_VERSION}, which that older one will refuse"
    assert said_of_the_spool(config) == [(Level.WARNING, why)]
    assert main(["spool", "backup", str(tmp_path / "copy.sqlite"), "--config", str(config)]) == 0
    assert "of an older Tidegate" in capsys.readouterr().out
    assert main(["spool", "status", "--config", str(config)]) == 1
    assert why in capsys.readouterr().err


def test_check_says_before_a_downgrade_that_it_will_be_refused(config: Path, tmp_path: Path) -> None:
    trio.run(spool_in(tmp_path / "state", []).close)
    connection = apsw.Connection(str(tmp_path / "state" / FILE_NAME))
    connection.execute("UPDATE head SET schema = ?", (SCHEMA_VERSION + 4,))
    connection.pragma("user_version", SCHEMA_VERSION + 4)
    connection.close()
    assert said_of_the_spool(config) == [(Level.ERROR, f"a newer Tidegate wrote it (schema {SCHEMA_VERSION + 4}, this one knows {SCHEMA_VERSION})")]
