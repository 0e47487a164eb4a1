"""Tidegate against its peers on the same work: `python bench/against [ROW ...] [--rounds N] [--output FILE]`; `make bench` runs all rows.

Starts each receiver in turn, gives it the same generated workload, counts its CPU seconds and memory, judges its output, and writes the ratios of
interleaved rounds to bench/results.md. Ends with 1 where a promised ratio wasn't reached.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from results import missed, render  # noqa: E402 - the path has to be there first
from rounds import Round  # noqa: E402
from rows import ROWS  # noqa: E402
from workload import prepare  # noqa: E402


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of {', '.join(ROWS)}; all unless named")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, help="where the page goes; stdout unless given")
    options = parser.parse_args()
    if unknown := set(options.rows) - set(ROWS):
        parser.error(f"no row {', '.join(sorted(unknown))}")
    measured: dict[str, dict[str, list[Round]]] = {}
    for name in options.rows or ROWS:
        row = ROWS[name]
        workload = prepare(*row.workload)
        rounds = measured[name] = {contender: [] for contender in row.contenders}
        for _ in range(options.rounds):
            for contender, run in row.contenders.items():
                found = run(workload)
                rounds[contender].append(found)
                print(
                    f"{name:12} {contender:28} {found.us_per_message:9.2f} us {found.cost.peak_mb:6.0f} MB {found.cost.wall_s:6.1f} s  {found.note}", flush=True
                )
    page = render(ROWS, measured)
    if options.output:
        options.output.write_text(page)
    else:
        sys.stdout.write(page)
    for text in missed(ROWS, measured):
        print(f"not reached: {text}")
    return 1 if missed(ROWS, measured) else 0


if __name__ == "__main__":
    sys.exit(main())
