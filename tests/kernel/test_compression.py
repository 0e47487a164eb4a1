"""The kernel's zstd against another binding of it, and against everything that isn't one whole frame."""

from __future__ import annotations

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

import kernel

SKIPPABLE = b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"  # RFC 8878 section 3.1.2


@given(st.binary(max_size=4096), st.integers(min_value=1, max_value=19))
def test_another_binding_reads_what_we_write(data: bytes, level: int) -> None:
    frame = kernel.compress(data, level)
    parameters = zstandard.get_frame_parameters(frame)
    assert (parameters.content_size, parameters.has_checksum) == (len(data), False)
    assert zstandard.ZstdDecompressor().decompress(frame) == data


@given(st.binary(max_size=4096), st.booleans())
def test_we_read_what_another_binding_writes(data: bytes, checksum: bool) -> None:  # noqa: FBT001 - drawn
    assert kernel.decompress(zstandard.ZstdCompressor(write_checksum=checksum).compress(data), 4096) == data


@given(st.binary(max_size=300), st.booleans())
def test_any_octets_raise_nothing_but_value_errors(data: bytes, headed: bool) -> None:  # noqa: FBT001 - drawn
    try:
        content = kernel.decompress(zstandard.FRAME_HEADER + data if headed else data, 1000)
    except ValueError:
        return
    assert len(content) <= 1000


def undeclared(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_content_size=False).compress(data)


def bomb() -> bytes:
    """A few hundred octets whose content is 64 MiB."""
    return kernel.compress(bytes(64 << 20))


FRAME = kernel.compress(b"one row" * 100)
CHECKED = zstandard.ZstdCompressor(write_checksum=True).compress(b"one row" * 100)
REFUSED = [
    (b"", "nothing"),
    (b"not zstd at all", "no frame"),
    (FRAME[:-1], "cut short"),
    (FRAME + b"\x00", "octets behind the frame"),
    (FRAME * 2, "two frames"),
    (SKIPPABLE, "a skippable frame"),
    (SKIPPABLE + FRAME, "a skippable frame in front"),
    (undeclared(b"x" * 100), "a size not declared"),
    (CHECKED[:-1] + bytes([CHECKED[-1] ^ 1]), "a wrong checksum"),
]


@pytest.mark.parametrize("data", [case[0] for case in REFUSED], ids=[case[1] for case in REFUSED])
def test_what_is_not_one_whole_frame_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="zstd"):
        kernel.decompress(data, 1 << 20)


def test_a_bomb_is_refused_before_it_is_read() -> None:
    with pytest.raises(ValueError, match="longer than 1048576 octets"):
        kernel.decompress(bomb(), 1 << 20)


@pytest.mark.parametrize("level", [23, 1 << 30, -(1 << 30)])
def test_levels_that_zstd_lacks_are_refused(level: int) -> None:
    with pytest.raises(ValueError, match="level"):
        kernel.compress(b"", level)
