"""The Dockerfile's own steps in bare Debian roots, for machines without Docker: `make test-image`, as root, below .cache/image.

    FROM python:...          debootstrap's minbase, with Debian's Python by the name `python`
    FROM rust:...            this machine's cargo and rustup, mounted where COPY would put them
    RUN, ENV, WORKDIR, COPY  as they stand, in a chroot; .dockerignore says what there is to copy
    the rest                 then the result is started as USER, with a root that can't be written to, no capability and an empty /var/lib/tidegate:
                             it has to become healthy by its HEALTHCHECK, find its extras, take a message, stop at STOPSIGNAL with 0, and have its SBOM

How this machine reaches its package registries is passed through (`support.bare_root`). What isn't shown: Docker's base images, its layers, its network.
"""

from __future__ import annotations

import json
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from support.bare_root import ROOT, RUST, WORK, Stage, bare, enter, require_root, run

BASE: Final = ("python3", "python3-venv", "ca-certificates")
PYTHON_S_OWN: Final = ("python3-pip", "python3-dev")
"""What the Python image has and Debian's Python hasn't; in the builder alone, whose pip installs beside Debian's packages."""

PATIENCE_S: Final = 120


def instructions() -> list[tuple[str, str]]:
    """(name, text), continuation lines joined."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in "\n".join(lines).replace("\\\n", " ").splitlines() if line.strip()]


def copy(stage: Stage, stages: Mapping[str, Stage], text: str) -> None:
    """One COPY."""
    *flags, source, target = text.split()
    origin = flags[0].removeprefix("--from=") if flags else ""
    destination = stage.root / (target.lstrip("/") if target.startswith("/") else Path(stage.workdir.lstrip("/")) / target)
    if origin == "rust":
        stage.mounts[target] = str(Path(RUST[source]).expanduser())
    elif origin:
        subprocess.run(["cp", "-a", str(stages[origin].root / source.lstrip("/")), str(destination)], check=True)
    else:
        named = [rule.removeprefix("!") for rule in (ROOT / ".dockerignore").read_text().split() if rule.startswith("!")]
        for name in named if source == "." else [source]:
            at = destination / name if source == "." else destination
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, at, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", "*.so", "target"))
            else:
                at.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, at)


def build() -> Stage:
    """All stages; returns the last."""
    stages: dict[str, Stage] = {}
    stage = Stage(Path())
    for name, text in instructions():
        began = time.monotonic()
        if name == "FROM":
            image, *named = text.split()
            label = named[-1] if named else "final"
            if image.startswith("rust:"):
                continue
            stage = stages[label] = bare(label, BASE)
            (stage.root / "usr/local/bin/python").symlink_to("/usr/bin/python3")
            if named:
                run(stage, f"apt-get update -qq && apt-get install -y -qq --no-install-recommends {' '.join(PYTHON_S_OWN)} >/dev/null")
                stage.environ["PIP_BREAK_SYSTEM_PACKAGES"] = "1"
        elif name == "RUN":
            run(stage, text)
        elif name == "COPY":
            copy(stage, stages, text)
        elif name == "ENV":
            for assignment in shlex.split(text):
                key, _, value = assignment.partition("=")
                stage.environ[key] = value.replace("$PATH", stage.environ["PATH"])
        elif name == "WORKDIR":
            stage.workdir = text
            (stage.root / text.lstrip("/")).mkdir(parents=True, exist_ok=True)
        else:
            stage.facts[name] = text
        sys.stdout.write(f"{time.monotonic() - began:6.1f} s  {name} {text[:100]}\n")
        sys.stdout.flush()
    return stage


def start(stage: Stage, command: Sequence[str]) -> subprocess.Popen[str]:
    """What a container runs: as its user, without capabilities, with a root that can't be written to but for its volume."""
    volume = stage.root / stage.facts["VOLUME"].lstrip("/")
    user, _, group = stage.facts["USER"].partition(":")
    readonly = [
        f"mount --bind {stage.root} {stage.root}",
        f"mount -o remount,bind,ro {stage.root}",
        f"mount --bind {volume} {volume}",
        f"mount -o remount,bind,rw {volume}",
    ]
    as_user = ["chroot", str(stage.root), "setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", "--no-new-privs", "--bounding-set=-all", *command]
    environ = stage.environ | {"TIDEGATE_LISTENERS__SYSLOG__UDP": '["127.0.0.1:0"]', "TIDEGATE_LISTENERS__SYSLOG__TCP": '["127.0.0.1:0"]'}
    return subprocess.Popen([*enter(Stage(stage.root), *readonly), *as_user], env=environ, stdout=subprocess.PIPE, text=True)


def judge(stage: Stage) -> None:
    """Start it and see that it becomes healthy, takes messages and stops."""
    entry, command = json.loads(stage.facts["ENTRYPOINT"]), json.loads(stage.facts["CMD"])
    gateway = start(stage, [*entry, *command])
    assert gateway.stdout is not None
    try:
        address = next((line.split()[3] for line in gateway.stdout if line.startswith("ready listeners.syslog tcp ")), "")
        healthy = start(stage, json.loads(stage.facts["HEALTHCHECK"].partition("CMD ")[2])).wait(PATIENCE_S)
        whole = start(stage, ["python3", "-c", "import confluent_kafka, gssapi, krb5"]).wait(PATIENCE_S)
        sent = start(stage, [*entry, "simulate", "syslog", "--target", f"tcp://{address}", "--count", "5"]).wait(PATIENCE_S)
        gateway.send_signal(signal.Signals[stage.facts["STOPSIGNAL"]])
        stopped = gateway.wait(PATIENCE_S)
    finally:
        gateway.kill()
    kept = (stage.root / stage.facts["VOLUME"].lstrip("/") / "events.ndjson").read_text().splitlines()
    if (healthy, whole, sent, stopped, len(kept)) != (0, 0, 0, 0, 5):
        raise SystemExit(f"test-image: healthy {healthy}, extras {whole}, sent {sent}, stopped {stopped}, kept {len(kept)} of 5")
    label = dict(assignment.split("=", 1) for assignment in shlex.split(stage.facts["LABEL"]))
    bill = json.loads((stage.root / label["tidegate.sbom"].lstrip("/")).read_text())
    sys.stdout.write(f"         bill of materials: {bill['bomFormat']} {bill['specVersion']}, {len(bill['components'])} components\n")


def main() -> None:
    require_root("test-image")
    began = time.monotonic()
    judge(build())
    for name in ("builder", "final"):
        shutil.rmtree(WORK / name)
    sys.stdout.write(f"{time.monotonic() - began:6.1f} s  the image's steps work, and what they make runs\n")


if __name__ == "__main__":
    main()
