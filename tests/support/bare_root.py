"""A root of nothing but Debian, to try in what somebody does who begins from nothing: made by debootstrap below .cache/image, entered by chroot, as root.

How this machine reaches its package registries is passed through: /etc/resolv.conf, /etc/hosts, /etc/ssl, pip's configuration, and what PIP_*, SSL_* and
CARGO_* name. Its cargo and rustup are mounted where the Rust image has them.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
WORK: Final = ROOT / ".cache/image"
SUITE: Final = "bookworm"
SHARED: Final = ("/etc/resolv.conf", "/etc/hosts", "/etc/ssl", "/etc/pip.conf", "/proc", "/dev")
PASSED_ON: Final = ("PIP_", "SSL_", "CARGO_", "http_proxy", "https_proxy", "no_proxy")
RUST: Final = {"/usr/local/cargo": "~/.cargo", "/usr/local/rustup": "~/.rustup"}


@dataclass
class Stage:
    """One stage, being built.

    root:    its file system.
    mounts:  folders of this machine, by where they are to be seen.
    facts:   the last text of each instruction that only describes the image.
    """

    root: Path
    environ: dict[str, str] = field(
        default_factory=lambda: {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/root", "DEBIAN_FRONTEND": "noninteractive"}
    )
    workdir: str = "/"
    mounts: dict[str, str] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)


def enter(stage: Stage, *before: str) -> list[str]:
    """The command that goes before one to be run in the stage: `before`, then what is shared; mounts end with it."""
    passed = [value for name, value in os.environ.items() if name.startswith(PASSED_ON) and value.startswith("/")]
    shown = {path: path for path in (*SHARED, *passed) if Path(path).exists()} | stage.mounts
    script = ["set -e", *before]
    for inside, outside in shown.items():
        at = stage.root / inside.lstrip("/")
        make = f"mkdir -p {at}" if Path(outside).is_dir() else f"mkdir -p {at.parent}; [ -e {at} ] || : > {at}"
        script += [make, f"mount --rbind {outside} {at}"]
    return ["unshare", "--mount", "sh", "-c", "\n".join([*script, 'exec "$@"']), "sh"]


def run(stage: Stage, command: str) -> None:
    """One RUN."""
    passed = {name: value for name, value in os.environ.items() if name.startswith(PASSED_ON) and not name.startswith("CARGO_HOME")}
    inside = f"cd {stage.workdir} && {command}"
    subprocess.run([*enter(stage), "chroot", str(stage.root), "/bin/sh", "-ec", inside], env=passed | stage.environ, check=True)


def require_root(what: str) -> None:
    """End with a message where roots can't be made."""
    if os.geteuid() != 0 or shutil.which("debootstrap") is None:
        raise SystemExit(f"{what}: needs root and debootstrap")
    WORK.mkdir(parents=True, exist_ok=True)


def bare(name: str, packages: Sequence[str]) -> Stage:
    """A new root of Debian's least and these packages."""
    base = WORK / f"base-{hashlib.sha256(' '.join(packages).encode()).hexdigest()[:8]}"
    made = base.with_suffix(".made")
    if not made.exists():
        shutil.rmtree(base, ignore_errors=True)
        subprocess.run(["debootstrap", "--variant=minbase", f"--include={','.join(packages)}", SUITE, str(base)], check=True, stdout=subprocess.DEVNULL)
        made.touch()
    root = WORK / name
    shutil.rmtree(root, ignore_errors=True)
    subprocess.run(["cp", "-a", "--reflink=auto", str(base), str(root)], check=True)
    return Stage(root)
