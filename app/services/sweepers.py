"""The sweeper: deletes what has expired, tenant by tenant, in a thread of the worker."""

from contextlib import suppress

import structlog

from app.db import directory
from app.db.directory import ExpiredAnswers
from app.db.units import Home, Units
from app.services import kept_answers
from app.services.loops import Loop
from app.services.turns import Turns
from app.tenancy.actors import system_actor
from app.tenancy.context import tenant_scope

log = structlog.get_logger(__name__)
SWEEPER = system_actor("sweeper")
MOST_TENANTS = 100


class Sweeper(Loop):
    """Any number may run at once: deleting twice changes nothing."""

    def __init__(self, units: Units, *, seconds: float = 60.0) -> None:
        super().__init__(units, "sweeper", seconds=seconds)
        self._turns = Turns[ExpiredAnswers](lambda one: (one.tenant_id, one.home))

    def run_once(self) -> int:
        """Sweep what is due in this thread; return how many logs of answers were swept."""
        return self.each(self._turns, directory.answers_expired, MOST_TENANTS, self.sweep)

    def sweep(self, one: ExpiredAnswers) -> bool:
        """Sweep one log; False where it could not be done, and is due again."""
        try:
            with tenant_scope(one.tenant_id), self._units.open(Home.ACCOUNT, SWEEPER) as unit:
                with suppress(PermissionError):  # a tenant that was purged has no home any more
                    kept_answers.sweep(unit.at_home(Home(one.home)), one.up_to)
                directory.note_answers_swept(unit.session, one.home, one.up_to)
                unit.commit()
            return True
        except Exception as error:  # one tenant's trouble must not keep the others waiting
            log.warning("sweeper.tenant_failed", tenant=str(one.tenant_id), error=type(error).__name__)
            return False
