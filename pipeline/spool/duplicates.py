"""The table of records already kept: their 16-octet keys (uid, and alias where there is one), in memory for the question and in the spool for the next start.

Bounded in number and age. Keys are stored as they come, one chunk per commit, and leave by whole chunks from the oldest: appending costs 16 octets a
record, where a b-tree keyed by them would dirty a page a record. In memory a key takes 20 to 24 octets in the set (`kernel.KeySet`) and 16 in its
chunk: 2 million are about 80 MB.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from kernel import KeySet

KEY_OCTETS: Final = 16


def split_keys(keys: bytes) -> list[bytes]:
    """16 octets a key to one `bytes` each."""
    return [keys[at : at + KEY_OCTETS] for at in range(0, len(keys), KEY_OCTETS)]


@dataclass(frozen=True, slots=True)
class Chunk:
    """The keys of one commit.

    number:        ascending; where it can be, that of the first record of that commit.
    kept_at_ms:    when it was committed, ms since the Unix epoch.
    keys:          16 octets each, without separators.
    """

    number: int
    kept_at_ms: int
    keys: bytes

    def __len__(self) -> int:
        return len(self.keys) // KEY_OCTETS


class DuplicateTable:
    """The keys of the newest chunks.

    Args:
        max_keys: how many keys are remembered.
        keep_ms: for how long.
    """

    def __init__(self, max_keys: int, keep_ms: int) -> None:
        self._max_keys, self._keep_ms = max_keys, keep_ms
        self._keys: Final = KeySet(secrets.token_bytes(KEY_OCTETS))  # peers choose keys
        self._chunks: Final[deque[Chunk]] = deque()

    def __len__(self) -> int:
        return len(self._keys)

    def known(self, keys: bytes) -> bytes:
        """1 for each key that is remembered, else 0.

        Args:
            keys: 16 octets each.
        """
        return self._keys.known(keys)

    def next_number(self, head: int) -> int:
        """The number of a chunk that is committed when the log's head is `head`: that, unless a chunk without new records took it."""
        return max(head, self._chunks[-1].number + 1) if self._chunks else head

    def load(self, chunks: Iterable[Chunk]) -> None:
        """Remember stored chunks, oldest first."""
        for chunk in chunks:
            self.add(chunk)

    def add(self, chunk: Chunk) -> None:
        """Remember a chunk that has been committed."""
        self._chunks.append(chunk)
        self._keys.add(chunk.keys)

    def outgrown(self, coming: int, now_ms: int) -> tuple[tuple[Chunk, ...], int]:
        """The oldest chunks that have to go before `coming` more keys are added, and how many of their keys are still young enough to be missed."""
        leaving, evicted, left = [], 0, len(self._keys) + coming
        for chunk in self._chunks:
            old = now_ms - chunk.kept_at_ms > self._keep_ms
            if not old and left <= self._max_keys:
                break
            leaving.append(chunk)
            left -= len(chunk)
            evicted += 0 if old else len(chunk)
        return tuple(leaving), evicted

    def drop(self, chunks: Iterable[Chunk]) -> None:
        """Forget chunks, which are the oldest."""
        for chunk in chunks:
            gone = self._chunks.popleft()
            assert gone is chunk, "chunks leave in the order they came"  # noqa: S101 - our own invariant
            self._keys.discard(gone.keys)
