"""How long the rows of API calls are kept: as long as their sums by day, which is what the plan says."""

from app.db import archives
from app.db.locks import Lock, hold
from app.db.units import Home, Unit
from app.services.usage_counts import kept_since

BATCH = 2_000


def remove_batch(unit: Unit) -> int:
    """Delete the tenant's next calls that its plan keeps no longer, oldest first; return how many. For the worker.

    None whose day or minute has sums, and of two at once one after the other: 0 says that nothing is left.
    """
    hold(unit.at_home(Home.CONTENT).session, Lock.USAGE, unit.tenant_id)
    return archives.remove_calls(unit, kept_since(unit), BATCH)
