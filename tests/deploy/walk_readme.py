"""README's two commands by somebody who begins from nothing: `make walk`, as root, below .cache/image; takes as long as the test suite does.

A bare Debian gets what README says a machine has to have (make, python3; cargo is this machine's, mounted), and the last commit. Then, timed:

    make run     until records stand before one's eyes, then Ctrl-C, which has to end it in words
    make test    has to pass

What isn't shown: how long it takes to fetch Rust itself, and crates and packages from far away.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from support.bare_root import PASSED_ON, ROOT, RUST, Stage, bare, enter, require_root

NEEDED: Final = ("make", "python3", "ca-certificates")
HOME: Final = "srv/tidegate"
COMMANDS: Final = ("make run", "make test")
RECORD: Final = re.compile(r"\d\d:\d\d:\d\d ")
RECORDS: Final = 5


def clone() -> Stage:
    """The bare root with the last commit in it."""
    stage = bare("walk", NEEDED)
    (stage.root / HOME).mkdir(parents=True)
    archive = subprocess.run(["git", "-C", str(ROOT), "archive", "HEAD"], check=True, stdout=subprocess.PIPE).stdout
    subprocess.run(["tar", "-x", "-C", str(stage.root / HOME)], input=archive, check=True)
    stage.mounts = {inside: os.path.expanduser(outside) for inside, outside in RUST.items()}  # noqa: PTH111 - a text is wanted
    stage.environ |= {"PATH": f"/usr/local/cargo/bin:{stage.environ['PATH']}", "CARGO_HOME": "/usr/local/cargo", "RUSTUP_HOME": "/usr/local/rustup"}
    return stage


@contextmanager
def typed(stage: Stage, command: str) -> Iterator[subprocess.Popen[str]]:
    """A command as it is typed there, in a process group of its own."""
    passed = {name: value for name, value in os.environ.items() if name.startswith(PASSED_ON) and name != "CARGO_HOME"}
    line = [*enter(stage), "chroot", str(stage.root), "/bin/sh", "-c", f"cd /{HOME} && exec {command}"]
    with subprocess.Popen(
        line, env=passed | stage.environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def echo(process: subprocess.Popen[str]) -> Iterator[str]:
    """The lines it says, repeated for whoever watches."""
    assert process.stdout is not None
    for line in process.stdout:
        sys.stdout.write(f"  | {line}")
        sys.stdout.flush()
        yield line


def walk_run(stage: Stage) -> float:
    """`make run` until it shows records, then Ctrl-C; returns the seconds until the first record."""
    began, first, shown, ended = time.monotonic(), 0.0, 0, False
    with typed(stage, "make run") as process:
        for line in echo(process):
            ended = ended or line.startswith("The demo has ended")
            if RECORD.match(line):
                first = first or time.monotonic() - began
                shown += 1
                if shown == RECORDS:
                    os.killpg(process.pid, signal.SIGINT)
    if shown < RECORDS or not ended:
        raise SystemExit(f"walk: make run showed {shown} records and {'ended' if ended else 'did not end'} in words")
    return first


def walk_test(stage: Stage) -> float:
    """`make test`; returns the seconds it took."""
    began = time.monotonic()
    with typed(stage, "make test") as process:
        for _ in echo(process):
            pass
        if process.wait():
            raise SystemExit(f"walk: make test ended with {process.returncode}")
    return time.monotonic() - began


def main() -> None:
    require_root("walk")
    readme = (ROOT / "README.md").read_text()
    if not all(f"\n    {command} " in readme for command in COMMANDS):
        raise SystemExit("walk: README has other commands by now")
    stage = clone()
    sys.stdout.write(f"{walk_run(stage):6.0f} s  make run, from nothing to the first record\n")
    sys.stdout.flush()
    sys.stdout.write(f"{walk_test(stage):6.0f} s  make test after it\n")
    shutil.rmtree(stage.root)


if __name__ == "__main__":
    main()
