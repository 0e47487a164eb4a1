"""The file destination: rotation, other people's hands, and no torn line or duplicate after a crash at any moment."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarders.file import RotatingFile
from pipeline.errors import DeliveryError, Fault


def opened(path: Path, state: bytes = b"", *, rotate: int = 1 << 30, keep: int | None = None) -> tuple[RotatingFile, bytes]:
    file = RotatingFile(path, rotate, keep)
    return file, file.open(state)


def lines(*names: int) -> bytes:
    return b"".join(b'{"name":%d}\n' % name for name in names)


def everything(folder: Path) -> bytes:
    """All rotated files, oldest first, and the live one."""
    return b"".join(path.read_bytes() for path in sorted(folder.glob("events-*.ndjson"))) + (folder / "events.ndjson").read_bytes()


def test_folder_and_file_are_made_for_the_owner_and_group(tmp_path: Path) -> None:
    file, _ = opened(tmp_path / "a" / "b" / "events.ndjson")
    file.append(lines(1))
    assert (tmp_path / "a" / "b" / "events.ndjson").read_bytes() == lines(1)
    assert (tmp_path / "a" / "b" / "events.ndjson").stat().st_mode & 0o137 == 0
    file.close()


@given(
    st.lists(st.tuples(st.sampled_from(["append", "commit", "restart", "crash"]), st.integers(1, 4)), max_size=30),
    st.sampled_from([20, 60, 1 << 30]),
    st.integers(0, 40),
)
def test_a_crash_leaves_neither_torn_lines_nor_duplicates(steps: list[tuple[str, int]], rotate: int, torn: int) -> None:
    """The loop delivers from the cursor on; cursor and state become durable together, sometimes; what lies behind them may be written or not."""
    with TemporaryDirectory() as name:
        path = Path(name) / "events.ndjson"
        file, state = opened(path, rotate=rotate)
        cursor, kept = 0, (0, state)
        for step, count in steps:
            match step:
                case "append":
                    state = file.append(lines(*range(cursor, cursor + count)))
                    cursor += count
                case "commit":
                    kept = (cursor, state)
                case "restart":
                    file.close()
                    kept = (cursor, state)
                    file, state = opened(path, state, rotate=rotate)
                case "crash":
                    file.close()
                    with path.open("ab") as live:  # some of the next row was on its way
                        live.write(lines(cursor, cursor + 1)[:torn])
                    cursor = kept[0]
                    file, state = opened(path, kept[1], rotate=rotate)
                    kept = (cursor, state)
        file.append(lines(cursor))
        file.close()
        assert everything(Path(name)) == lines(*range(cursor + 1))


def test_rotation_keeps_files_in_order_and_as_many_as_asked(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    file, _ = opened(path, rotate=30, keep=2)
    for name in range(10, 20):
        file.append(lines(name))
    file.close()
    assert sorted(found.name for found in tmp_path.iterdir()) == ["events-000003.ndjson", "events-000004.ndjson", "events.ndjson"]
    assert everything(tmp_path) == lines(*range(14, 20))


def test_a_row_larger_than_the_limit_is_written_whole(tmp_path: Path) -> None:
    file, _ = opened(tmp_path / "events.ndjson", rotate=10)
    file.append(lines(*range(10)))
    file.append(lines(10))
    file.close()
    assert (tmp_path / "events-000001.ndjson").read_bytes() == lines(*range(10))


@pytest.mark.parametrize("hand", ["moved", "deleted", "truncated", "grown"])
def test_other_peoples_hands(tmp_path: Path, hand: str) -> None:
    path = tmp_path / "events.ndjson"
    file, state = opened(path)
    state = file.append(lines(1))
    match hand:
        case "moved":
            path.rename(tmp_path / "events.ndjson.1")
        case "deleted":
            path.unlink()
        case "truncated":
            os.truncate(path, 0)
        case "grown":
            path.write_bytes(path.read_bytes() + b"somebody else\n")
    with pytest.raises(DeliveryError) as caught:
        file.append(lines(2))
    assert caught.value.fault is Fault.RETRY
    file.close()
    state = file.open(state)
    file.append(lines(2))
    file.close()
    assert path.read_bytes() == (lines(1, 2) if hand == "grown" else lines(2))
    if hand == "moved":
        assert (tmp_path / "events.ndjson.1").read_bytes() == lines(1)


def test_what_was_there_before_stays(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    path.write_bytes(b"not a line of ours")
    file, _ = opened(path)
    file.append(lines(1))
    file.close()
    assert path.read_bytes() == b"not a line of ours\n" + lines(1)


@pytest.mark.parametrize("state", [b"", b"x", bytes(24), b"\xff" * 24], ids=["none", "short", "zero", "of another file"])
def test_a_state_that_fits_nothing_truncates_nothing(tmp_path: Path, state: bytes) -> None:
    path = tmp_path / "events.ndjson"
    path.write_bytes(lines(1))
    file, _ = opened(path, state)
    file.append(lines(2))
    file.close()
    assert path.read_bytes() == lines(1, 2)


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    file, _ = opened(tmp_path / "events.ndjson")
    with pytest.raises(DeliveryError, match="locked"):
        opened(tmp_path / "events.ndjson")
    file.close()


@pytest.mark.parametrize("what", ["symlink", "folder", "fifo", "parent"])
def test_what_is_no_file_is_refused_and_may_be_put_right(tmp_path: Path, what: str) -> None:
    path = tmp_path / "folder" / "events.ndjson"
    if what == "parent":
        (tmp_path / "folder").write_bytes(b"")
    else:
        path.parent.mkdir()
        target = tmp_path / "target"
        target.write_bytes(b"keep")
        match what:
            case "symlink":
                path.symlink_to(target)
            case "folder":
                path.mkdir()
            case "fifo":
                os.mkfifo(path)
    with pytest.raises(DeliveryError) as caught:
        opened(path)
    assert caught.value.fault is Fault.RETRY
    assert what == "parent" or (tmp_path / "target").read_bytes() == b"keep"
