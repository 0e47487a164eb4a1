"""Check finds what would keep a gateway from running, says what to do, and changes nothing."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
import trustme

from gateway.bench.host import Host
from gateway.check.examinations import EXAMINATIONS, examine, render_findings, verdict
from gateway.check.findings import Finding, Level
from gateway.cli import main
from gateway.config import load
from gateway.exit_code import ExitCode

CA = trustme.CA()
NOW = datetime(2026, 6, 1, tzinfo=UTC)

BASE = """
[gateway]
state_dir = "state"
[spool]
max_bytes = "1 MiB"
[listeners.syslog]
tcp = ["127.0.0.1:0"]
connections = 10
"""
ARCHIVE = '[[forwarders]]\nname = "archive"\nkind = "file"\npath = "out/events.ndjson"\n'
TLS = '[listeners.syslog.tls]\naddresses = ["127.0.0.1:0"]\ncertificate = "server.pem"\nkey = "server.key"\n'


NOT_CONCERNED = [
    "secret-files",
    "socket-units",
    "windows-forwarding",
    "senders",
    "radius-secrets",
    "relay-secrets",
    "receive-buffer",
    "forwarders-tls",
    "kafka",
]
HOST = Host("a processor", 4.0, 8192, "Linux", "ext4")


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A good one, whatever the tests run on."""
    monkeypatch.setattr("gateway.check.machine.read_host", lambda _: HOST)
    for module in ("addresses", "machine"):
        monkeypatch.setattr(f"gateway.check.{module}.read_units", tuple)


def findings(folder: Path, text: str) -> tuple[Finding, ...]:
    path = folder / "gateway.toml"
    path.write_text(text)
    return examine(load(path, {}), path, now=NOW)


def certificate(folder: Path, *, not_before: datetime = NOW - timedelta(days=1), not_after: datetime = NOW + timedelta(days=365)) -> None:
    issued = CA.issue_cert("gateway.contoso.example", not_before=not_before, not_after=not_after)
    issued.cert_chain_pems[0].write_to_path(str(folder / "server.pem"))
    issued.private_key_pem.write_to_path(str(folder / "server.key"))
    (folder / "server.key").chmod(0o600)


def test_a_good_configuration(tmp_path: Path) -> None:
    certificate(tmp_path)
    found = findings(tmp_path, BASE + TLS + ARCHIVE)
    (unknown,) = [finding for finding in found if finding.level is not Level.OK]
    assert (unknown.level, unknown.check) == (Level.UNKNOWN, "certificates")  # whether clients have its issuer
    assert [examination.name for examination in EXAMINATIONS if examination.name not in {finding.check for finding in found}] == NOT_CONCERNED
    assert verdict(found, strict=True) == ExitCode.OK
    assert {entry.name for entry in tmp_path.iterdir()} == {"gateway.toml", "server.pem", "server.key"}


def no_key(folder: Path) -> None:
    certificate(folder)
    (folder / "server.key").unlink()


def another_key(folder: Path) -> None:
    certificate(folder)
    CA.issue_cert("x.contoso.example").private_key_pem.write_to_path(str(folder / "server.key"))


def readable_key(folder: Path) -> None:
    certificate(folder)
    (folder / "server.key").chmod(0o644)


def open_state(folder: Path) -> None:
    (folder / "state").mkdir(mode=0o755)


def state_is_a_file(folder: Path) -> None:
    (folder / "state").touch()


def damaged_spool(folder: Path) -> None:
    (folder / "state").mkdir(mode=0o700)
    (folder / "state/spool.sqlite").write_bytes(b"no database" * 100)


def nothing(_folder: Path) -> None:
    """The configuration itself is the case."""


TWICE = ARCHIVE + ARCHIVE.replace("archive", "copy")
JOINED = ARCHIVE + 'enrich = ["vpn-by-ip"]\n'


def valid(first: int, last: int) -> Callable[[Path], None]:
    """Makes a certificate that is valid between these days from now."""
    return lambda folder: certificate(folder, not_before=NOW + timedelta(days=first), not_after=NOW + timedelta(days=last))


WARNING, ERROR = Level.WARNING, Level.ERROR

#   made before        added   level    words                     why
CASES: list[tuple[Callable[[Path], None], str, Level, str, str]] = [
    (nothing,          "",     WARNING, "records are dropped",    "no forwarders"),
    (nothing,          TWICE,  ERROR,   "the file of archive",    "two write one file"),
    (nothing,          JOINED, WARNING, "RADIUS accounting",      "a join of nothing"),
    (no_key,           TLS,    ERROR,   "server.key",             "no key"),
    (another_key,      TLS,    ERROR,   "server.pem",             "another certificate's key"),
    (readable_key,     TLS,    WARNING, "chmod o=",             "a key for everybody"),
    (valid(-9, -1),    TLS,    ERROR,   "expired on 2026-05-31",  "expired"),
    (valid(-9, 9),     TLS,    WARNING, "expires on 2026-06-10",  "expires soon"),
    (valid(9, 99),     TLS,    ERROR,   "isn't valid before",     "not valid yet"),
    (open_state,       "",     WARNING, "chmod 0700",             "state for everybody"),
    (state_is_a_file,  "",     ERROR,   "can't be written to",    "state is no folder"),
    (damaged_spool,    "",     ERROR,   "spool",                  "a damaged spool"),
]  # fmt: skip


@pytest.mark.parametrize(("prepare", "added", "level", "words"), [case[:4] for case in CASES], ids=[case[4] for case in CASES])
def test_findings(tmp_path: Path, prepare: Callable[[Path], None], added: str, level: Level, words: str) -> None:
    prepare(tmp_path)
    found = findings(tmp_path, BASE + added)
    assert any(finding.level is level and words in f"{finding.what}: {finding.why}; {finding.fix}" for finding in found)
    assert all(finding.fix or finding.level is Level.OK or level is Level.ERROR for finding in found)


def test_an_unknown_profile(tmp_path: Path) -> None:
    found = findings(tmp_path, BASE.replace("[spool]", 'profile = "aatp-2002"\n[spool]'))
    assert any(finding.level is Level.ERROR and "aatp-2020" in finding.fix for finding in found)


def test_an_address_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        found = findings(tmp_path, BASE.replace("127.0.0.1:0", f"127.0.0.1:{taken.getsockname()[1]}"))
    (finding,) = [finding for finding in found if finding.level is Level.ERROR]
    assert finding.what.startswith("listeners.syslog tcp 127.0.0.1:")
    assert finding.fix


def test_too_little_room(tmp_path: Path) -> None:
    found = findings(tmp_path, BASE.replace("1 MiB", "1000000 TiB"))
    assert any(finding.level is Level.WARNING and finding.what == "spool.max_bytes" for finding in found)


def test_a_small_receive_buffer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rmem_max").write_text("212992\n")
    monkeypatch.setattr("gateway.check.machine.RMEM_MAX", tmp_path / "rmem_max")
    (tmp_path / "status").write_text("Name:\tx\nCapEff:\t0000000000000000\n")
    monkeypatch.setattr("gateway.check.machine.CAPABILITIES", tmp_path / "status")
    text = BASE.replace("tcp", "udp")
    assert any(finding.level is Level.WARNING and "rmem_max=16777216" in finding.fix for finding in findings(tmp_path, text))
    (tmp_path / "status").write_text("Name:\tx\nCapEff:\t0000000000001000\n")
    assert not any("rmem_max" in finding.fix for finding in findings(tmp_path, text))


def test_more_connections_than_descriptors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _: (100, 100))
    assert any(finding.what == "open files" for finding in findings(tmp_path, BASE))


def test_verdicts() -> None:
    ok, unknown, warning, error = (Finding(level, "a", "b") for level in Level)
    assert verdict([ok, unknown], strict=True) == ExitCode.OK
    assert verdict([ok, warning], strict=False) == ExitCode.OK
    assert verdict([ok, warning], strict=True) == ExitCode.WARNINGS
    assert verdict([error, warning], strict=True) == ExitCode.FAILED


def test_findings_as_lines() -> None:
    found = [Finding(Level.OK, "a", "b\x1b"), Finding(Level.ERROR, "c", "d", "e")]
    assert render_findings(found, as_json=False, colour=False) == "ok      a: b\\x1b\nerror   c: d; e\n"
    assert "\x1b[31merror" in render_findings(found, as_json=False, colour=True)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {**os.environ, "TIDEGATE_CONFIG": str(tmp_path / "gateway.toml")})
    (tmp_path / "gateway.toml").write_text(BASE)
    assert main(["check", "--json"]) == ExitCode.OK
    assert "warning" in {finding["level"] for finding in orjson.loads(capsys.readouterr().out)}
    assert main(["check", "--strict"]) == ExitCode.WARNINGS
    (tmp_path / "state").touch()
    assert main(["check", "--strict"]) == ExitCode.FAILED
