"""WEF over TLS: a certificate endpoint, and `tidegate simulate wef` before it; batches of 200 events, each acknowledged after its commit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from string import Template
from typing import Final

from receivers import Receiver, python_path, tidegate
from rounds import Round, Sent, receive
from workload import FOLDER, Workload

from gateway.authority import make_authority

BATCH: Final = 200
MACHINES: Final = 4
CERTIFICATES: Final = FOLDER / "certificates"
LISTENER: Final = Template("""
[[listeners.wef.endpoints]]
address = "127.0.0.1:0"
url = "https://localhost:5986"
auth = "certificate"
certificate = "$folder/server.pem"
key = "$folder/server.key"
client_ca = ["$folder/ca.pem"]
[[listeners.wef.subscriptions]]
name = "identity"
max_items = $batch
max_envelope = "1 MiB"
max_time = "1 s"
read_existing = true
""")


def forward(workload: Workload, *, engine: str) -> Round:
    """One round of our listener by this engine; the workload's file isn't used, the simulator draws its events."""
    _certificates()

    def start(folder: Path) -> AbstractContextManager[Receiver]:
        extra = LISTENER.substitute(folder=CERTIFICATES, batch=BATCH)
        return tidegate(folder, "listeners.wef https", engine=engine, extra=extra)

    return receive(start, _simulate, workload)


def _simulate(workload: Workload, receiver: Receiver) -> Sent:
    options = {
        "--target": "https://localhost:5986",
        "--connect": f"127.0.0.1:{receiver.port}",
        "--ca": str(CERTIFICATES / "ca.pem"),
        "--authority": str(CERTIFICATES / "ca.pem"),
        "--authority-key": str(CERTIFICATES / "ca.key"),
        "--machines": str(MACHINES),
        "--rate": "max",
        "--count": str(workload.messages),
        "--seed": "1",
    }
    command = [sys.executable, "-m", "gateway", "simulate", "wef", *(word for pair in options.items() for word in pair), "--json"]
    done = subprocess.run(command, env=dict(os.environ) | {"PYTHONPATH": python_path()}, check=True, capture_output=True, text=True)  # noqa: S603 - ours
    facts = json.loads(done.stdout)
    return Sent(", ".join(f"{facts[name]:,} {name}" for name in ("batches", "resent") if name in facts))


def _certificates() -> None:
    if CERTIFICATES.exists():
        return
    CERTIFICATES.mkdir(parents=True)
    authority = make_authority("Tidegate bench")
    server = authority.issue("localhost", "127.0.0.1")
    for name, octets in {"ca.pem": authority.pem, "ca.key": authority.encode_key(), "server.pem": server.certificate, "server.key": server.key}.items():
        (CERTIFICATES / name).touch(0o600)
        (CERTIFICATES / name).write_bytes(octets)
