"""The kernel's set of keys against `set[bytes]`, and what it costs."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel import KeySet

SEED = bytes(range(16))
FEW = st.sampled_from([bytes(16), b"\xff" * 16, *(bytes([number]) * 16 for number in range(1, 40)), *(bytes(15) + bytes([number]) for number in range(1, 40))])
KEYS = st.lists(FEW | st.binary(min_size=16, max_size=16), max_size=30)


@given(st.lists(st.tuples(st.booleans(), KEYS), max_size=20), st.binary(min_size=16, max_size=16), st.booleans())
def test_it_is_a_set(steps: list[tuple[bool, list[bytes]]], seed: bytes, small: bool) -> None:  # noqa: FBT001 - drawn
    native, model = KeySet(seed, small=small), set[bytes]()
    for adds, keys in steps:
        if adds:
            native.add(b"".join(keys))
            model.update(keys)
        else:
            native.discard(b"".join(keys))
            model.difference_update(keys)
        asked = [*keys, *model]
        assert len(native) == len(model)
        assert native.known(b"".join(asked)) == bytes(key in model for key in asked)


@given(KEYS, KEYS)
def test_new_keys_are_added_all_or_none(before: list[bytes], keys: list[bytes]) -> None:
    native = KeySet(SEED)
    native.add(b"".join(before))
    new = len({*before, *keys}) == len({*before}) + len(keys)
    assert native.add_new(b"".join(keys)) is new
    kept = {*before, *keys} if new else {*before}
    assert len(native) == len(kept)
    assert native.known(b"".join([*before, *keys])) == bytes(key in kept for key in [*before, *keys])


@pytest.mark.parametrize("known", [0, 31, 32, 99])
def test_one_known_key_keeps_out_all_that_come_with_it(known: int) -> None:
    native, keys = KeySet(SEED), keys_of(range(100))
    native.add(keys[16 * known : 16 * known + 16])
    assert not native.add_new(keys)
    assert native.known(keys) == bytes(number == known for number in range(100))


def keys_of(numbers: range) -> bytes:
    return b"".join(hashlib.sha256(number.to_bytes(8)).digest()[:16] for number in numbers)


def test_many_keys_come_and_go() -> None:
    native, step = KeySet(SEED), 1000
    for start in range(0, 100_000, step):
        native.add(keys_of(range(start, start + step)))
        if start >= 50_000:
            native.discard(keys_of(range(start - 50_000, start - 50_000 + step)))
    assert len(native) == 50_000
    assert native.known(keys_of(range(49_000, 51_000))) == bytes(1000) + b"\x01" * 1000
    assert native.known(keys_of(range(99_000, 101_000))) == b"\x01" * 1000 + bytes(1000)


def test_a_key_takes_up_to_24_octets() -> None:
    native = KeySet(SEED)
    for start in range(0, 100_000, 10_000):
        native.add(keys_of(range(start, start + 10_000)))
        assert native.octets <= 24 * 1.1 * len(native)  # small tables differ by chance


@pytest.mark.parametrize("octets", [1, 15, 17])
def test_another_length_is_refused(octets: int) -> None:
    with pytest.raises(ValueError, match="16"):
        KeySet(bytes(octets))
    for call in (KeySet(SEED).add, KeySet(SEED).add_new, KeySet(SEED).discard, KeySet(SEED).known):
        with pytest.raises(ValueError, match="16"):
            call(bytes(octets))
