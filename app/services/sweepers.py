"""The sweeper: deletes what has expired, tenant by tenant, in a thread of the worker."""

from contextlib import suppress

from app.db import directory
from app.db.units import Home, Units
from app.services import kept_answers
from app.services.loops import Loop
from app.tenancy.actors import system_actor
from app.tenancy.context import tenant_scope

SWEEPER = system_actor("sweeper")
MOST_TENANTS = 100


class Sweeper(Loop):
    """Any number may run at once: deleting twice changes nothing."""

    def __init__(self, units: Units, *, seconds: float = 60.0) -> None:
        super().__init__(units, "sweeper", seconds=seconds)

    def run_once(self) -> int:
        """Sweep what is due in this thread; return how many logs of answers were swept."""
        with self.directory() as session:
            due = directory.answers_expired(session, MOST_TENANTS)
        for one in due:
            with tenant_scope(one.tenant_id), self._units.open(Home.ACCOUNT, SWEEPER) as unit:
                with suppress(PermissionError):  # a tenant that was purged has no home any more
                    kept_answers.sweep(unit.at_home(Home(one.home)), one.up_to)
                directory.note_answers_swept(unit.session, one.home, one.up_to)
                unit.commit()
            if self.stopping:
                break
        return len(due)
