"""The mock broker that librdkafka brings along, in a process of its own, so that it can be paused: it keeps its connections then and answers nothing.

python -m support.kafka_mock    says its address on stdout and serves until stdin ends
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from confluent_kafka import Producer

TESTS: Final = Path(__file__).parents[1]
PATIENCE_S: Final = 60


class MockBroker:
    """One that runs.

    address:  host:port.
    paused:   whether it does nothing now.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process: Final = process
        assert process.stdout is not None
        self.address: Final = process.stdout.readline().strip()
        self.paused = False

    def pause(self) -> None:
        """Stop in the middle of whatever it does."""
        self._process.send_signal(signal.SIGSTOP)
        self.paused = True

    def resume(self) -> None:
        """Go on from there."""
        self._process.send_signal(signal.SIGCONT)
        self.paused = False

    def make_topic(self, name: str) -> None:
        """A new topic: the mock makes it for whoever may ask that."""
        maker = Producer({"bootstrap.servers": self.address, "log_level": 0})
        while maker.list_topics(name, timeout=PATIENCE_S).topics[name].error is not None:
            maker.flush(0.01)
        maker.close()


@contextmanager
def mock_broker() -> Iterator[MockBroker]:
    """One on a free port."""
    environ = {**os.environ, "PYTHONPATH": str(TESTS)}
    command = [sys.executable, "-m", "support.kafka_mock"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ) as process:
        try:
            yield MockBroker(process)
        finally:
            process.kill()


if __name__ == "__main__":
    cluster = Producer({"bootstrap.servers": "none", "test.mock.num.brokers": 1, "log_level": 0})
    (broker,) = cluster.list_topics(timeout=PATIENCE_S).brokers.values()
    sys.stdout.write(f"{broker.host}:{broker.port}\n")
    sys.stdout.flush()
    sys.stdin.read()
    cluster.close()
