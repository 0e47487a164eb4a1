"""Every command has its help with an example, every failure its one line and exit code."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from gateway import VERSION
from gateway.cli import main
from gateway.exit_code import ExitCode
from pipeline.errors import ConfigError, DeliveryError, Fault, SpoolError

ROOT = Path(__file__).parents[2]

FORM = re.compile(r"tidegate: [^:\n]+.*: .+; .+\n")
"""what: why; what to do."""

COMMANDS = [["run"], ["check"], ["explain"], ["replay"], ["simulate", "syslog"], ["spool", "status"], ["spool", "forget"]]


def test_the_version_is_the_distributions() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == VERSION


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_has_an_example(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command, "--help"]) == ExitCode.OK
    assert f"Example: tidegate {' '.join(command)}" in capsys.readouterr().out


def test_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == ExitCode.OK
    listed = capsys.readouterr().out
    assert all(command[0] in listed for command in COMMANDS)


def test_version_names_what_it_is_made_of(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == ExitCode.OK
    said = capsys.readouterr().out
    assert said.startswith(f"tidegate {VERSION} (")
    assert "engine" in said


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["rnu"], "rnu"),
        (["run", "--confg", "x"], "--confg"),
        (["spool", "forget"], "NAME"),
        (["spool", "repair"], "repair"),
        (["run", "--set", "name"], "name"),
        (["check", "--set", "=x"], "--set"),
        (["simulate", "syslog", "--target", "http://x"], "http://x"),
        (["simulate", "syslog", "--rate", "-1"], "--rate"),
    ],
    ids=" ".join,
)
def test_usage(arguments: list[str], word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == ExitCode.USAGE
    line = capsys.readouterr().err
    assert FORM.fullmatch(line)
    assert word in line


@pytest.mark.parametrize("arguments", [[], ["spool"], ["simulate"]], ids=["tidegate", "spool", "simulate"])
def test_a_group_alone_is_its_help(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == ExitCode.USAGE
    captured = capsys.readouterr()
    assert "Usage: tidegate" in captured.out + captured.err
    assert "tidegate: " not in captured.err


def test_an_engine_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("TIDEGATE_ENGINE", "quick")
    assert main(["--version"]) == ExitCode.CONFIG
    assert FORM.fullmatch(capsys.readouterr().err)


def test_a_check_says_what_makes_a_configuration_unusable_in_json_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "g.toml"
    path.write_text('[gateway]\nnmae = "x"\n[lisetners]\n')
    assert main(["check", "--json", "--config", str(path)]) == ExitCode.CONFIG
    captured = capsys.readouterr()
    assert [(found["level"], found["why"]) for found in json.loads(captured.out)] == [("error", "unknown key")] * 2
    assert len(captured.err.splitlines()) == 2


@pytest.mark.parametrize("command", [["run"], ["check"], ["spool", "status"], ["spool", "forget", "x"]], ids=" ".join)
def test_an_unusable_configuration(command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "g.toml"
    path.write_text('[gateway]\nnmae = "x"\n')
    assert main([*command, "--config", str(path)]) == ExitCode.CONFIG
    lines = capsys.readouterr().err.splitlines()
    assert [line.startswith("tidegate: ") for line in lines] == [True]
    path.write_text('[gateway]\nnmae = "x"\n[lisetners]\n')
    assert main([*command, "--config", str(path)]) == ExitCode.CONFIG
    assert len(capsys.readouterr().err.splitlines()) == 2


NO_RECEIVER = "see that the receiver is there and takes this"

#   raised                                                                            exit code            lines
ERRORS = [
    (ConfigError("a", "b", "c"),                                                      ExitCode.CONFIG,      ["tidegate: a: b; c"]),
    (SpoolError("a", "b"),                                                            ExitCode.FAILED,      ["tidegate: a: b"]),
    (FileNotFoundError(2, "none", "x.txt"),                                           ExitCode.FAILED,      ["tidegate: x.txt: none; check the name"]),
    (DeliveryError("refused", Fault.RETRY, detail="x: no"),                        ExitCode.FAILED,      [f"tidegate: x: no; {NO_RECEIVER}"]),
    (ExceptionGroup("", [ConfigError("a", "b"), ExceptionGroup("", [OSError("c")])]), ExitCode.CONFIG,      ["tidegate: a: b", "tidegate: c"]),
    (KeyboardInterrupt(),                                                             ExitCode.INTERRUPTED, []),
    (BaseExceptionGroup("", [KeyboardInterrupt()]),                                   ExitCode.INTERRUPTED, []),
]  # fmt: skip


@pytest.mark.parametrize(("error", "code", "lines"), ERRORS, ids=[repr(case[0])[:40] for case in ERRORS])
def test_errors(error: BaseException, code: ExitCode, lines: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(*_arguments: object) -> None:
        raise error

    monkeypatch.setattr("gateway.config.locate", fail)
    assert main(["run"]) == code
    assert capsys.readouterr().err.splitlines() == lines


def test_a_bug_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.config.locate", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main(["run"])


def test_help_is_quick() -> None:
    """What only a running gateway needs isn't imported for help."""
    program = "import sys; from gateway.cli import main; main(['--help']); print(sorted({'trio', 'apsw', 'pydantic', 'structlog', 'h11'} & set(sys.modules)))"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert ended.stdout.splitlines()[-1] == "[]"


LONG_ANSWER = """
import sys, gateway.cli, gateway.version
gateway.version.describe_version = lambda _: "x" * 2_000_000
sys.exit(gateway.cli.main(["--version"]))
"""


def test_a_reader_that_has_seen_enough_ends_quietly() -> None:
    with subprocess.Popen([sys.executable, "-c", LONG_ANSWER], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""
