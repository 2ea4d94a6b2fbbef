"""How many findings there are, exactly: what changes a finding changes its counts in the same commit."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.dialects.postgresql import insert

from app.core.permissions import Permission
from app.db.units import Unit
from app.models.findings import FindingDay, FindingTotal
from app.scanners.probes import Severity
from app.services.access import require

SEVERITIES = tuple(str(severity) for severity in Severity)  # worst first
WEEK = 7


@dataclass(frozen=True, slots=True)
class Standing:
    """What a finding is counted by."""

    status: str
    severity: str


@dataclass(frozen=True, slots=True)
class Trend:
    """Open findings by severity at the end of each UTC day, the last one being today as it stands.

    `changes` is how many more (or fewer) are open than seven days ago.
    """

    days: Sequence[tuple[date, Mapping[str, int]]]
    changes: Mapping[str, int]

    @property
    def now(self) -> Mapping[str, int]:
        """What is open now, worst first."""
        return self.days[-1][1]

    @property
    def total(self) -> int:
        """How many are open now."""
        return sum(self.now.values())


def note_changes(
    unit: Unit, workspace_id: UUID, changes: Iterable[tuple[Standing | None, Standing | None]], *, at: datetime
) -> None:
    """Count what findings of a workspace were and are since `at` (None: not there), in the unit's transaction.

    The caller holds the locks of the findings. Counters are raised in one order, so that two transactions cannot wait
    for each other; they stay locked until the commit, so call it last.
    """
    totals: Counter[tuple[str, str]] = Counter()
    opened: Counter[str] = Counter()
    closed: Counter[str] = Counter()
    found: Counter[str] = Counter()
    for before, after in changes:
        if before == after:
            continue
        if before is not None:
            totals[(before.status, before.severity)] -= 1
            closed[before.severity] += before.status == "open"
        if after is not None:
            totals[(after.status, after.severity)] += 1
            opened[after.severity] += after.status == "open"
            found[after.severity] += before is None
    _raise_totals(unit, workspace_id, totals)
    _raise_days(unit, workspace_id, at, {"opened": opened, "closed": closed, "found": found})


def _raise_totals(unit: Unit, workspace_id: UUID, totals: Mapping[tuple[str, str], int]) -> None:
    place = {"tenant_id": unit.tenant_id, "workspace_id": workspace_id}
    rows = [
        {**place, "status": status, "severity": severity, "number": number}
        for (status, severity), number in sorted(totals.items())
        if number
    ]
    if rows:
        made = insert(FindingTotal).values(rows)
        raised = {"number": FindingTotal.number + made.excluded.number}
        unit.session.execute(made.on_conflict_do_update(index_elements=_KEY_OF_TOTAL, set_=raised))


def _raise_days(unit: Unit, workspace_id: UUID, at: datetime, numbers: Mapping[str, Mapping[str, int]]) -> None:
    place = {"tenant_id": unit.tenant_id, "workspace_id": workspace_id, "day": at.astimezone(UTC).date()}
    rows = [
        {**place, "severity": severity, **{name: each.get(severity, 0) for name, each in numbers.items()}}
        for severity in sorted(set().union(*numbers.values()))
        if any(each.get(severity, 0) for each in numbers.values())
    ]
    if rows:
        made = insert(FindingDay).values(rows)
        raised = {name: getattr(FindingDay, name) + made.excluded[name] for name in numbers}
        unit.session.execute(made.on_conflict_do_update(index_elements=_KEY_OF_DAY, set_=raised))


_KEY_OF_TOTAL = ("tenant_id", "workspace_id", "status", "severity")
_KEY_OF_DAY = ("tenant_id", "day", "workspace_id", "severity")


def count_findings(
    unit: Unit, *, status: str | None = None, severity: str | None = None, workspace_id: UUID | None = None
) -> int:
    """Return how many findings there are like that, exactly. Needs tenant:findings:read."""
    require(unit, Permission.FINDINGS_READ)
    wanted = select(func.coalesce(func.sum(FindingTotal.number), 0))
    if status is not None:
        wanted = wanted.where(FindingTotal.status == status)
    if severity is not None:
        wanted = wanted.where(FindingTotal.severity == severity)
    return int(unit.session.scalar(wanted.where(*_within(FindingTotal, workspace_id))) or 0)


def count_open(unit: Unit, *, workspace_id: UUID | None = None) -> dict[str, int]:
    """Return the number of open findings by severity, worst first. Needs tenant:findings:read."""
    require(unit, Permission.FINDINGS_READ)
    wanted = select(FindingTotal.severity, func.sum(FindingTotal.number)).where(FindingTotal.status == "open")
    rows = unit.session.execute(wanted.where(*_within(FindingTotal, workspace_id)).group_by(FindingTotal.severity))
    found: dict[str, int] = {severity: int(number) for severity, number in rows}
    return {severity: found.get(severity, 0) for severity in SEVERITIES}


def open_by_day(unit: Unit, *, days: int = 30, workspace_id: UUID | None = None) -> Trend:
    """Return what was open at the end of each of the last `days` UTC days, at least 8. Needs tenant:findings:read.

    Counted backwards from what is open now, so that a few hundred rows tell it whatever the number of findings.
    """
    level, today = count_open(unit, workspace_id=workspace_id), _today(unit)
    days = max(days, WEEK + 1)
    first = today - timedelta(days=days - 1)
    change = func.sum(FindingDay.opened - FindingDay.closed)
    wanted = select(FindingDay.day, FindingDay.severity, change).where(FindingDay.day > first)
    rows = unit.session.execute(
        wanted.where(*_within(FindingDay, workspace_id)).group_by(FindingDay.day, FindingDay.severity)
    )
    changed = {(day, severity): int(number) for day, severity, number in rows}
    found = [(today, dict(level))]
    for step in range(days - 1):
        day = today - timedelta(days=step)
        level = {severity: number - changed.get((day, severity), 0) for severity, number in level.items()}
        found.append((day - timedelta(days=1), dict(level)))
    week_ago = found[WEEK][1]
    return Trend(found[::-1], {severity: number - week_ago[severity] for severity, number in found[0][1].items()})


def found_by_day(unit: Unit, since: date, until: date, *, workspace_id: UUID | None = None) -> Counter[date]:
    """Return how many findings were first seen on each UTC day from `since` to before `until`.

    Asks for no permission.
    """
    wanted = select(FindingDay.day, func.sum(FindingDay.found)).where(FindingDay.day >= since, FindingDay.day < until)
    rows = unit.session.execute(wanted.where(*_within(FindingDay, workspace_id)).group_by(FindingDay.day))
    return Counter({day: int(number) for day, number in rows if number})


def _within(table: type[FindingTotal] | type[FindingDay], workspace_id: UUID | None) -> list[ColumnElement[bool]]:
    return [] if workspace_id is None else [table.workspace_id == workspace_id]


def _today(unit: Unit) -> date:
    return unit.now().astimezone(UTC).date()
