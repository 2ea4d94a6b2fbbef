"""Answers whose time must not tell what was found."""

import time

from flask import g

# Making a tenant takes longer than making none: neither is answered sooner, in seconds.
SOONEST = 0.5


def level_off() -> None:
    """Return when the present request has taken half a second."""
    time.sleep(max(0.0, SOONEST - (time.perf_counter() - g.started)))
