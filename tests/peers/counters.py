"""Processes that use up one tenant's quotas as hard as they can, each with connections of its own.

`python -m tests.peers.counters TENANT SECONDS SEED` says `ready` and waits for a line: the moment (seconds since the
epoch) at which the month turns. Then it works, and prints a line of JSON: what was kept, by month.
"""

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import DataError, OperationalError

from app.core.errors import QuotaExceeded
from app.core.settings import settings
from app.db.opening import open_units
from app.db.units import Home
from app.services import quotas
from app.services.plans import Quota
from app.tenancy.actors import system_actor
from app.tenancy.context import tenant_scope

ROOT = Path(__file__).resolve().parents[2]
OLD, NEW = datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
MOST_LONGER = 60.0
TESTER = system_actor("counter")
FAIL = text("SELECT 1 / 0")


def start(environment: Mapping[str, str], tenant_id: UUID, seconds: float, seed: int) -> "subprocess.Popen[str]":
    """Start one, which waits for the others."""
    command = [sys.executable, "-m", "tests.peers.counters", str(tenant_id), str(seconds), str(seed)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, env=dict(environment), stdin=pipe, stdout=pipe, text=True)


def let_go(processes: Sequence["subprocess.Popen[str]"], turn_after: float) -> None:
    """Let all begin once each is ready; the month turns for all of them after so many seconds."""
    for process in processes:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    turn = time.time() + turn_after
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(f"{turn}\n")
        process.stdin.flush()


def work(tenant_id: UUID, seconds: float, seed: int) -> dict[str, object]:
    """Use one or both quotas in each transaction, and have half of them fail afterwards; return what was kept.

    It goes on until it was refused and has rolled back, for a minute more at most.
    """
    chance = random.Random(seed)
    units = open_units(settings(), settings().database_url.get_secret_value())
    print("ready", flush=True)
    turn = float(sys.stdin.readline())
    kept: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    end = time.time() + seconds
    while time.time() < end + (0 if counts["refused"] and counts["rolled_back"] else MOST_LONGER):
        wanted = {Quota.SCANS: chance.randint(1, 3)}
        if chance.random() < 0.5:
            wanted[Quota.TEXTS] = chance.randint(1, 3)
        keep = chance.random() < 0.5
        moment = OLD if time.time() < turn else NEW
        quotas._moment = lambda moment=moment: moment
        try:
            with tenant_scope(tenant_id), units.open(Home.CONTENT, TESTER) as unit:
                for quota in sorted(wanted):  # in one order everywhere, so that no two wait for each other
                    quotas.consume(unit, quota, wanted[quota])
                if not keep:
                    unit.write_last(FAIL, {})
                unit.commit()
                for quota, amount in wanted.items():
                    kept[f"{quota}:{moment:%Y-%m}"] += amount
        except QuotaExceeded:
            counts["refused"] += 1
        except DataError:
            counts["rolled_back"] += 1
        except OperationalError:
            counts["errors"] += 1
    units.engines.dispose()
    return {"kept": dict(kept), "counts": dict(counts)}


if __name__ == "__main__":
    os.environ.setdefault("SENTINEL_ENV", "development")
    made = work(UUID(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))
    print(json.dumps(made))
