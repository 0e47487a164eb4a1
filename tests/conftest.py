"""What every test shares: the `support` modules, Hypothesis' profiles, the extra corpus, where files go, and the rule that CI skips nothing.

variable               meaning
HYPOTHESIS_PROFILE     dev, ci or deep; else ci where CI is set, else dev
TIDEGATE_EXTRA_CORPUS  folder of further real inputs; tests/extra is collected only where it is set
CI                     set: a skipped test fails the run, since nobody reads why it was skipped
TMPDIR                 where tests keep their files; else in memory where there is room, since thousands of syncs of a disk prove nothing
"""

from __future__ import annotations

import os
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import Final

import pytest
from hypothesis import HealthCheck, settings

TESTS: Final = Path(__file__).parent

EXTRA_CORPUS: Final = os.environ.get("TIDEGATE_EXTRA_CORPUS")
IN_CI: Final = os.environ.get("CI", "") not in ("", "0", "false")

collect_ignore_glob: Final = [] if EXTRA_CORPUS else ["extra/*"]

HAS_KERBEROS: Final = find_spec("gssapi") is not None
"""Whether `make setup` could build the extra; in CI it has to."""

if not (HAS_KERBEROS or IN_CI):
    collect_ignore_glob.extend(("listeners/test_wef_kerberos.py", "gateway/test_simulate_wef_kerberos.py", "gateway/test_wef_refused.py"))

sys.path.insert(0, str(TESTS))

IN_MEMORY: Final = Path("/dev/shm")
ROOM: Final = 4 << 30


def keep_files_in_memory() -> None:
    """Power cuts are what `support.crashing_disk` is for; a process that is killed leaves what it has written here and there alike."""
    if "TMPDIR" in os.environ or not os.access(IN_MEMORY, os.W_OK):
        return
    found = os.statvfs(IN_MEMORY)
    if found.f_bavail * found.f_frsize >= ROOM and not found.f_flag & os.ST_NOEXEC:
        os.environ["TMPDIR"] = tempfile.tempdir = str(IN_MEMORY)


def compile_once() -> None:
    """Hundreds of gateways are started, each of which would compile all of itself where bytecode isn't written or the sources can't be written to."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ.setdefault("PYTHONPYCACHEPREFIX", str(TESTS.parent / ".cache" / "bytecode"))


keep_files_in_memory()
compile_once()

HAS_KAFKA: Final = (TESTS.parent / ".cache" / "kafka" / "lib").exists() and which("java") is not None
"""Whether `make test-setup` could fetch Kafka's own broker and Java can run it. Without it librdkafka's mock cluster stands in, as the header says."""

if not HAS_KAFKA:
    collect_ignore_glob.append("forwarders/test_kafka_cluster.py")


def pytest_report_header() -> str:
    """Say what isn't tested."""
    kerberos = "tested" if HAS_KERBEROS else "not tested, the extra `kerberos` isn't installed"
    return f"Kerberos: {kerberos}; Kafka: {'its own broker' if HAS_KAFKA else 'a mock cluster, there is no Java or no broker'}"


def pytest_configure() -> None:
    """Register Hypothesis' profiles and load the one asked for."""
    # two busy cores say nothing about an example, so nothing here is judged by the clock
    patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.register_profile("dev", patient, max_examples=50)
    settings.register_profile("ci", patient, max_examples=100, derandomize=True, database=None, print_blob=True)
    settings.register_profile("deep", patient, max_examples=5000)
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if IN_CI else "dev"))


class Skips:
    """Counts skipped tests, so that CI can refuse them."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            self.names.append(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self.names.append(report.nodeid)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.names and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for name in self.names:
            terminalreporter.write_line(f"skipped, which CI doesn't allow: {name}", red=True)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Watch for skips in CI."""
    if IN_CI:
        session.config.pluginmanager.register(Skips(), "refuse-skips")


@pytest.fixture(scope="session")
def extra_corpus() -> Path:
    """The folder of further real inputs; only tests below tests/extra may ask."""
    assert EXTRA_CORPUS, "TIDEGATE_EXTRA_CORPUS is not set: only tests below tests/extra may use this"
    return Path(EXTRA_CORPUS).resolve()
