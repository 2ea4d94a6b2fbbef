"""`python -m tests.benchmarks [module ...]`: one JSON line a figure, then a table of all, with the machine.

A module of this folder takes part by `figures() -> list[dict]`; a figure has name, value, unit, baseline, ratio, goal.
"""

import importlib
import json
import os
import platform
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

from app.local.postgres import binaries

Figure = dict[str, Any]
HERE = Path(__file__).parent
COLUMNS = ("name", "value", "unit", "baseline", "ratio", "goal")


def main(wanted: list[str]) -> int:
    """Measure and print; 1 when a module failed, 0 otherwise (a goal missed is said, and is no failure)."""
    found: list[Figure] = []
    broken: list[str] = []
    for name in wanted or sorted(path.stem for path in HERE.glob("[a-z]*.py")):
        module = importlib.import_module(f"tests.benchmarks.{name}")
        if not hasattr(module, "figures"):
            continue
        try:
            measured = module.figures()
        except Exception:
            traceback.print_exc()
            broken.append(name)
            continue
        for figure in measured:
            print(json.dumps(figure), flush=True)
        found += measured
    print("\n" + "\n".join([*table(found), "", *machine()]))
    for name in broken:
        print(f"not measured: {name}", file=sys.stderr)
    return 1 if broken else 0


def met(figure: Figure) -> bool | None:
    """Whether the figure reaches its goal, which bounds the ratio where there is one; None where there is no goal.

    Rates should be high, all else low.
    """
    if figure["goal"] is None:
        return None
    reached = figure["value"] if figure["ratio"] is None else figure["ratio"]
    return bool(reached >= figure["goal"] if figure["unit"].endswith("/s") else reached <= figure["goal"])


def table(found: list[Figure]) -> list[str]:
    """The figures as lines of a Markdown table."""
    verdicts = {None: "", True: "met", False: "**missed**"}
    rows = [[*("" if figure[column] is None else str(figure[column]) for column in COLUMNS)] for figure in found]
    rows = [[*row, verdicts[met(figure)]] for row, figure in zip(rows, found, strict=True)]
    head = [[*COLUMNS, ""], ["---"] * (len(COLUMNS) + 1)]
    return ["| " + " | ".join(row) + " |" for row in head + rows]


def machine() -> list[str]:
    """What the figures were had on, and how busy it was."""
    postgres = subprocess.run([str(binaries() / "postgres"), "--version"], capture_output=True, text=True, check=True)
    load = ", ".join(f"{average:.1f}" for average in os.getloadavg())
    return [
        f"Processor: {_processor()}, {os.cpu_count()} cores; load averages at the end: {load}",
        f"Memory: {os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB",
        f"System: {platform.system()} {platform.release()}, Python {platform.python_version()}",
        f"Database: {postgres.stdout.strip()}",
    ]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
