"""Kills parts of a running installation with -9, and sees when they run again."""

import os
import random
import signal
import time
from dataclasses import dataclass
from statistics import median

from tests.peers.installations import Installation, children_of

PARTS = ("web", "web's process", "worker", "temporal", "postgres", "a backend of postgres", "graph")
_RESTARTS_WITHIN = 90.0


@dataclass
class Blow:
    """One kill; times are seconds since the epoch, `over` is when the last scan accepted before the restart ended."""

    part: str
    in_flight: int
    struck: float
    restarted: float
    over: float | None = None

    @property
    def recovery(self) -> float:
        """Seconds from the restart to the end of the last of those scans; endless where one did not end."""
        return float("inf") if self.over is None else max(0.0, self.over - self.restarted)


def order_of(chance: random.Random, number: int, parts: tuple[str, ...] = PARTS) -> list[str]:
    """A random order in which each part comes as often as any other, give or take one."""
    order: list[str] = []
    while len(order) < number:
        order += chance.sample(parts, len(parts))
    return order[:number]


def strike(installation: Installation, part: str, in_flight: int, chance: random.Random) -> Blow:
    """Kill `part` now and return when whoever tends it has started it again.

    A process that its own parent starts again (of gunicorn, of Postgres) counts as restarted at once.
    """
    name = {"web's process": "web", "a backend of postgres": "postgres"}.get(part, part)
    pid = installation.run.children()[name]
    victim = pid
    if part == "web's process":
        victim = chance.choice(children_of(pid))
    elif part == "a backend of postgres":
        backends = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        victim = chance.choice([row[0] for row in installation.reader().rows(backends)])
    struck = time.time()
    os.kill(victim, signal.SIGKILL)
    if victim == pid:
        _wait_for_another(installation, name, pid)
    return Blow(part, in_flight, struck, struck if victim != pid else time.time())


def _wait_for_another(installation: Installation, name: str, pid: int) -> None:
    deadline = time.monotonic() + _RESTARTS_WITHIN
    while installation.run.children().get(name, pid) == pid:
        assert time.monotonic() < deadline, f"{name} was not started again"
        time.sleep(0.02)


def table_of(blows: list[Blow]) -> str:
    """Recovery times by part, as a table in Markdown."""
    lines = ["| killed with -9 | times | scans in flight | recovery, p50 | recovery, max |", "|---|---|---|---|---|"]
    for part in (*PARTS, "all"):
        of_part = [blow for blow in blows if part in (blow.part, "all")]
        if of_part:
            times = [blow.recovery for blow in of_part]
            flights = [blow.in_flight for blow in of_part]
            lines.append(
                f"| {part} | {len(of_part)} | {min(flights)} to {max(flights)} "
                f"| {median(times):.1f} s | {max(times):.1f} s |"
            )
    return "\n".join(lines)
