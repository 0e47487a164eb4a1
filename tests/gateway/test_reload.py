"""A reload as an operator does it: SIGHUP or `tidegate reload` to a gateway under load, and nobody connected to it notices more than what was changed."""

from __future__ import annotations

import re
import signal
import socket
import ssl
import time
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from threading import Event, Thread

import orjson
import pytest
import trustme
from support.events import SAMPLES, security
from support.gateway_process import GatewayProcess, running_gateway

from gateway.cli import main
from gateway.exit_code import ExitCode
from wire.event_xml import encode_event

CONFIG = """
[gateway]
state_dir = "state"
[listeners.syslog]
tcp = ["127.0.0.1:0"]
allow = ["127.0.0.0/8"]
[listeners.syslog.tls]
addresses = ["127.0.0.1:0"]
certificate = "server.pem"
key = "server.key"
[metrics]
address = "127.0.0.1:0"
[[forwarders]]
name = "archive"
kind = "file"
path = "archive.ndjson"
start = "beginning"
"""
SECOND = """
[[forwarders]]
name = "second"
kind = "file"
path = "second.ndjson"
"""
READY = 3
RELOADS = 9
LISTENER = 'listener="listeners.syslog"'


@pytest.fixture(name="config")
def _config(tmp_path: Path) -> Path:
    issue(trustme.CA(), tmp_path, "server")
    path = tmp_path / "gateway.toml"
    path.write_text(CONFIG)
    return path


def issue(authority: trustme.CA, folder: Path, name: str) -> None:
    certificate = authority.issue_cert("localhost")
    certificate.cert_chain_pems[0].write_to_path(folder / f"{name}.pem")
    certificate.private_key_pem.write_to_path(folder / f"{name}.key")
    authority.cert_pem.write_to_path(folder / f"{name}.ca.pem")


TEMPLATE = b"<13>Mar  1 10:00:00 dc1 " + encode_event(security("4776", dict(SAMPLES["4776"].data), record_id="RECORD"))


def messages(first: int, number: int) -> list[bytes]:
    """Each an event of its own."""
    return [TEMPLATE.replace(b"RECORD", b"%d" % at) for at in range(first, first + number)]


def framed(some: list[bytes]) -> bytes:
    return b"".join(b"%d %s" % (len(message), message) for message in some)


def archived(path: Path) -> Counter[str]:
    return Counter(orjson.loads(line)["metadata"]["uid"] for line in path.read_bytes().splitlines()) if path.exists() else Counter()


def reload(config: Path) -> int:
    return main(["reload", "--config", str(config)])


def results(gateway: GatewayProcess) -> tuple[float, float]:
    """How many were accepted, and how many refused."""
    found = gateway.counters("reloads_total")
    return found['tidegate_reloads_total{result="accepted"}'], found['tidegate_reloads_total{result="refused"}']


def trusting(folder: Path, name: str) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=folder / f"{name}.ca.pem")


class Load:
    """Senders that know of no reload, each with one connection for all it has to say until it is told that it is enough."""

    CHUNK = 20

    def __init__(self, sockets: list[socket.socket]) -> None:
        self.failed, self._sent, self._enough = list[BaseException](), [0] * len(sockets), Event()
        self._sockets = sockets
        self._threads = [Thread(target=self._send, args=(at, sock)) for at, sock in enumerate(sockets)]
        for thread in self._threads:
            thread.start()

    def _send(self, at: int, sock: socket.socket) -> None:
        try:
            while not self._enough.is_set():
                sock.sendall(framed(messages(at * 1_000_000 + self._sent[at], self.CHUNK)))
                self._sent[at] += self.CHUNK
        except OSError as error:
            self.failed.append(error)

    def end(self) -> int:
        """Close in good order; how many messages were sent."""
        self._enough.set()
        for thread, sock in zip(self._threads, self._sockets, strict=True):
            thread.join()
            sock.close()
        return sum(self._sent)


def under_load(number: int) -> Iterator[str]:
    """Configurations that differ in everything a syslog gateway can take over, one after the other."""
    for at in range(number):
        text = CONFIG.replace("archive.ndjson", ("archive.ndjson", "other.ndjson")[at % 2])
        text = text.replace('allow = ["127.0.0.0/8"]', ('allow = ["127.0.0.1"]', 'allow = ["127.0.0.0/8", "::1"]')[at % 2])
        yield text + (SECOND if at % 3 else "") + f'[normalize]\nlabels = ["reload:{at}"]\n'


def test_sighup_under_load_loses_no_data_of_a_connection(config: Path) -> None:
    folder = config.parent
    with running_gateway(config, ready=READY) as gateway:
        plain = [socket.create_connection(gateway.address("listeners.syslog", "tcp")) for _ in range(2)]
        secured = trusting(folder, "server").wrap_socket(socket.create_connection(gateway.address("listeners.syslog", "tls")), server_hostname="localhost")
        load = Load([*plain, secured])
        for number, text in enumerate(under_load(RELOADS), 1):
            config.write_text(text)
            gateway.process.send_signal(signal.SIGHUP)
            while results(gateway) != (number, 0):
                pass
        sent = load.end()
        gateway.await_received(sent)
        ended, refused = gateway.counters("connections_ended_total"), gateway.counters("connections_refused_total")
        assert gateway.stop() == 0
    assert (load.failed, ended, refused) == ([], {}, {})
    uids = archived(folder / "archive.ndjson") + archived(folder / "other.ndjson")
    assert len(uids) == uids.total() == sent > 0, "each once, in the one file or the other"


def test_forwarders_come_change_and_go(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = config.parent
    with running_gateway(config, ready=READY) as gateway, socket.create_connection(gateway.address("listeners.syslog", "tcp")) as sender:

        def send(first: int) -> None:
            sender.sendall(framed(messages(first, 10)))
            gateway.await_received(first + 9)

        send(1)
        for text, told in (
            (CONFIG + SECOND, "  forwarders.second\n"),  # new: from the next record on
            (CONFIG + SECOND.replace("second.ndjson", "moved.ndjson"), "  forwarders.second.path\n"),  # changed: goes on at its cursor
            (CONFIG, "  forwarders.second\n"),  # removed: keeps its place
            (CONFIG + SECOND, "  forwarders.second\n"),  # back: gets what it missed
        ):
            config.write_text(text)
            assert reload(config) == ExitCode.OK
            assert told in capsys.readouterr().out
            if "second" not in text:
                assert not any("second" in name for name in gateway.counters("destination_state"))
            send(int(gateway.counters("received_total")[f"tidegate_received_total{{{LISTENER}}}"]) + 1)
        assert main(["spool", "forget", "second", "--config", str(config)]) == ExitCode.FAILED
        assert gateway.stop() == 0
    files = [archived(folder / name) for name in ("archive.ndjson", "second.ndjson", "moved.ndjson")]
    assert [len(file) for file in files] == [file.total() for file in files] == [50, 30, 10]
    assert not files[1] & files[2]


def test_what_it_cannot_take_over_is_refused_whole(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = config.read_text()
    other = good + SECOND
    #   what is wrong                                                          and what is said
    wrong = {
        other.replace("[metrics]", "[metricks]"): ["metricks: unknown key; did you mean metrics?"],
        other + '[[forwarders]]\nname = "third"\n': ["forwarders[2]: kind is missing"],
        other + "[": ["is not TOML"],
        other.replace("server.key", "missing.key"): ["listeners.syslog.tls ", "No such file"],
        other.replace('state_dir = "state"', 'state_dir = "elsewhere"\nname = "gw2"'): ["gateway.name: can't change", "gateway.state_dir: can't change"],
        other.replace('tcp = ["127.0.0.1:0"]', 'tcp = ["127.0.0.1:0", "[::1]:0"]'): ["listeners.syslog.tcp: can't change while the gateway runs; restart it"],
        other + '[spool]\nmax_bytes = "1 GiB"\n[listeners.radius]\naddresses = ["127.0.0.1:0"]\n[[listeners.radius.clients]]\nname = "vpn1"\n'
        'cidr = "192.0.2.1"\nsecret = "env:PATH"\n': ["spool.max_bytes: can't change", "listeners.radius: can't change"],
        other.replace('state_dir = "state"', 'state_dir = "state"\nprofile = "nowhere.toml"'): ["nowhere.toml"],
    }
    with running_gateway(config, ready=READY) as gateway:
        for number, text in enumerate(wrong, 1):
            config.write_text(text)
            gateway.process.send_signal(signal.SIGHUP)
            while results(gateway) != (0, number):
                pass
            assert gateway.counters("reload_refused") == {"tidegate_reload_refused": 1.0}
        config.write_text(other.replace("server.key", "missing.key"))
        assert reload(config) == ExitCode.CONFIG
        assert re.fullmatch(r"tidegate: listeners\.syslog\.tls \S+, \S+missing\.key: No such file .*\n", capsys.readouterr().err)
        assert not any('second"' in name for name in gateway.counters("")), "nothing of it was taken over"
        config.write_text(good)
        assert reload(config) == ExitCode.OK
        assert "is as it was" in capsys.readouterr().out
        assert (results(gateway), gateway.counters("reload_refused")) == ((1, len(wrong) + 1), {"tidegate_reload_refused": 0.0})
        assert gateway.stop() == 0
        log = [orjson.loads(line) for line in gateway.log().splitlines()]
    told = ["; ".join(line["problems"]) for line in log if line["event"] == "configuration not reloaded, the former one stays"]
    for line, said in zip(told, wrong.values(), strict=False):
        assert all(part in line for part in said), line


def test_who_may_connect_and_by_which_certificate(config: Path) -> None:
    folder = config.parent
    issue(trustme.CA(), folder, "renewed")
    with running_gateway(config, ready=READY) as gateway:
        plain, secured = gateway.address("listeners.syslog", "tcp"), gateway.address("listeners.syslog", "tls")
        with socket.create_connection(plain) as before:
            before.sendall(framed(messages(1, 1)))
            gateway.await_received(1)
            config.write_text(CONFIG.replace('"127.0.0.0/8"', '"127.0.0.2"').replace('"server.', '"renewed.'))
            assert reload(config) == ExitCode.OK
            with socket.create_connection(plain) as refused:
                assert refused.recv(1) == b""
            sock = socket.create_connection(secured, source_address=("127.0.0.2", 0))
            with trusting(folder, "renewed").wrap_socket(sock, server_hostname="localhost") as sender:
                sender.sendall(framed(messages(2, 1)))
                gateway.await_received(2)
            before.sendall(framed(messages(3, 1)))
            gateway.await_received(3)
        assert gateway.stop() == 0


def test_events_are_normalized_by_what_is_in_force(config: Path) -> None:
    folder = config.parent
    unwanted = b"<13>Mar  1 10:00:00 dc1 " + encode_event(security("4624", dict(SAMPLES["4776"].data), record_id="9"))
    with running_gateway(config, ready=READY) as gateway, socket.create_connection(gateway.address("listeners.syslog", "tcp")) as sender:
        sender.sendall(framed([*messages(1, 1), unwanted]))
        gateway.await_received(2)
        config.write_text(
            CONFIG.replace('state_dir = "state"', 'state_dir = "state"\nkeep = "all"') + '[normalize]\nlabels = ["site:b"]\n[log]\nlevel = "error"\n'
        )
        assert reload(config) == ExitCode.OK
        sender.sendall(framed([*messages(2, 1), unwanted]))
        gateway.await_received(4)
        judged = gateway.counters("judged")
        assert gateway.stop() == 0
        assert "stopped" not in gateway.log(), "the level is in force too"
    records = [orjson.loads(line) for line in (folder / "archive.ndjson").read_bytes().splitlines()]
    assert [(record["metadata"]["event_code"], record["metadata"].get("labels")) for record in records] == [
        ("4776", None),
        ("4776", ["site:b"]),
        ("4624", ["site:b"]),
    ]
    assert judged == {"tidegate_judged": 4.0}, "since start, whichever normalizer it was"


def test_the_service_manager_is_told(config: Path, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0{tmp_path}")
        manager.settimeout(30)
        with running_gateway(config, ready=READY, environ={"NOTIFY_SOCKET": f"@{tmp_path}"}) as gateway:
            assert manager.recv(100) == b"READY=1"
            for text in (CONFIG, "["):
                config.write_text(text)
                before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
                gateway.process.send_signal(signal.SIGHUP)
                told = re.fullmatch(rb"RELOADING=1\nMONOTONIC_USEC=([0-9]+)", manager.recv(100))
                assert told is not None
                assert before <= int(told[1]) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
                assert manager.recv(100) == b"READY=1"
            config.write_text(CONFIG)
            assert gateway.stop() == 0


def test_nobody_to_ask(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert reload(config) == ExitCode.FAILED
    assert "no gateway is running on this state directory" in capsys.readouterr().err


def test_as_json(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with running_gateway(config, ready=READY) as gateway:
        config.write_text(CONFIG + SECOND)
        assert main(["reload", "--json", "--config", str(config)]) == ExitCode.OK
        assert orjson.loads(capsys.readouterr().out) == {"result": "accepted", "changed": ["forwarders.second"], "problems": []}
        config.write_text(CONFIG.replace("[metrics]", "[metricks]"))
        assert main(["reload", "--json", "--config", str(config)]) == ExitCode.CONFIG
        answer = orjson.loads(capsys.readouterr().out)
        assert (answer["result"], answer["problems"][0]["fix"]) == ("refused", "did you mean metrics?")
        assert gateway.stop() == 0


def test_a_stop_under_load_ends_in_time_with_everything_that_was_taken_on_disk(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """... while one destination hangs, and senders never stop: what was counted as received is in the spool, and comes out with the next start."""
    folder, stopping = config.parent, Event()
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        mute = f'[[forwarders]]\nname = "mute"\nkind = "http"\nprofile = "ndjson"\nurl = "http://127.0.0.1:{hanging.getsockname()[1]}/"\nstart = "beginning"\n'
        config.write_text(CONFIG.replace('state_dir = "state"', 'state_dir = "state"\ndrain = "2 s"') + mute)
        with running_gateway(config, ready=READY) as gateway:
            sock = socket.create_connection(gateway.address("listeners.syslog", "tcp"))

            def send() -> None:
                try:
                    for first in count(1, 10):
                        sock.sendall(framed(messages(first, 10)))
                except OSError:
                    stopping.set()

            sender = Thread(target=send)
            sender.start()
            gateway.await_received(2000)
            begun = time.monotonic()
            assert gateway.stop() == 0
            took = time.monotonic() - begun
            assert stopping.wait(30)
            sender.join()
            sock.close()
            log = [orjson.loads(line) for line in gateway.log().splitlines()]
    assert took < 2 + 10, "the drain, and what the last commit and ending a process may take"
    assert not any("not committed" in line["event"] for line in log)
    config.write_text(CONFIG)
    with running_gateway(config, ready=READY) as gateway:
        assert gateway.stop() == 0
    assert main(["spool", "verify", "--config", str(config)]) == ExitCode.OK
    capsys.readouterr()
    assert main(["spool", "status", "--json", "--config", str(config)]) == ExitCode.OK
    uids = archived(folder / "archive.ndjson")
    assert len(uids) == uids.total() == orjson.loads(capsys.readouterr().out)["head"] >= 2000
