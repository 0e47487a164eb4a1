"""`tidegate bench`: what it finds on real sockets and disks adds up, it leaves nothing behind, and what it wrote is read again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import asdict, fields, replace
from pathlib import Path

import orjson
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from support.measurements import REPORT, measured

from gateway.bench.host import find_filesystem, read_host
from gateway.bench.measure import _measure_without_loss, choose_place, quantile
from gateway.bench.report import MAX_FILE, Measured, encode_report, parse_report, read_report, render_report
from gateway.bench.rows import ROWS, Load, choose_rows
from gateway.cli import main
from pipeline.errors import ConfigError

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_row_measures_events_that_are_all_kept(row: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = row.name  # type: ignore[attr-defined]  # of the table
    place = tmp_path / "place"
    place.mkdir()
    code = main(["bench", "--rows", name, "--seconds", "0.4", "--folder", str(place), "--json", "--set", f"gateway.state_dir={tmp_path / 'state'}"])
    said = capsys.readouterr()
    report = parse_report(said.out.encode())
    (found,) = report.rows
    assert (code, found.row, found.rejected, said.err) == (0, name, 0, "")
    assert found.events > 0
    assert found.record_octets > 300
    assert 0 < found.stored_octets < found.record_octets
    assert found.cpu_us > 0
    assert 0 < found.idle_mb <= found.peak_mb
    assert found.commits > 0
    assert 0 < found.commit_p50_ms <= found.commit_p99_ms
    assert list(place.iterdir()) == []
    assert not (tmp_path / "state").exists()
    assert name in render_report(report)


def test_noise_is_taken_in_and_not_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--rows", "tcp-event-xml", "--noise", "1", "--seconds", "0.2", "--folder", str(tmp_path), "--json"]) == 0
    (found,) = parse_report(capsys.readouterr().out.encode()).rows
    assert found.events > 0
    assert (found.stored_octets, found.record_octets) == (0.0, 0.0)


def test_variables_of_another_gateway_do_not_reach_it(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGATE_METRICS__ADDRESS", "192.0.2.1:1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "none"))
    assert main(["bench", "--rows", "tcp-cef", "--seconds", "0.2", "--folder", str(tmp_path)]) == 0
    assert "tcp-cef" in capsys.readouterr().out


def test_told_to_stop_it_leaves_nothing_behind(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "gateway", "bench", "--rows", "tcp-event-xml", "--seconds", "60", "--folder", str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        while not list(tmp_path.glob("tidegate-bench-*/state/control.sock")):
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 130
        assert process.stderr is not None
        assert process.stderr.read() == ""
    assert list(tmp_path.iterdir()) == []


def test_a_measured_gateway_ends_with_whoever_started_it(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "gateway.bench.child",
        "run",
        "--set",
        f"gateway.state_dir={tmp_path / 'state'}",
        "--set",
        'listeners.syslog={tcp=["127.0.0.1:0"]}',
    ]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline()
        process.stdin.close()
        assert process.wait(30) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        pytest.param(("--rows", "tcp-event-xml,x"), 78, "row 'x': there is none such; choose of tcp-event-xml", id="no such row"),
        pytest.param(("--folder", "/nowhere"), 78, "/nowhere: can't be written to", id="no such folder"),
        pytest.param(("--seconds", "0"), 2, "--seconds", id="no time"),
        pytest.param(("--noise", "2"), 2, "--noise", id="more noise than all"),
    ],
)
def test_mistakes_are_told_in_one_line(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: int, said: str) -> None:
    assert main(["bench", *arguments]) == code
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


def test_rows_come_in_the_order_of_the_table() -> None:
    assert [row.name for row in choose_rows("radius, wef")] == ["wef", "radius"]
    assert choose_rows(None) == ROWS


def test_the_place_is_beside_the_state_directory_where_that_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose_place(tmp_path / "a/b/state", None).folder == tmp_path
    assert choose_place(tmp_path, None).beside
    monkeypatch.setattr("gateway.bench.measure.LEAST_ROOM", 1 << 60)
    with pytest.raises(ConfigError, match="free"):
        choose_place(tmp_path, None)


async def test_a_pace_is_found_at_which_nothing_is_lost() -> None:
    async def alone(load: Load) -> Measured:
        await trio.lowlevel.checkpoint()
        rate = 5000.0 if load.rate is None else load.rate
        return replace(measured("udp"), events=int(rate * load.seconds), seconds=load.seconds, lost=int(max(0.0, rate - 3500)))

    found = await _measure_without_loss(alone, Load(10.0))
    assert found.lost == 0
    assert 2800 <= found.rate <= 3500


async def test_where_something_is_always_lost_the_slowest_pace_says_so() -> None:
    async def alone(load: Load) -> Measured:
        await trio.lowlevel.checkpoint()
        return replace(measured("udp"), lost=1)

    assert (await _measure_without_loss(alone, Load(1.0))).lost == 1


@pytest.mark.parametrize(
    ("share", "seconds"),
    [pytest.param(0.5, 0.0015, id="within a bucket"), pytest.param(0.9, 0.002, id="at its end"), pytest.param(1.0, 0.002, id="beyond the last bound")],
)
def test_quantiles_of_a_histogram(share: float, seconds: float) -> None:
    assert quantile([(0.001, 10.0), (0.002, 90.0), (float("inf"), 100.0)], share) == pytest.approx(seconds)
    assert quantile([(0.001, 0.0), (float("inf"), 0.0)], share) == 0
    assert quantile([], share) == 0


def test_the_file_system_is_the_deepest_and_last_mounted() -> None:
    mounts = """\
22 1 252:1 / / rw - ext4 /dev/vda rw
30 22 0:26 / /var/lib rw shared:1 - xfs /dev/vdb rw
31 22 0:27 / /var/lib rw - btrfs /dev/vdc rw
32 22 0:28 / /with\\040space rw - tmpfs tmpfs rw
nonsense
"""
    found = [find_filesystem(mounts, Path(path)) for path in ("/home/x", "/var/lib/tidegate", "/var/library", "/with space/x")]
    assert found == ["ext4", "btrfs", "ext4", "tmpfs"]
    assert find_filesystem("", Path("/")) == ""


def test_this_host_has_cores_and_memory(tmp_path: Path) -> None:
    host = read_host(tmp_path)
    assert 0 < host.cores <= (os.cpu_count() or 1)
    assert host.memory_mb > 0


AMOUNT = st.floats(0, 1e12, allow_nan=False)
COUNT = st.integers(0, 10**12)
SPECIAL = {"row": st.text(max_size=40), "listener": st.text(max_size=40), "transport": st.text(max_size=40), "layout": st.text(max_size=40)}
MEASURED = st.builds(
    Measured,
    **{field.name: SPECIAL.get(field.name, COUNT if field.name in ("events", "lost", "rejected", "commits") else AMOUNT) for field in fields(Measured)},
)


@given(st.lists(MEASURED, max_size=4))
def test_what_was_written_is_read_again(rows: list[Measured]) -> None:
    report = replace(REPORT, rows=tuple(rows))
    assert parse_report(encode_report(report).encode()) == report
    assert render_report(report).endswith("\n")


LEAF = st.none() | st.integers(-(2**53), 2**53) | st.text(max_size=8)
VALUE = st.recursive(
    LEAF, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*asdict(REPORT), "x"]), inner, max_size=8), max_leaves=12
)


@given(st.binary(max_size=200) | VALUE.map(orjson.dumps))
def test_any_octets_are_a_report_or_a_value_error(octets: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_report(octets)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param({"schema": 2}, "schema 2", id="of a newer version"),
        pytest.param({"rows": [asdict(REPORT.rows[0]) | {"cpu_us": -1}]}, "rows.0.cpu_us", id="a negative cost"),
        pytest.param({"rows": [asdict(REPORT.rows[0]) | {"seconds": "NaN"}]}, "rows.0.seconds", id="no number"),
        pytest.param({"rows": [asdict(REPORT.rows[0])] * 65}, "rows", id="endless"),
    ],
)
def test_a_changed_measurement_is_refused(tmp_path: Path, change: dict[str, object], said: str) -> None:
    path = tmp_path / "m.json"
    path.write_bytes(orjson.dumps(asdict(REPORT) | change))
    with pytest.raises(ConfigError, match=said):
        read_report(path)
    path.write_bytes(b" " * (MAX_FILE + 1))
    with pytest.raises(ConfigError, match="larger"):
        read_report(path)
