"""Measures the parts of the project, each against its target."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from calibration import calibration
from drill import drill
from exactness import calls, coverages, exact
from fit import fits
from kills import kills
from live import live
from rows import ROOT, Rows, machine, replaced, table
from speed import agreements, memory, speed, voice
from store import store
from watch import watch

TABLE = ROOT / "benchmarks" / "README.md"
PARTS: dict[str, Callable[[float, int], Rows]] = {
    "speed": speed,
    "memory": memory,
    "voice": voice,
    "agreements": agreements,
    "coverage": coverages,
    "oracles": exact,
    "calls": calls,
    "live": live,
    "kills": kills,
    "fit": fits,
    "calibration": calibration,
    "drill": drill,
    "store": store,
    "watch": watch,
}


def main() -> None:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--only", choices=PARTS, action="append", help="a part; may be repeated (default: all)"
    )
    parser.add_argument("--write", action="store_true", help="put the tables into benchmarks/README.md")
    parser.add_argument("--times", type=float, default=1.0, help="multiply years and runs, to try things out")
    parser.add_argument("--jobs", type=int, default=2, help="processes for memory and oracles")
    options = parser.parse_args()
    for part in options.only or PARTS:
        note = machine(options.times)
        print(f"## {part}\n", flush=True)
        new = table(PARTS[part](options.times, options.jobs), note)
        if options.write:
            TABLE.write_text(replaced(TABLE.read_text("utf-8"), part, new), "utf-8")


if __name__ == "__main__":
    main()
