"""How fast a tenant's audit log of a million events is taken out, and how much memory that takes."""

import time
from typing import Any

from tests.benchmarks.installations import installation, opened_units
from tests.peers.floods import flood, stream
from tests.peers.tenants import make_tenant

Figure = dict[str, Any]
ROWS = 1_000_000
MOST_GROWTH = 32.0


def figures() -> list[Figure]:
    """Events a second, of the clock and of a core, and the growth of the process in MB, from the query to the bytes."""
    found = []
    with installation() as on, opened_units() as units:
        made = make_tenant(units)
        flood(on.database.superuser, made.id, ROWS)
        for form in ("ndjson", "csv"):
            begin, begin_core = time.perf_counter(), time.process_time()
            size, growth = stream(made, form)
            rate, of_core = ROWS / (time.perf_counter() - begin), ROWS / (time.process_time() - begin_core)
            name = f"audit export of {ROWS:,} events as {form}"
            found += [
                _figure(f"{name} ({size / 1e6:,.0f} MB)", rate, "events/s"),
                _figure(f"{name}, of a core of this process", of_core, "events/s"),
                _figure(f"{name}, growth of the process", growth / 1e6, "MB", goal=MOST_GROWTH),
            ]
    return found


def _figure(name: str, value: float, unit: str, *, goal: float | None = None) -> Figure:
    return {"name": name, "value": round(value, 1), "unit": unit, "baseline": None, "ratio": None, "goal": goal}
