"""The whole gateway before next hops that nobody here wrote, rsyslog over TLS and librdkafka's mock cluster: each gets every event once."""

from __future__ import annotations

import re
import socket
from functools import partial
from pathlib import Path

import orjson
import trio
import trustme
from confluent_kafka import Producer
from support.events import SAMPLES
from support.gateway_process import running_gateway
from support.kafka import read_topic
from support.rsyslog_receiver import RsyslogReceiver

from wire.event_xml import encode_event

EVENTS = [encode_event(event) for event in SAMPLES.values()]

CONFIG = """
[gateway]
state_dir = "state"
[listeners.syslog]
tcp = ["127.0.0.1:0"]
[metrics]
address = "127.0.0.1:0"
[[forwarders]]
name = "siem"
kind = "syslog"
address = "tls://127.0.0.1:{port}"
tls = {{ ca = ["ca.pem"] }}
[[forwarders]]
name = "kafka"
kind = "kafka"
servers = ["{servers}"]
topic = "identity"
payload = "leef"
"""


def pass_through(config: Path) -> int:
    """Run a gateway until both next hops have everything; its exit code."""
    with running_gateway(config, ready=2) as gateway:
        with socket.create_connection(gateway.address("listeners.syslog", "tcp")) as sock:
            sock.sendall(b"".join(b"%d %s" % (len(event), event) for event in EVENTS))
        gateway.await_delivered(2 * len(EVENTS))
        return gateway.stop()


async def test_rsyslog_and_kafka_get_every_event(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(str(tmp_path / "receiver.key"))
    (tmp_path / "receiver.pem").write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
    cluster = Producer({"bootstrap.servers": "none", "test.mock.num.brokers": 1, "log_level": 0})
    (broker,) = cluster.list_topics("identity", timeout=60).brokers.values()
    servers = f"{broker.host}:{broker.port}"
    receiver = RsyslogReceiver(tmp_path, tls=True)
    async with receiver.running():
        (tmp_path / "gateway.toml").write_text(CONFIG.format(port=receiver.address[1], servers=servers))
        assert await trio.to_thread.run_sync(pass_through, tmp_path / "gateway.toml") == 0
        received = await receiver.until(lambda received: received.count(b"\n") == len(EVENTS))
    uids = {orjson.loads(line.split(b" - ", 2)[2])["metadata"]["uid"] for line in received.splitlines()}
    kept = await trio.to_thread.run_sync(partial(read_topic, servers, "identity"))
    values = [value.decode() for messages in kept.values() for _, value in messages]
    cluster.close()
    assert len(uids) == len(EVENTS)
    assert {found[1] for value in values if (found := re.search(r"\tuid=([0-9a-f-]{36})(?:\t|$)", value))} == uids
    assert len(values) == len(EVENTS)
