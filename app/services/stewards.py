"""The steward, a thread of the worker: carries out what staff ordered, as the tenant, and does what a date asks for."""

import functools
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import structlog
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.core.errors import AppError
from app.db import staff
from app.db.staff import Order
from app.db.units import Home, Unit, Units
from app.services import (
    domain_looks,
    effect_retries,
    erasures,
    excess,
    key_reminders,
    lifecycles,
    plan_overrides,
    plan_requests,
    reminders,
    scans,
)
from app.services.censuses import count_tenant
from app.services.loops import Loop
from app.services.plan_overrides import Wanted
from app.services.plans import Quota
from app.services.turns import Turns
from app.tenancy.actors import Actor, ActorKind, system_actor
from app.tenancy.context import tenant_scope

log = structlog.get_logger(__name__)
STEWARD = system_actor("steward")
Due = TypeVar("Due")
LEASE = timedelta(seconds=30)
MOST_WAIT = timedelta(minutes=5)
LOOKS_EVERY = 60
MOST_TENANTS = 100


class Steward(Loop):
    """Any number may run at once: an order belongs to one of them at a time, and a tenant's orders keep their order."""

    def __init__(self, units: Units, *, seconds: float = 0.5) -> None:
        super().__init__(units, "steward", seconds=seconds)
        self._looks = 0
        self._turns: dict[str, Turns[Any]] = {}

    def turn(self) -> None:
        """Carry out what is due; about each minute what a date asks for."""
        self.run_once()
        if self._looks % int(LOOKS_EVERY / self._seconds) == 0:
            self.look_about()
        self._looks += 1

    def run_once(self) -> int:
        """Carry out the orders that are due, in this thread; return how many."""
        with self.directory() as session:
            orders = staff.claim_orders(session, 20, LEASE)
        for order in orders:
            self._carry_out(order)
        return len(orders)

    def end_trials(self) -> int:
        """End the trials whose time is over, in this thread; return how many."""
        return self._each(staff.trials_over, lifecycles.end_trial)

    def remind_trials(self) -> int:
        """Remind owners of trials that end within 7, 3 and 1 days, in this thread; return of how many."""
        return self._each(staff.trials_ending, reminders.remind)

    def end_overrides(self) -> int:
        """End the overrides whose end has come, in this thread; return how many."""

        def end(due: tuple[UUID, UUID]) -> bool:
            tenant_id, override_id = due
            return self._for(tenant_id, functools.partial(plan_overrides.expire_override, override_id=override_id))

        return self._all(staff.overrides_over, end)

    def let_keys_in(self) -> int:
        """Give the places of expired keys to those beyond the plan, in this thread; return in how many tenants."""
        return self._each(staff.keys_to_come_in, _settle_keys)

    def remind_of_keys(self) -> int:
        """Tell of API keys that expire, in this thread; return in how many tenants."""
        return self._each(staff.keys_expiring, key_reminders.remind)

    def look_at_domains(self) -> int:
        """Have the records of proven e-mail domains looked for again, in this thread; return of how many."""

        def look(due: tuple[UUID, UUID]) -> bool:
            tenant_id, domain_id = due
            return self._for(tenant_id, functools.partial(domain_looks.look_again, domain_id=domain_id))

        return self._all(staff.domains_to_look_at, look)

    def look_about(self) -> None:
        """Do what is due by the clock."""
        self.end_trials()
        self.remind_trials()
        self.end_overrides()
        self.let_keys_in()
        self.remind_of_keys()
        self.look_at_domains()

    def _each(self, question: Callable[[Session, int], list[UUID]], do: Callable[[Unit], bool]) -> int:
        return self._all(question, lambda tenant_id: self._for(tenant_id, do))

    def _all(self, question: Callable[[Session, int], list[Due]], do: Callable[[Due], bool]) -> int:
        turns: Turns[Due] = self._turns.setdefault(question.__name__, Turns(lambda due: due))
        return self.each(turns, question, MOST_TENANTS, do)

    def _for(self, tenant_id: UUID, do: Callable[[Unit], bool]) -> bool:
        """Do it as that tenant, in one commit; what fails there waits for the next look, and keeps no other waiting."""
        try:
            with tenant_scope(tenant_id), self._units.open(Home.ACCOUNT, STEWARD) as unit:
                done = do(unit)
                unit.commit()
                return done
        except Exception as error:
            log.warning("steward.not_done", tenant=str(tenant_id), error=type(error).__name__)
            return False

    def _carry_out(self, order: Order) -> None:
        bound = log.bind(tenant=str(order.tenant_id), order=str(order.id), action=order.action)
        try:
            with tenant_scope(order.tenant_id), self._units.open(Home.ACCOUNT, _actor(order)) as unit:
                act(unit, order)
                unit.commit()
            self._settle(order, None, None)
            self._recount(order, bound)
        except AppError as error:
            bound.info("steward.refused", detail=error.detail)
            self._settle(order, None, error.detail)
        except OperationalError as error:
            bound.info("steward.database_busy", error=type(error.orig).__name__)
            self._settle(order, _wait(order.attempts - 1), None)
        except Exception as error:
            bound.warning("steward.order_failed", error=type(error).__name__)
            self._settle(order, _wait(order.attempts), type(error).__name__)

    def _recount(self, order: Order, bound: Any) -> None:
        """Have the console show what the order made of the tenant's quotas; the census would come by later."""
        try:
            count_tenant(self._units, order.tenant_id)
        except Exception as error:  # the order is carried out: nothing of it is undone by a figure that is late
            bound.info("steward.not_counted", error=type(error).__name__)

    def _settle(self, order: Order, again: timedelta | None, problem: str | None) -> None:
        with self.directory() as session:
            staff.settle_order(session, order.id, again=again, problem=problem)


def _wait(attempts: int) -> timedelta:
    return min(timedelta(seconds=2 ** min(attempts, 9)), MOST_WAIT)


def _settle_keys(unit: Unit) -> bool:
    excess.settle(unit, Quota.API_KEYS)
    return True


def act(unit: Unit, order: Order) -> None:
    """Do what the order says; done twice it changes nothing more. Raises AppError where it cannot be."""
    match order.action:
        case "tenant.suspend":
            lifecycles.suspend_tenant(unit, order.reason)
        case "tenant.resume":
            lifecycles.resume_tenant(unit, order.reason)
        case "tenant.change-plan":
            lifecycles.change_plan(unit, str(order.detail["plan"]), order.reason)
        case "tenant.delete":
            lifecycles.delete_tenant(unit, str(order.detail["slug"]), order.reason)
        case "tenant.restore":
            lifecycles.restore_tenant(unit, order.reason)
        case "tenant.purge":
            erasures.order_erasure(unit, order.id, str(order.detail["slug"]), order.reason)
        case "plan.override":
            plan_overrides.override(unit, _wanted(order))
        case "plan.override-end":
            plan_overrides.end_override(unit, UUID(str(order.detail["override_id"])), reason=order.reason)
        case "plan.approve" | "plan.decline":
            approve, answer = order.action == "plan.approve", str(order.detail.get("answer", ""))
            request_id = UUID(str(order.detail["request_id"]))
            plan_requests.decide_request(unit, request_id, approve=approve, answer=answer, reason=order.reason)
        case "effect.retry":
            home = Home(str(order.detail["home"]))
            effect_retries.retry_effect(unit.at_home(home), UUID(str(order.detail["effect_id"])), order.reason)
        case "scan.cancel":
            scan_id = UUID(str(order.detail["scan_id"]))
            scans.cancel_for_staff(unit.at_home(Home.CONTENT), scan_id, order.reason)
        case _:
            raise AppError(f"Nothing is known of the order {order.action}.")


def _wanted(order: Order) -> Wanted:
    given = order.detail
    value = None if given["value"] is None else int(given["value"])
    until = None if given.get("until") is None else datetime.fromisoformat(given["until"])
    return Wanted(str(given["kind"]), str(given["name"]), value, order.reason, until)


def _actor(order: Order) -> Actor:
    return Actor(
        ActorKind.STAFF,
        order.staff_id,
        f"Sentinel staff: {order.staff_label}",
        frozenset(),
        order.address,
        order.agent,
        order.request_id,
    )
