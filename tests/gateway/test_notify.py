"""systemd is told over the socket it names, and nobody minds where there is none."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from gateway.notify import READY, notify


def test_a_path(tmp_path: Path) -> None:
    path = str(tmp_path / "n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        assert notify({"NOTIFY_SOCKET": path}, READY, "STATUS=taking events")
        assert manager.recv(100) == b"READY=1\nSTATUS=taking events"


def test_an_abstract_address(tmp_path: Path) -> None:
    name = f"tidegate-{tmp_path.name}-{id(tmp_path)}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0{name}")
        assert notify({"NOTIFY_SOCKET": f"@{name}"}, READY)
        assert manager.recv(100) == b"READY=1"


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "relative"}, {"NOTIFY_SOCKET": "/no/such/socket"}])
def test_nobody_listens(environ: dict[str, str]) -> None:
    assert not notify(environ, READY)
