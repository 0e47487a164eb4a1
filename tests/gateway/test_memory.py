"""What the gateway's memory does while its destinations are down: it grows by the duplicate table, which is bounded, and by no record."""

from __future__ import annotations

import re
import socket
import time
from itertools import cycle, islice
from pathlib import Path
from random import Random

from support.gateway_process import GatewayProcess, running_gateway

from gateway.simulate.events import generate_events
from gateway.simulate.messages import Header, Message, encode_messages
from wire.layouts.detect import BY_NAME
from wire.syslog_framing import Framing

CONFIG = """
[gateway]
state_dir = "state"
[log]
level = "error"
[listeners.syslog]
tcp = ["127.0.0.1:0"]
[metrics]
address = "127.0.0.1:0"
[[forwarders]]
name = "refused"
kind = "http"
profile = "ndjson"
url = "http://127.0.0.1:{refused}/"
start = "beginning"
retry = {{ first = "50 ms", longest = "200 ms" }}
[[forwarders]]
name = "hanging"
kind = "http"
profile = "ndjson"
url = "http://127.0.0.1:{hanging}/"
start = "beginning"
retry = {{ first = "50 ms", longest = "200 ms", timeout = "1 s" }}
[[forwarders]]
name = "sensor"
kind = "sensor"
layout = "splunk"
address = "tcp://127.0.0.1:{refused}"
start = "beginning"
retry = {{ first = "50 ms", longest = "200 ms" }}
"""
READY = 2
TEMPLATES, FIRST_ID, AT_ONCE = 1000, 1_000_000, 1000
WARM, COUNT = 60_000, 160_000
KEY_OCTETS = 64
"""What the duplicate table needs for a key: 16 octets as they are stored, and a place in a set that is half empty at worst (24 octets)."""
NOISE_OCTETS = 40 << 20
"""What the allocator and batches under way may come to, whatever went before; the records would be four times as much."""

RESIDENT = re.compile(r"VmRSS:\s+([0-9]+) kB")


def messages_from(pool: list[Message], first: int, count: int) -> bytes:
    return b"".join(message.encode_numbered(FIRST_ID + first + place) for place, message in enumerate(islice(cycle(pool), count)))


def resident(gateway: GatewayProcess) -> int:
    found = RESIDENT.search(Path(f"/proc/{gateway.process.pid}/status").read_text())
    assert found
    return int(found[1]) * 1024


def test_memory_is_bounded_while_every_destination_is_down(tmp_path: Path) -> None:
    events = generate_events(Random(5), time.time_ns)
    pool = list(islice(encode_messages(events, BY_NAME["event-xml"], Header.RFC5424, Framing.OCTET_COUNTING), TEMPLATES))
    with socket.socket() as refused, socket.socket() as hanging:
        refused.bind(("127.0.0.1", 0))  # and doesn't listen
        hanging.bind(("127.0.0.1", 0))
        hanging.listen()  # and takes nobody in
        (tmp_path / "gateway.toml").write_text(CONFIG.format(refused=refused.getsockname()[1], hanging=hanging.getsockname()[1]))
        with running_gateway(tmp_path / "gateway.toml", ready=READY) as gateway:
            warm = 0
            with socket.create_connection(gateway.address("listeners.syslog", "tcp")) as sender:
                for first in range(0, COUNT, AT_ONCE):
                    sender.sendall(messages_from(pool, first, AT_ONCE))
                    if first + AT_ONCE in (WARM, COUNT):
                        gateway.await_received(first + AT_ONCE)
                        warm = warm or resident(gateway)
            grown = resident(gateway) - warm
            counted = gateway.counters("")
            gateway.process.kill()
    assert counted["tidegate_committed_total"] == COUNT
    assert not any(value for name, value in counted.items() if name.startswith("tidegate_delivered_total"))
    assert sum(value for name, value in counted.items() if name.startswith("tidegate_delivery_failures_total")) >= 3
    assert grown < (COUNT - WARM) * KEY_OCTETS + NOISE_OCTETS, f"{grown / (COUNT - WARM):.0f} octets for each event of {len(messages_from(pool, 0, 1))}"
