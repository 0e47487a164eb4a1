"""`tidegate check --live`: a gateway that answers is alive, whatever it lacks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from io import StringIO
from pathlib import Path

import pytest
import trio

from gateway.check.findings import Level
from gateway.check.live import examine_live
from gateway.cli import main
from gateway.config import Config, load
from gateway.control import Request, serve_control
from gateway.exit_code import ExitCode
from pipeline.log import LogSettings
from pipeline.log_lines import open_log


def config_in(folder: Path) -> Config:
    path = folder / "gateway.toml"
    path.write_text("[gateway]\nstate_dir = '.'\n")
    return load(path, {})


async def levels(config: Config, answer: Callable[[Request], Awaitable[object]], seconds: float = 30.0) -> list[Level]:
    """What is found of a gateway that answers so."""
    async with trio.open_nursery() as nursery:
        await nursery.start(serve_control, config.gateway.state_dir, {"status": answer}, open_log(StringIO(), LogSettings()))
        findings = await examine_live(config, seconds=seconds)
        nursery.cancel_scope.cancel()
    return [finding.level for finding in findings]


@pytest.mark.parametrize(
    ("status", "found"),
    [
        pytest.param({"name": "gw1", "version": "1", "gaps": []}, [Level.OK], id="ready"),
        pytest.param({"name": "gw1", "version": "1", "gaps": ["spool: full", "stopping"]}, [Level.OK, Level.WARNING, Level.WARNING], id="alive, not ready"),
        pytest.param(["?"], [Level.ERROR], id="something else"),
    ],
)
async def test_what_answers(tmp_path: Path, status: object, found: list[Level]) -> None:
    async def answer(_request: Request) -> object:
        return status

    assert await levels(config_in(tmp_path), answer) == found


async def test_one_that_hangs_is_not_alive(tmp_path: Path) -> None:
    async def answer(_request: Request) -> object:
        await trio.sleep_forever()

    assert await levels(config_in(tmp_path), answer, seconds=0.01) == [Level.ERROR]


def test_none_that_runs_fails_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config_in(tmp_path)
    assert main(["check", "--live", "--config", str(tmp_path / "gateway.toml")]) == ExitCode.FAILED
    assert "no gateway is running" in capsys.readouterr().out
