"""The tests' own tools are tested too: the peers start, the feeds lose nothing, and CI refuses what was skipped."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import peers
from support.feeds import Feed, feeds, octet_by_octet, whole

STARTS = [
    (peers.rsyslogd, "-v"),
    (peers.loggen, "--help"),
    (peers.logger, "--version"),
    (peers.systemd_analyze, "--version"),
    (peers.radclient, "-v"),
    (peers.freeradius, "-v"),
]


@pytest.mark.parametrize(("locate", "argument"), STARTS, ids=[locate.__name__ for locate, _ in STARTS])
def test_the_peers_start(locate: Callable[[], peers.Peer], argument: str) -> None:
    peer = locate()
    started = subprocess.run([*peer.command, argument], env=peer.environment, capture_output=True, text=True, check=False)
    assert (started.returncode, started.stderr) == (0, "")


def test_rsyslog_can_speak_tls() -> None:
    assert (peers.rsyslog_modules() / "lmnsd_ossl.so").exists()


@given(st.binary(max_size=200), feeds() | st.sampled_from([whole, octet_by_octet]))
def test_feeds_hand_on_every_octet_in_order(stream: bytes, feed: Feed) -> None:
    pieces = list(feed(stream))
    assert b"".join(pieces) == stream
    assert all(pieces)


@pytest.mark.parametrize(("ci", "code"), [("true", 1), ("", 0)], ids=["in CI", "elsewhere"])
def test_a_skip_fails_the_run_in_ci_alone(tmp_path: Path, ci: str, code: int) -> None:
    shutil.copy(Path(__file__).with_name("conftest.py"), tmp_path)
    (tmp_path / "test_skipped.py").write_text("import pytest\n\n\ndef test_skipped():\n    pytest.skip('why not')\n")
    environment = dict(os.environ) | {"CI": ci}
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--rootdir", tmp_path, tmp_path], env=environment, cwd=tmp_path, capture_output=True, check=False
    )
    assert ran.returncode == code, ran.stdout.decode()
