"""Quotas: what a plan bounds, counted exactly. A refusal leaves the unit to be rolled back by whoever opened it.

Three kinds. What is *there* (seats, keys, workspaces) is counted beside its rows, under a lock that lasts until the
commit. What is *used in a month* has a counter, checked and raised by one statement. What happens *at once* (scans in
flight) is counted from the rows where it is admitted, so that no crash can leave anything behind.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import partial
from uuid import UUID

from sqlalchemy import Select, TextClause, func, select, text

from app.core.errors import QuotaExceeded
from app.core.ids import new_id
from app.core.settings import settings
from app.db.locks import Lock, hold
from app.db.units import Home, Unit
from app.models.accounts import ApiKey, Membership
from app.models.scans import Scan
from app.models.workspaces import Workspace
from app.outbox.requests import request_effect
from app.services.key_rules import in_force
from app.services.plans import QUOTA_NAMES, Entitlements, Quota, entitlements, forget_entitlements

LEVELS = (80, 100)
# A plan of one seat is full from the first day on: nobody is warned of quotas as small as that.
SMALLEST_WARNED = 5


class Meter(StrEnum):
    """How a quota is counted."""

    ROWS = "rows"
    MONTH = "month"
    AT_ONCE = "at once"
    NONE = "none"


METERS: Mapping[Quota, Meter] = {
    Quota.SEATS: Meter.ROWS,
    Quota.API_KEYS: Meter.ROWS,
    Quota.WORKSPACES: Meter.ROWS,
    Quota.SCANS: Meter.MONTH,
    Quota.TEXTS: Meter.MONTH,
    Quota.CONCURRENT_SCANS: Meter.AT_ONCE,
    Quota.SENSORS: Meter.NONE,
    Quota.STORAGE_GB: Meter.NONE,
    Quota.LLM_TOKENS_DAY: Meter.NONE,
    Quota.LLM_TOKENS_MONTH: Meter.NONE,
}
_IN_FLIGHT = text("scans.admitted_at IS NOT NULL AND scans.status IN ('queued', 'running')")
# Where the rows of a quota lie and which of them count.
_ROWS: Mapping[Quota, tuple[Home, Select[int]]] = {
    Quota.SEATS: (Home.ACCOUNT, select(func.count()).select_from(Membership)),
    Quota.API_KEYS: (
        Home.ACCOUNT,
        select(func.count()).select_from(ApiKey).where(in_force(func.clock_timestamp())),
    ),
    Quota.WORKSPACES: (
        Home.ACCOUNT,
        select(func.count()).select_from(Workspace).where(Workspace.archived_at.is_(None)),
    ),
    Quota.CONCURRENT_SCANS: (
        Home.CONTENT,
        # Written out, so that the planner can tell that the partial index of what is in flight holds them.
        select(func.count()).select_from(Scan).where(_IN_FLIGHT),
    ),
}


def count_rows_of(unit: Unit, quota: Quota) -> int:
    """Return how many rows count against a quota that is counted from rows."""
    home, statement = _ROWS[quota]
    return unit.at_home(home).session.scalar(statement) or 0


def require_room(unit: Unit, quota: Quota, *, wanted: int = 1) -> None:
    """Return if the tenant may have `wanted` more seats, keys or workspaces; call it before the row is written.

    Others that ask for the same wait until this transaction is over, so that no two take the last place.
    Raises QuotaExceeded, which names quota, used, limit and where to get more.
    """
    lock_rows(unit, quota)
    forget_entitlements(unit)  # whoever held the lock may have changed them
    limit = entitlements(unit).quotas[quota]
    if limit is None:
        return
    used = count_rows_of(unit, quota)
    if used + wanted > limit:
        raise exceeded(entitlements(unit), quota, used, limit)
    _warn_when_crossed(unit, quota, used, used + wanted, limit, unit.now().astimezone(UTC).date().replace(day=1))


def lock_rows(unit: Unit, quota: Quota) -> None:
    """Let nobody else add a seat, key or workspace, or settle which of them are beyond the plan, until the commit."""
    session = unit.at_home(_ROWS[quota][0]).session
    session.flush()
    hold(session, Lock.QUOTA, f"{unit.tenant_id}:{quota}")


def consume(unit: Unit, quota: Quota, amount: int = 1) -> None:
    """Use `amount` of a monthly quota with the unit's commit, which raises QuotaExceeded where not enough is left.

    Checked and counted by one statement in the commit's round trip, exact under any concurrency; what is refused keeps
    nothing of the unit. Nobody else waits for the counter's row longer than the commit takes.
    """
    _take(unit, quota, amount, _CONSUME, {})


def _moment() -> datetime | None:
    """Return the moment whose month is counted in; None is the database's clock, the only one besides tests."""
    return None


def _take(unit: Unit, quota: Quota, amount: int, statement: TextClause, more: Mapping[str, object]) -> None:
    limit = entitlements(unit).quotas[quota]
    given = {"quota": str(quota), "amount": amount, "limit": limit, "at": _moment(), "effect": new_id(), **more}
    near, full = (None, None) if limit is None or limit < SMALLEST_WARNED else (-(-limit * LEVELS[0] // 100), limit)
    given |= {"near": near, "full": full, "now": unit.now()}
    unit.write_last(statement, given, refused=partial(_refusal, quota=quota, limit=limit or 0))


def _refusal(unit: Unit, quota: Quota, limit: int) -> QuotaExceeded:
    used, period = _standing(unit, quota)
    return exceeded(entitlements(unit), quota, used, limit, next_period(period))


# The first of a month makes its row; two firsts at once meet in ON CONFLICT. A limit of NULL is none. What would go
# beyond the limit makes no number, which the column refuses: so a commit can be sent without waiting for the answer.
# Where a level is reached, the owners are to be told; whether they were told before, the worker knows.
_CONSUME = text(
    "WITH taken AS (INSERT INTO quota_counters AS c (quota, period, used) VALUES (:quota, "
    "date_trunc('month', coalesce(CAST(:at AS timestamptz), clock_timestamp()) AT TIME ZONE 'UTC')::date, "
    "CASE WHEN CAST(:amount AS bigint) <= coalesce(CAST(:limit AS bigint), :amount) THEN :amount END) "
    "ON CONFLICT (tenant_id, quota, period) DO UPDATE SET used = "
    "CASE WHEN c.used + EXCLUDED.used <= coalesce(:limit, c.used + EXCLUDED.used) THEN c.used + EXCLUDED.used END "
    "RETURNING c.used, c.period) "
    "INSERT INTO outbox (id, kind, payload, created_at, due_at, attempts) "
    "SELECT :effect, 'quota.warning', jsonb_build_object('quota', CAST(:quota AS text), "
    "'level', CASE WHEN t.used < CAST(:full AS bigint) THEN 80 ELSE 100 END, "
    "'used', t.used, 'limit', CAST(:limit AS bigint), 'period', t.period), :now, :now, 0 "
    "FROM taken t WHERE t.used >= CAST(:near AS bigint) AND t.used - :amount < "
    "CASE WHEN t.used < CAST(:full AS bigint) THEN CAST(:near AS bigint) ELSE CAST(:full AS bigint) END"
)
_STANDING = text(
    "SELECT p.period, coalesce(c.used, 0) AS used FROM (SELECT date_trunc('month', "
    "coalesce(CAST(:at AS timestamptz), clock_timestamp()) AT TIME ZONE 'UTC')::date AS period) p "
    "LEFT JOIN quota_counters c ON c.tenant_id = :tenant AND c.quota = :quota AND c.period = p.period"
)


def _standing(unit: Unit, quota: Quota) -> tuple[int, date]:
    """Return what was used of a monthly quota in the present period, and that period."""
    given = {"quota": str(quota), "at": _moment(), "tenant": unit.tenant_id}
    row = unit.session.execute(_STANDING, given).one()
    return row.used, row.period


def used_of(unit: Unit, quota: Quota) -> tuple[int, date]:
    """Return what was used of a monthly quota this month, and the month's first day (UTC, the database's clock)."""
    return _standing(unit.at_home(Home.CONTENT), quota)


def next_period(period: date) -> datetime:
    """Return the moment at which the month that begins with `period` is over, in UTC."""
    year, month = (period.year + 1, 1) if period.month == 12 else (period.year, period.month + 1)
    return datetime(year, month, 1, tzinfo=UTC)


# A scan takes one of the month's scans when it is accepted (reserved), which counts from then on. When it is done the
# one is settled; when it failed or was cancelled it is released, in the same commit as the scan's own end.


def reserve(unit: Unit, quota: Quota, scan_id: UUID) -> None:
    """Take one of the month's scans for `scan_id`, as `consume` does."""
    _take(unit, quota, 1, _RESERVE, {"scan": scan_id})


# The same upsert, with the reservation: a test wants statements whole, and a text needs no reservation.
_RESERVE = text(
    "WITH taken AS (INSERT INTO quota_counters AS c (quota, period, used) VALUES (:quota, "
    "date_trunc('month', coalesce(CAST(:at AS timestamptz), clock_timestamp()) AT TIME ZONE 'UTC')::date, "
    "CASE WHEN CAST(:amount AS bigint) <= coalesce(CAST(:limit AS bigint), :amount) THEN :amount END) "
    "ON CONFLICT (tenant_id, quota, period) DO UPDATE SET used = "
    "CASE WHEN c.used + EXCLUDED.used <= coalesce(:limit, c.used + EXCLUDED.used) THEN c.used + EXCLUDED.used END "
    "RETURNING c.used, c.period), "
    "noted AS (INSERT INTO quota_reservations (scan_id, quota, period, state, at) "
    "SELECT :scan, :quota, period, 'reserved', :now FROM taken) "
    "INSERT INTO outbox (id, kind, payload, created_at, due_at, attempts) "
    "SELECT :effect, 'quota.warning', jsonb_build_object('quota', CAST(:quota AS text), "
    "'level', CASE WHEN t.used < CAST(:full AS bigint) THEN 80 ELSE 100 END, "
    "'used', t.used, 'limit', CAST(:limit AS bigint), 'period', t.period), :now, :now, 0 "
    "FROM taken t WHERE t.used >= CAST(:near AS bigint) AND t.used - :amount < "
    "CASE WHEN t.used < CAST(:full AS bigint) THEN CAST(:near AS bigint) ELSE CAST(:full AS bigint) END"
)


def take_settled(unit: Unit, quota: Quota, scan_id: UUID) -> None:
    """Take one of the month's scans, with the unit's commit, for a scan that is done already. Raises as `consume`."""
    reserve(unit, quota, scan_id)
    unit.write_last(_SETTLE, {"scan": scan_id, "now": unit.now()})


def settle(unit: Unit, scan_id: UUID) -> None:
    """Let what was taken for a scan count for good; a second time, or after a release, changes nothing."""
    unit.session.execute(_SETTLE, {"scan": scan_id, "now": unit.now()})


_SETTLE = text(
    "UPDATE quota_reservations SET state = 'settled', settled_at = :now WHERE scan_id = :scan AND state = 'reserved'"
)


def release(unit: Unit, scan_id: UUID) -> None:
    """Give back what was taken for a scan, to the month it was taken from; a second time changes nothing."""
    unit.session.execute(_RELEASE, {"scan": scan_id, "now": unit.now()})


_RELEASE = text(
    "WITH given AS (UPDATE quota_reservations SET state = 'released', settled_at = :now "
    "WHERE scan_id = :scan AND state = 'reserved' RETURNING tenant_id, quota, period) "
    "UPDATE quota_counters c SET used = c.used - 1 FROM given g "
    "WHERE c.tenant_id = g.tenant_id AND c.quota = g.quota AND c.period = g.period"
)


def reconcile(unit: Unit) -> int:
    """Settle or release what is still reserved for scans that are over; return how many. The scans are right.

    A scan and its reservation end in one commit, so that this finds nothing unless rows were changed by hand.
    """
    rows = unit.session.execute(
        text(
            "SELECT r.scan_id, s.status FROM quota_reservations r LEFT JOIN scans s "
            "ON s.tenant_id = r.tenant_id AND s.id = r.scan_id "
            "WHERE r.state = 'reserved' AND (s.id IS NULL OR s.status NOT IN ('queued', 'running')) LIMIT 1000"
        )
    ).all()
    for row in rows:
        (settle if row.status == "done" else release)(unit, row.scan_id)
    return len(rows)


def exceeded(
    allowed: Entitlements, quota: Quota, used: int, limit: int, resets_at: datetime | None = None
) -> QuotaExceeded:
    """Return the refusal: which quota, how much of it is used, the limit, when it resets, where to get more."""
    more = f"{settings().base_url}/t/{allowed.slug}/plan"
    when = f" It resets on {resets_at:%-d %B %Y at %H:%M} UTC." if resets_at else ""
    error = QuotaExceeded(
        f"{QUOTA_NAMES[quota]}: {used:,} of {limit:,} are used.{when}",
        extra={
            "quota": str(quota),
            "quota_name": QUOTA_NAMES[quota],
            "used": used,
            "limit": limit,
            "reset": resets_at.isoformat() if resets_at else None,
            "plan": str(allowed.plan),
            "more": more,
        },
    )
    if resets_at is None:
        error.status = 409
    else:
        error.headers["Retry-After"] = str(max(1, int((resets_at - datetime.now(UTC)).total_seconds())))
    return error


def _warn_when_crossed(unit: Unit, quota: Quota, before: int, after: int, limit: int, period: date) -> None:
    """Have the owners told by mail when a level is reached; whether they were told before, the worker knows."""
    if limit < SMALLEST_WARNED:
        return
    crossed = [level for level in LEVELS if before * 100 < level * limit <= after * 100]
    if crossed:
        facts = {"quota": str(quota), "level": crossed[-1], "used": after, "limit": limit, "period": period.isoformat()}
        request_effect(unit, "quota.warning", facts)


def used_now(unit: Unit, quota: Quota) -> int | None:
    """Return how much of a quota is used at present; None for one without a meter."""
    meter = METERS[quota]
    if meter is Meter.NONE:
        return None
    return used_of(unit, quota)[0] if meter is Meter.MONTH else count_rows_of(unit, quota)
