"""The unit file, judged by systemd's own tools."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from support import peers

UNIT = Path(__file__).parents[2] / "systemd" / "tidegate.service"


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    peer = peers.systemd_analyze()
    return subprocess.run([*peer.command, *arguments], env=peer.environment, capture_output=True, text=True, check=False)


def test_the_unit_is_valid(tmp_path: Path) -> None:
    program = tmp_path / "tidegate"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/tidegate/bin/tidegate", str(program)))
    judged = analyze("verify", "--man=no", "--recursive-errors=no", str(unit))
    assert (judged.returncode, judged.stderr) == (0, "")


def test_the_unit_exposes_little() -> None:
    judged = analyze("security", "--offline=true", "--no-pager", str(UNIT))
    exposure = re.search(r"exposure level for tidegate\.service: ([0-9.]+)", judged.stdout)
    assert exposure is not None, judged.stderr
    assert float(exposure[1]) <= 2.0
