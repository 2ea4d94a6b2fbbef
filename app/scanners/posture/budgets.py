"""The time that one run of a probe has, shared by all its requests."""

import time
from dataclasses import replace

from app.core.outbound import Policy

_EACH = 12.0


class OutOfTime(Exception):
    """The run's time is used up; what was seen so far stands."""


class Budget:
    """A run's outbound policy and what is left of its seconds."""

    def __init__(self, policy: Policy, seconds: float) -> None:
        self._policy = policy
        self._end = time.monotonic() + seconds

    def policy(self) -> Policy:
        """Return the policy for one more request. Raises OutOfTime when too little is left for one."""
        left = self.left()
        return replace(
            self._policy,
            total_seconds=min(_EACH, left),
            connect_seconds=min(self._policy.connect_seconds, left),
            read_seconds=min(self._policy.read_seconds, left),
        )

    def left(self) -> float:
        """Return the seconds left. Raises OutOfTime where there are none worth using."""
        left = self._end - time.monotonic()
        if left < 0.05:
            raise OutOfTime
        return left
