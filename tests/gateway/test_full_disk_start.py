"""A gateway that was killed on a full disk starts on it: it says why it isn't ready, delivers what it has, and takes in once there is room."""

from __future__ import annotations

import time
from pathlib import Path

from support.full_disk import Limit, small_disk
from support.gateway_process import GatewayProcess, running_gateway

from gateway.cli import main

CONFIG = """
[gateway]
state_dir = "disk/state"
drain = "2 s"
[listeners.syslog]
tcp = ["127.0.0.1:0"]
[[forwarders]]
name = "archive"
kind = "file"
path = "events.ndjson"
start = "beginning"
[metrics]
address = "127.0.0.1:0"
"""


def send(gateway: GatewayProcess, count: int, seed: int) -> None:
    host, port = gateway.address("listeners.syslog", "tcp")
    assert main(["simulate", "syslog", "--target", f"tcp://{host}:{port}", "--count", str(count), "--rate", "max", "--seed", str(seed)]) == 0
    gateway.await_received(count)


def test_it_starts_serves_and_recovers(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        silent, config = tmp_path / "silent.toml", tmp_path / "gateway.toml"
        (tmp_path / "a-file").touch()
        silent.write_text(CONFIG.replace("events.ndjson", "a-file/events.ndjson"))
        config.write_text(CONFIG)
        with running_gateway(silent, ready=2) as gateway:
            send(gateway, 20, seed=1)
            disk.fill(gateway.process.pid)
            gateway.process.kill()
        if isinstance(disk, Limit):  # ended with the process; without a file system of our own there is no other full disk
            return
        with running_gateway(config, ready=2) as gateway:
            gateway.await_delivered(20)
            disk.free(gateway.process.pid)
            send(gateway, 5, seed=2)
            gateway.await_delivered(25)
            while gateway.get("/readyz")[0] != 200:
                time.sleep(0)
            assert gateway.stop() == 0
        assert len((tmp_path / "events.ndjson").read_text().splitlines()) == 25
