"""What the native kernel gains in framing: both engines over the same stream, in turn, one process.

    python bench/framing.py [--megabytes 64] [--message 1386] [--rounds 5]

Prints nanoseconds per message of each engine (best of the rounds) and their ratio. One pass is one 512 KiB buffer, as a
listener reads it.
"""

from __future__ import annotations

import argparse
import time

from kernel import Engine
from wire.syslog_framing import Position, scan

READ = 512 << 10
LIMIT = 256 << 10


def run(stream: bytes, engine: Engine) -> tuple[int, float]:
    """Scan `stream` as a connection would: (messages found, seconds spent in scan)."""
    rest, position, messages, seconds = b"", Position(), 0, 0.0
    for start in range(0, len(stream), READ):
        buffer = rest + stream[start : start + READ]
        began = time.perf_counter()
        found = scan(buffer, position, LIMIT, engine)
        seconds += time.perf_counter() - began
        rest, position, messages = buffer[found.consumed :], found.position, messages + len(found.spans) // 2
    return messages, seconds


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--megabytes", type=int, default=64, help="octets of the stream, in MB")
    arguments.add_argument("--message", type=int, default=1386, help="octets of one message")
    arguments.add_argument("--rounds", type=int, default=5, help="rounds of both engines")
    given = arguments.parse_args()
    message = b"<13>" + b"x" * (given.message - 4)
    streams = {"octet counting": b"%d %s" % (len(message), message), "lines": message + b"\n"}
    for name, frame in streams.items():
        count = given.megabytes * 1_000_000 // len(frame)
        stream = frame * count
        best = dict.fromkeys(Engine, float("inf"))
        for _ in range(given.rounds):
            for engine in Engine:
                found, seconds = run(stream, engine)
                best[engine] = min(best[engine], seconds / count * 1e9)
                if found != count:
                    raise SystemExit(f"{name} {engine}: {found} of {count} messages found")
        native, reference = best[Engine.NATIVE], best[Engine.REFERENCE]
        print(f"{name:16} native {native:7.0f} ns/message   reference {reference:7.0f} ns/message   ratio {reference / native:5.1f}")


if __name__ == "__main__":
    main()
