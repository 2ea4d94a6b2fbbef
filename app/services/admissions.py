"""Admission: which of a tenant's accepted scans may run now, and why the others wait.

Under the tenant's lock, from the scans' own rows: neither several relays nor a kill can admit one too many. What is
asked here is served by indexes of what is in flight and of the line's head, so that a long line costs no more.
"""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import select, text, tuple_

from app.core.permissions import Permission
from app.core.settings import settings
from app.db import directory
from app.db.locks import Lock, hold
from app.db.units import Home, Unit
from app.models.scans import Scan
from app.outbox.requests import request_effect
from app.scanners.catalogue import TOOLS
from app.services import proofs, quotas
from app.services.access import require
from app.services.pages import COUNTED, count_rows
from app.services.plans import Quota, entitlements

# How often one host and port may be scanned over all tenants.
TARGET_MOST = 6
TARGET_SPAN = timedelta(minutes=1)
# Where a tenant may run any number at once, this many are admitted.
LARGEST_QUEUE = 1_000
# So many scans beyond the free places are looked at where those before them must wait for their target.
LOOKED_PAST = 20


@dataclass(frozen=True, slots=True)
class AdmittedScan:
    """A scan that may run now."""

    scan_id: UUID
    engagement_id: UUID
    workflow_id: str
    tool: str


# Written out, so that the planner can tell that the partial indexes hold them.
_IN_LINE = text("scans.status = 'queued' AND scans.admitted_at IS NULL AND NOT scans.simulated")
_NOT_BEGUN = text("scans.status = 'queued' AND scans.admitted_at IS NOT NULL")
_RUNNING = text("scans.status = 'running' AND scans.admitted_at IS NOT NULL")
# What is asked for several times is done once: a request was committed with its scan, so that we see the scan too.
_TAKE_OVER = text(
    "UPDATE outbox SET done_at = :now, attempts = attempts + 1 WHERE id IN (SELECT id FROM outbox "
    "WHERE done_at IS NULL AND kind = 'scan.dispatch' AND due_at <= :now AND id IS DISTINCT FROM :own "
    "ORDER BY due_at LIMIT 500 FOR UPDATE SKIP LOCKED)"
)
_PUT_OFF = text("SELECT EXISTS (SELECT FROM outbox WHERE done_at IS NULL AND kind = 'scan.dispatch' AND due_at > :now)")


def admit_scans(unit: Unit, effect_id: UUID | None = None, most: int | None = None) -> list[AdmittedScan]:
    """Admit as many queued scans, oldest first, as the plan's concurrent scans leave room for.

    Returns also those that were admitted before and have not begun: starting them again changes nothing. With
    `effect_id`, the `scan.dispatch` that is carried out, the tenant's others that are due are done with it. Where there
    is room for more than `most`, another dispatch is asked for.
    """
    hold(unit.session, Lock.ADMISSION, unit.tenant_id)
    if effect_id is not None:
        unit.session.execute(_TAKE_OVER, {"now": unit.now(), "own": effect_id})
    room = _concurrent_scans(unit) - quotas.count_rows_of(unit, Quota.CONCURRENT_SCANS)
    wanted = room if most is None else min(room, most)
    if wanted > 0 and not settings().scans_stopped:
        if _admit(unit, wanted) < wanted:
            quotas.reconcile(unit)  # the line is at its end; a long one is not gone through at each admission
        elif wanted < room:
            request_effect(unit, "scan.dispatch", {})
    if not entitlements(unit).open:
        return []
    columns = (Scan.id, Scan.engagement_id, Scan.workflow_id, Scan.tool)
    waiting = unit.session.execute(select(*columns).where(_NOT_BEGUN).order_by(Scan.created_at, Scan.id))
    return [AdmittedScan(*row) for row in waiting]


def _admit(unit: Unit, room: int) -> int:
    """Admit the first `room` in line whose targets have not been scanned too often; return how many were admitted."""
    resting: set[str] = set()
    line = select(Scan).where(_IN_LINE).order_by(Scan.created_at, Scan.id)
    oldest = unit.session.scalars(line.limit(room)).all()
    admitted = [scan for scan in oldest if _may_be_scanned(unit, scan, resting)]
    if resting:
        last = tuple_(Scan.created_at, Scan.id) > (oldest[-1].created_at, oldest[-1].id)
        for scan in unit.session.scalars(line.where(last).limit(LOOKED_PAST)):
            if len(admitted) < room and _may_be_scanned(unit, scan, resting):
                admitted.append(scan)
        if not unit.session.scalar(_PUT_OFF, {"now": unit.now()}):
            request_effect(unit, "scan.dispatch", {}, after=TARGET_SPAN / TARGET_MOST)
    for scan in admitted:
        scan.admitted_at = unit.now()
    unit.session.flush()
    return len(admitted)


def _may_be_scanned(unit: Unit, scan: Scan, resting: set[str]) -> bool:
    """Tell whether the scan's target has not been scanned too often of late, by whichever tenants."""
    if not TOOLS[scan.tool].needs_proof:
        return True
    endpoint = proofs.find_proof(unit, scan.asset_id).endpoint
    if endpoint in resting:
        return False
    control = unit.at_home(Home.ACCOUNT).session
    if endpoint in settings().allowed_targets or directory.book_target(
        control, endpoint, most=TARGET_MOST, span=TARGET_SPAN
    ):
        return True
    resting.add(endpoint)
    return False


def _concurrent_scans(unit: Unit) -> int:
    allowed = entitlements(unit)
    if not allowed.open:
        return 0
    most = allowed.quotas[Quota.CONCURRENT_SCANS]
    return LARGEST_QUEUE if most is None else most


@dataclass(frozen=True, slots=True)
class Wait:
    """Why an accepted scan has not begun: `before` of the tenant's scans are in line before it (at most 10,001).

    `at_once` is how many the plan runs at a time, None for any number.
    """

    before: int
    at_once: int | None
    reason: str


def wait_of(unit: Unit, scan: Scan) -> Wait | None:
    """Return why the scan waits; None where it does not. Needs tenant:scans:read."""
    require(unit, Permission.SCANS_READ)
    if scan.status != "queued":
        return None
    allowed = entitlements(unit)
    at_once = allowed.quotas[Quota.CONCURRENT_SCANS]
    if scan.admitted_at is not None:
        if count_rows(unit, select(Scan.id).where(_RUNNING)) < allowed.queue.workers:
            return None  # it begins within moments
        return Wait(0, at_once, f"Admitted: it begins as soon as one of {_workers(allowed.queue.workers)} is free.")
    earlier = (Scan.created_at < scan.created_at) | ((Scan.created_at == scan.created_at) & (Scan.id < scan.id))
    before = count_rows(unit, select(Scan.id).where(_IN_LINE, earlier))
    return Wait(before, at_once, _reason(unit, scan, before, at_once))


def _reason(unit: Unit, scan: Scan, before: int, at_once: int | None) -> str:
    if settings().scans_stopped:
        return "Waiting: the platform has stopped all scans for now."
    full = at_once is not None and quotas.count_rows_of(unit, Quota.CONCURRENT_SCANS) >= at_once
    if before:
        number = f"{COUNTED - 1:,}+" if before >= COUNTED else f"{before:,}"
        line = f"Waiting: {number} {'scan' if before == 1 else 'scans'} before it"
        return f"{line}, because your plan runs {at_once:,} at a time." if full else f"{line}."
    if full:
        return f"Waiting: it is the next one, because your plan runs {at_once:,} at a time."
    if TOOLS[scan.tool].needs_proof:
        most, seconds = TARGET_MOST, round(TARGET_SPAN.total_seconds())
        return f"Waiting: an address is scanned at most {most} times in {seconds} seconds, whoever asks."
    return "Waiting: it begins within moments."


def _workers(number: int) -> str:
    return "your plan's one worker" if number == 1 else f"your plan's {number} workers"
