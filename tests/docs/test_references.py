"""The pages that the program writes are as it would write them today."""

from __future__ import annotations

import os
import subprocess
import sys

from support.pages import ROOT


def test_generated_pages_are_up_to_date() -> None:
    command = [sys.executable, "docs/generate/references.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
