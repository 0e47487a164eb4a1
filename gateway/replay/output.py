"""Where the records of a replay go: never half a file under its name, never over what is read, never in the place of a device."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from gateway.replay.files import STDIN, Found, Unreadable
from pipeline.errors import ConfigError

STDOUT: Final = Path("-")
MAX_LINKS: Final = 40  # as Linux follows


@contextmanager
def open_output(path: Path, files: Iterable[Found | Unreadable] = ()) -> Iterator[BinaryIO]:
    """Where records go: standard output, or a file that takes its name once it is complete, so that nobody ever reads half of it.

    What isn't a regular file (a pipe, /dev/null, /dev/stdout) is written as it is; of a link, the file it leads to is replaced.

    Args:
        path: STDOUT, or where the file shall be.
        files: what is read, none of which may be written over.

    Raises:
        ConfigError: it can't be written, or is one of `files`.
    """
    if path == STDOUT:
        if sys.stdout is None:
            raise ConfigError("standard output", "is closed", "name a file with --output")
        yield sys.stdout.buffer
        return
    if _is_among(path, files):
        raise ConfigError(f"--output {path}", "is one of the files to be read", "name another file")
    try:
        file, draft = _open_draft(path)
    except OSError as error:
        raise ConfigError(f"--output {path}", error.strerror or str(error), "name a file in a folder that may be written") from error
    try:
        with file:
            yield file
        if draft is not None:
            draft.replace(path.resolve())
    finally:
        if draft is not None:
            draft.unlink(missing_ok=True)


def _open_draft(path: Path) -> tuple[BinaryIO, Path | None]:
    """(where to write, what has to take the path's name in the end); nothing has to where that isn't a regular file."""
    for step in _followed(path):
        if step.parent.resolve() == Path(f"/proc/{os.getpid()}/fd"):  # /dev/stdout, /dev/fd/3: ours already, and perhaps with something in it
            return os.fdopen(os.dup(int(step.name)), "wb"), None
    if path.exists() and not path.is_file():
        return path.open("wb"), None
    target = path.resolve()
    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    return draft.open("wb"), draft


def _followed(path: Path) -> Iterator[Path]:
    """A path, and what it leads to, link by link."""
    for _ in range(MAX_LINKS):
        yield path
        if not path.is_symlink():
            return
        path = path.parent / path.readlink()
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def _is_among(path: Path, files: Iterable[Found | Unreadable]) -> bool:
    if not path.is_file():
        return False
    status = path.stat()
    return any(isinstance(file, Found) and file.path != STDIN and file.path.exists() and os.path.samestat(status, file.path.stat()) for file in files)
