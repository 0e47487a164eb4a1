"""A real Kafka: one node of the published jars (`make test-setup`) in KRaft mode, on free loopback ports; started in a few seconds.

    with KafkaNode(folder).running() as node:
        ...  # node.plain: no password, allowed everything; node.secure: SASL over TLS, users of USERS
        node.kill(); node.start()  # as a crash would; the same ports and data

Its certificate is of the authority in folder/ca.pem. Topics aren't made by asking for them.
"""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

import trustme
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AclBinding, AclOperation, AclPermissionType, AdminClient, NewTopic, ResourcePatternType, ResourceType
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

LIBRARIES: Final = Path(__file__).parents[2] / ".cache" / "kafka" / "lib"
PATIENCE_S: Final = 60

USERS: Final = {"tidegate": "its own password", "stranger": "another password"}
CLUSTER: Final = "MkU3OEVBNTcwNTJENDM2Qg"

PROPERTIES: Final = """\
process.roles=broker,controller
node.id=1
listeners=PLAIN://127.0.0.1:{plain},SECURE://127.0.0.1:{secure},CONTROLLER://127.0.0.1:{controller}
listener.security.protocol.map=PLAIN:PLAINTEXT,SECURE:SASL_SSL,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAIN
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
listener.name.secure.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512
listener.name.secure.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required {users};
listener.name.secure.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.secure.ssl.keystore.type=PEM
listener.name.secure.ssl.keystore.location={folder}/kafka.pem
log.dirs={folder}/data
auto.create.topics.enable=false
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=1000
broker.heartbeat.interval.ms=200
num.network.threads=1
num.io.threads=2
background.threads=1
log.cleaner.enable=false
"""
JAVA: Final = (
    *("java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"),
    *("-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", f"{LIBRARIES}/*"),
)


class KafkaNode:
    """Broker and controller in one process.

    Args:
        folder: where its data and certificate are.
    """

    def __init__(self, folder: Path) -> None:
        self._folder: Final = folder
        plain, secure, controller = free_ports(3)
        self.plain, self.secure = f"127.0.0.1:{plain}", f"127.0.0.1:{secure}"
        authority = trustme.CA()
        self.authority: Final = folder / "ca.pem"
        authority.cert_pem.write_to_path(str(self.authority))
        issued = authority.issue_cert("127.0.0.1")
        key = load_pem_private_key(issued.private_key_pem.bytes(), None).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())  # all Java reads
        (folder / "kafka.pem").write_bytes(key + b"".join(pem.bytes() for pem in issued.cert_chain_pems))
        users = " ".join(f'user_{name}="{password}"' for name, password in USERS.items())
        self._properties: Final = folder / "server.properties"
        self._properties.write_text(PROPERTIES.format(plain=plain, secure=secure, controller=controller, users=users, folder=folder))
        self._process: subprocess.Popen[bytes] | None = None

    @contextmanager
    def running(self) -> Iterator[Self]:
        """Serve until left."""
        scram = [f"--add-scram=SCRAM-SHA-512=[name={name},password={password}]" for name, password in USERS.items()]
        command = [*JAVA, "kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c", str(self._properties), "--standalone", *scram]
        subprocess.run(command, check=True, capture_output=True)
        self.start()
        try:
            yield self
        finally:
            self.kill()

    def start(self) -> None:
        """Come up; returns once it answers."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen([*JAVA, "kafka.Kafka", str(self._properties)], stdout=log, stderr=log)
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                AdminClient({"bootstrap.servers": self.plain, "log_level": 0}).list_topics(timeout=1)
            except KafkaException:
                if time.monotonic() > until or self._process.poll() is not None:
                    raise
                time.sleep(0.05)
            else:
                return

    def kill(self) -> None:
        """End at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def make_topic(self, name: str, *, partitions: int = 3, **settings: str) -> str:
        """A new topic; settings with `_` for `.`."""
        config = {key.replace("_", "."): value for key, value in settings.items()}
        admin = self._admin()  # its answers end with it
        admin.create_topics([NewTopic(name, partitions, 1, config=config)])[name].result()
        while admin.list_topics(name, timeout=PATIENCE_S).topics[name].error is not None:  # the controller knows before the broker does
            time.sleep(0.01)
        return name

    def allow(self, user: str, topic: str, *operations: AclOperation) -> None:
        """Let a user do something with a topic."""
        bindings = [
            AclBinding(ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, f"User:{user}", "*", operation, AclPermissionType.ALLOW)
            for operation in operations
        ]
        admin = self._admin()
        for done in admin.create_acls(bindings).values():
            done.result()

    def _admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.plain, "log_level": 0})


def read_topic(servers: str, topic: str) -> Mapping[int, list[tuple[bytes | None, bytes]]]:
    """Key and value of every message of a topic, by partition, in order."""
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "test", "enable.auto.commit": False, "log_level": 0})
    try:
        partitions = consumer.list_topics(topic, timeout=PATIENCE_S).topics[topic].partitions
        found: dict[int, list[tuple[bytes | None, bytes]]] = {number: [] for number in partitions}
        ends = {number: _end(consumer, TopicPartition(topic, number)) for number in partitions}
        consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        while any(len(found[number]) < end for number, end in ends.items()):
            message = consumer.poll(PATIENCE_S)
            assert message is not None
            assert message.error() is None
            number, value = message.partition(), message.value()
            assert number is not None
            found[number].append((message.key(), value or b""))
        return found
    finally:
        consumer.close()


def _end(consumer: Consumer, partition: TopicPartition) -> int:
    """Where a partition ends, once it has a leader: a broker that just came up takes a moment to become it."""
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            return int(consumer.get_watermark_offsets(partition, timeout=PATIENCE_S)[1])
        except KafkaException as error:
            if error.args[0].name() != "NOT_LEADER_FOR_PARTITION" or time.monotonic() > until:
                raise
            time.sleep(0.05)


def free_ports(number: int) -> list[int]:
    """Ports nobody has now: Kafka has to be told its own."""
    probes = [socket.socket() for _ in range(number)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports
