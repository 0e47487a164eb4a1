"""`tidegate size`: verdicts in the words of the product's tool, gateways by what was measured, and the command itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from support.measurements import REPORT, measured

from gateway.bench.report import encode_report
from gateway.cli import main
from gateway.size.capacity import load_capacity
from gateway.size.gateway import Demand, GatewaySize, size_gateway
from gateway.size.packets import Traffic
from gateway.size.sensor import Free, Verdict, plan_sensors, size_sensor
from pipeline.errors import ConfigError

CAPACITY = load_capacity()
DAY = 86_400.0


def traffic(busy: float, mean: float | None = None, seconds: float = DAY) -> Traffic:
    return Traffic("dc01", busy, 0.0, busy if mean is None else mean, busy, 17280, 5.0, seconds)


@pytest.mark.parametrize("profile", CAPACITY.profiles, ids=lambda profile: profile.name)
def test_tables_rise(profile: object) -> None:
    named = CAPACITY.profile(profile.name)  # type: ignore[attr-defined]  # parametrized with what the file has
    assert [step.up_to for step in named.steps] == sorted({step.up_to for step in named.steps})
    assert all(earlier.cores <= later.cores and earlier.memory_gb <= later.memory_gb for earlier, later in zip(named.steps, named.steps[1:], strict=False))


@pytest.mark.parametrize(
    ("seen", "free", "profile", "verdict", "cores"),
    [
        pytest.param(traffic(900), Free(0.25, 2.5), "aatp-2020", Verdict.YES, 0.25, id="just enough"),
        pytest.param(traffic(1000), Free(0.25, 2.5), "aatp-2020", Verdict.YES, 0.25, id="a step's end is in it"),
        pytest.param(traffic(1001), Free(0.25, 6.0), "aatp-2020", Verdict.YES_WITH_MORE, 0.75, id="a core short"),
        pytest.param(traffic(15_000), Free(4, 8.0), "aatp-2020", Verdict.YES_WITH_MORE, 2.0, id="memory short"),
        pytest.param(traffic(15_000, mean=1000), Free(4, 16.0), "aatp-2020", Verdict.MAYBE, 2.0, id="far above the mean"),
        pytest.param(traffic(60_001), Free(16, 64.0), "aatp-2020", Verdict.MAYBE, 3.5, id="above 60,000"),
        pytest.param(traffic(80_000), Free(4, 64.0), "mdi-current", Verdict.MAYBE_WITH_MORE, 7.5, id="above 60,000 and short"),
        pytest.param(traffic(100_001), Free(64, 512.0), "mdi-current", Verdict.NO, None, id="beyond the table"),
        pytest.param(traffic(900, seconds=600), Free(4, 8.0), "aatp-2020", Verdict.NO_TRAFFIC, None, id="ten minutes"),
        pytest.param(traffic(900), Free(None, 8.0), "aatp-2020", Verdict.NO_CORES, 0.25, id="cores not said"),
        pytest.param(traffic(900), Free(4, None), "aatp-2020", Verdict.NO_MEMORY, 0.25, id="memory not said"),
    ],
)
def test_verdicts_on_sensors(seen: Traffic, free: Free, profile: str, verdict: Verdict, cores: float | None) -> None:
    size = size_sensor(seen, CAPACITY, CAPACITY.profile(profile), free)
    assert (size.verdict, size.needs.cores if size.needs else None) == (verdict, cores)


def test_an_instance_takes_so_many_sensors() -> None:
    plans = [
        plan_sensors((traffic(900),), capacity=CAPACITY, profile=profile, free=Free(4, 8.0), count=count)
        for profile in CAPACITY.profiles
        for count in (None, 200, 201, 351)
    ]
    assert [plan.too_many for plan in plans] == [False, False, True, True, False, False, False, True]


def plan(*demands: Demand, outage_s: float = 3600.0, retention_s: float = 0.0, destinations: int = 0, **host: float) -> GatewaySize:
    report = replace(REPORT, host=replace(REPORT.host, **host))  # type: ignore[arg-type]  # cores or memory_mb
    return size_gateway(demands, report, CAPACITY.gateway, destinations=destinations, outage_s=outage_s, retention_s=retention_s)


def test_a_quiet_gateway_fits() -> None:
    size = plan(Demand("wef", 300), Demand("radius", 5))
    assert (size.verdict, size.gateways, size.cores, size.memory_mb, size.notes) == (Verdict.YES, 1, 2, 1024, ())
    assert size.busy_cores == pytest.approx(0.15 + 300 * 30e-6 + 5 * 40e-6, abs=0.001)


def test_each_destination_costs() -> None:
    costs = [plan(Demand("wef", 1000), destinations=count).busy_cores for count in (0, 1, 3)]
    assert costs == pytest.approx([0.18, 0.24, 0.36])


def test_disk_grows_with_rate_outage_and_retention() -> None:
    one, two = plan(Demand("wef", 100), retention_s=DAY), plan(Demand("wef", 200), outage_s=7200.0, retention_s=2 * DAY)
    beside = CAPACITY.gateway.beside_mb << 20
    assert two.spool_octets - beside == pytest.approx(4 * (one.spool_octets - beside))
    assert one.archive_octets == 100 * 86_400 * 1500
    assert two.archive_octets == 4 * one.archive_octets


def test_verdicts_on_gateways() -> None:
    assert plan(Demand("wef", 13_000)).verdict is Verdict.MAYBE  # more than half a core, and than was measured
    assert plan(Demand("wef", 300), cores=1.0).verdict is Verdict.YES_WITH_MORE
    assert plan(Demand("wef", 13_000), memory_mb=512).verdict is Verdict.MAYBE_WITH_MORE
    divided = plan(Demand("wef", 60_000), Demand("wef", 6000))
    assert divided.verdict is Verdict.NO
    assert divided.gateways == 5  # 2.13 cores, half a core each
    assert divided.spool_octets < plan(Demand("wef", 66_000 / 4)).spool_octets


@pytest.mark.parametrize("kind", ["nothing", "failed"])
def test_what_was_not_measured_is_not_guessed(kind: str) -> None:
    report = replace(REPORT, rows=(*REPORT.rows, replace(measured("failed"), rejected=1)))
    with pytest.raises(ConfigError, match=kind):
        size_gateway([Demand(kind, 1.0)], report, CAPACITY.gateway, destinations=0, outage_s=1.0, retention_s=0.0)


@pytest.fixture
def packets(tmp_path: Path) -> Path:
    path = tmp_path / "dc01.csv"
    path.write_text("time,packets/s\n" + "".join(f"{1714953600 + 60 * at},{1000 + at}\n" for at in range(1440)))
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main(["size", *map(str, arguments)])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_the_command_sizes_both_and_says_whose_figures_they_are(capsys: pytest.CaptureFixture[str], packets: Path, tmp_path: Path) -> None:
    saved = tmp_path / "measured.json"
    saved.write_text(encode_report(REPORT))
    options = ("--packets", packets, "--cores", 2, "--memory", "8 GiB", "--events-per-second", "wef=300", "--measured", saved)
    code, out, _ = run(capsys, *options)
    assert code == 0
    assert "dc01: yes; needs 0.75 cores, 6 GB" in out
    assert f"measured on Processor at {REPORT.at}, in {saved}" in out
    code, out, _ = run(capsys, *options, "--json", "--sensors", 201)
    found = orjson.loads(out)
    assert (code, found["fits"], found["sensors"]["count"], found["gateway"]["verdict"]) == (1, False, 201, "yes")
    (each,) = found["sensors"]["each"]
    assert (each["busy"], each["begun"]) == (pytest.approx(2432.0), "2024-05-06T23:45:00Z")


def test_packets_that_are_known_need_no_file(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--packets-per-second", 70_000, "--profile", "mdi-current", "--cores", 4, "--memory", "8 GiB")
    assert code == 1
    assert "maybe, with more resources; needs 5.5 cores, 11.5 GB" in out


def test_it_measures_what_it_is_asked_for(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, err = run(capsys, "--events-per-second", "radius=5", "--measure", "--seconds", "0.3", "--folder", tmp_path)
    assert (code in (0, 1), err) == (True, "")  # by the machine
    assert "by what was measured on this machine now" in out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        pytest.param((), 2, "there is nothing to size", id="nothing"),
        pytest.param(("--events-per-second", "wef=300"), 2, "--measured FILE, or --measure", id="whose figures"),
        pytest.param(("--events-per-second", "wef"), 2, "is not KIND=RATE", id="no rate"),
        pytest.param(("--events-per-second", "wef=nan"), 2, "is not KIND=RATE", id="a rate that is no number"),
        pytest.param(("--packets-per-second", "inf"), 2, "write a number", id="endless packets"),
        pytest.param(("--packets-per-second", "9", "--memory", "8"), 2, "--memory", id="memory without a unit"),
        pytest.param(("--packets-per-second", "9", "--profile", "x"), 78, "has no table", id="no such profile"),
        pytest.param(("--packets", "missing.csv"), 78, "missing.csv: can't be read", id="no such file"),
        pytest.param(("--packets", "missing.csv", "--decimal", "dot"), 2, "is not point or comma", id="no such sign"),
        pytest.param(("--events-per-second", "wef=1", "--measured", "missing.json"), 78, "missing.json: can't be read", id="no such measurement"),
    ],
)
def test_mistakes_are_told_in_one_line(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: int, said: str) -> None:
    found, _, err = run(capsys, *arguments)
    assert found == code
    assert said in err
    assert err.count("\n") == 1


def test_a_machine_without_one_value_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text('"(PDH-CSV 4.0) (UTC)(0)","\\\\DC09\\Network Interface(a)\\Packets/sec"\n"05/06/2024 07:08:00.000"," "\n')
    code, _, err = run(capsys, "--packets", path)
    assert code == 78
    assert "packets of DC09: there isn't one value" in err
