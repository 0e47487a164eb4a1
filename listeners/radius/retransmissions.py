"""What tells a retransmission from another request: a key that is the same for both, and is committed with the record as its second duplicate key.

A client sends the same octets again, from the same address and port, until it is answered (RFC 2866 section 4.1, RFC 5080 section 2.2.2): source, Identifier
and Request Authenticator say which request it is. For how long they say so is bounded, since they repeat. A server that starts anew counts Identifiers from the
beginning, and its Accounting-On without a timestamp is then the same to the octet as the one before it: so a key holds the time at which its request was first
seen, in steps of five minutes, and a request that is seen again within the step or the next one keeps its key.

After a restart the step alone has to do: only a request without a timestamp that was kept before the end of a step, never answered, and sent again after both
the restart and that end becomes two records.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

from listeners.normalizing import KEY_OCTETS

STEP_NS: Final = 300 * 10**9
MAX_REQUESTS: Final = 1 << 15
"""Requests remembered of one step. Past it the oldest are forgotten, and only matter if they come again after the step's end."""


class Retransmissions:
    """The keys of requests seen lately."""

    def __init__(self) -> None:
        self._step = -1
        self._current: dict[bytes, bytes] = {}
        self._previous: dict[bytes, bytes] = {}

    def key(self, source: bytes, packet: bytes, now_ns: int) -> bytes:
        """The 16 octets that a request and its retransmissions share.

        Args:
            source: who sent it: address and port, or whatever else retransmissions have alike.
            packet: a verified request.
            now_ns: its arrival, nanoseconds since the Unix epoch.
        """
        self._turn(now_ns // STEP_NS)
        request = source + packet[1:2] + packet[4:20]
        found = self._current.get(request) or self._previous.get(request)
        if found is None:
            found = blake2b(request + self._step.to_bytes(8, signed=True), digest_size=KEY_OCTETS).digest()
            if len(self._current) >= MAX_REQUESTS:
                self._previous, self._current = self._current, {}
            self._current[request] = found
        return found

    def __len__(self) -> int:
        return len(self._current) + len(self._previous)

    def _turn(self, step: int) -> None:
        if step != self._step:
            self._previous = self._current if step == self._step + 1 else {}
            self._current = {}
            self._step = step
