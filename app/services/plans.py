"""What each plan allows of scanning."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Queueing:
    """A plan's share of the machines: workers, scans in flight at once, priority (1 low to 3 high)."""

    workers: int
    concurrent_scans: int
    priority: int


# Document A (seed 000): free 1/2/low, pro 2/5/normal, enterprise 4/20/high; starter and custom stand between and above.
QUEUES: dict[str, Queueing] = {
    "free": Queueing(1, 2, 1),
    "starter": Queueing(1, 3, 1),
    "professional": Queueing(2, 5, 2),
    "enterprise": Queueing(4, 20, 3),
    "custom": Queueing(4, 20, 3),
}


def queueing(plan: str) -> Queueing:
    """Return the plan's queueing; "pro" is accepted for professional."""
    return QUEUES["professional" if plan == "pro" else plan]
