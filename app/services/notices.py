"""Notices: mail to a tenant's owners, or to one member, about what happened to it, once for each thing."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import select, text

from app.core.ids import new_id
from app.core.permissions import Role
from app.core.settings import settings
from app.db.units import Unit
from app.models.accounts import Membership
from app.models.plans import PlanRequest
from app.models.tenants import Tenant
from app.services.plans import QUOTA_NAMES, Quota, plan_named, plan_of
from app.services.quotas import METERS, Meter, next_period

OWNS = "You get this because you own this tenant."


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a list in a notice, with its links: words and address of each."""

    line: str
    links: tuple[tuple[str, str], ...] = ()


def warn_owners(unit: Unit, facts: Mapping[str, Any]) -> bool:
    """Tell the owners that a quota reached a level, unless they were told in this period; whether they are told now."""
    quota, level, period = Quota(facts["quota"]), int(facts["level"]), date.fromisoformat(facts["period"])
    given = {"quota": str(quota), "period": period, "level": level, "now": unit.now()}
    if unit.session.execute(_FIRST, given).one_or_none() is None:
        return False
    tenant = unit.session.get_one(Tenant, unit.tenant_id)
    name, used, limit = QUOTA_NAMES[quota], int(facts["used"]), int(facts["limit"])
    lines = [f"{tenant.name} has used {used:,} of {limit:,}: {name.lower()}."]
    if METERS[quota] is Meter.MONTH:
        lines.append(f"The count begins anew on {next_period(period):%-d %B %Y} at 00:00 UTC.")
    lines.append(
        "Beyond the limit further ones are refused." if level < 100 else "Further ones are refused until then."
    )
    if METERS[quota] is not Meter.MONTH and level == 100:
        lines[-1] = "Further ones are refused until one is given up, or the plan allows more."
    tell_owners(unit, f"{tenant.name}: {level} % of {name.lower()} used", lines, f"/t/{tenant.slug}/plan")
    return True


_FIRST = text(
    "INSERT INTO account.quota_warnings (quota, period, level, at) VALUES (:quota, :period, :level, :now) "
    "ON CONFLICT DO NOTHING RETURNING level"
)


def tell_of_request(unit: Unit, request_id: UUID, status: str) -> None:
    """Tell the owners, and of a new one the staff, where a request for another plan stands."""
    request = unit.session.get_one(PlanRequest, (unit.tenant_id, request_id))
    tenant = unit.session.get_one(Tenant, unit.tenant_id)
    plan = plan_of(plan_named(request.plan)).name
    what = {
        "pending": (f"{plan} was asked for", f"{request.asked_label} asked for the plan {plan} for {tenant.name}."),
        "withdrawn": (f"{plan} is no longer asked for", f"The request of {tenant.name} for {plan} was withdrawn."),
        "approved": (f"the plan is now {plan}", f"{tenant.name} is on the plan {plan} from now on."),
        "declined": (f"{plan} was declined", f"The request of {tenant.name} for {plan} was declined."),
    }
    subject, line = what[status]
    lines = [line]
    if request.note and status == "pending":
        lines.append(f"Their note: {request.note}")
    if request.answer:
        lines.append(f"The answer: {request.answer}")
    path = f"/t/{tenant.slug}/plan"
    tell_owners(unit, f"{tenant.name}: {subject}", lines, path)
    staff = settings().staff_mail
    if staff is not None and status in ("pending", "withdrawn"):
        facts = _facts([*lines, f"The tenant's id: {tenant.id}"], path)
        _request(unit, staff, None, f"{tenant.name}: {subject}", facts)


def tell_member(
    unit: Unit,
    member: Membership,
    subject: str,
    lines: Sequence[str],
    path: str,
    *,
    code: Sequence[str] = (),
    rows: Sequence[Row] = (),
    why: str = OWNS,
) -> None:
    """Send one member a notice after the commit; `path` is the page to look at, `why` says why they get it.

    `code` are lines to be copied, `rows` what it lists, each with its own links.
    """
    _request(unit, member.email, member.user_id, subject, _facts(lines, path, code=code, rows=rows, why=why))


def tell_owners(unit: Unit, subject: str, lines: Sequence[str], path: str) -> None:
    """Send each owner a mail, with the commit; `path` is the page that it leads to."""
    for owner in unit.session.scalars(select(Membership).where(Membership.role == Role.OWNER)):
        _request(unit, owner.email, owner.user_id, subject, _facts(lines, path))


def _facts(
    lines: Sequence[str], path: str, *, code: Sequence[str] = (), rows: Sequence[Row] = (), why: str = OWNS
) -> dict[str, object]:
    url = settings().base_url + path
    listed = [{"line": row.line, "links": [list(link) for link in row.links]} for row in rows]
    return {"lines": list(lines), "url": url, "code": list(code), "rows": listed, "why": why}


def _request(unit: Unit, recipient: str, user_id: UUID | None, subject: str, facts: dict[str, object]) -> None:
    told = json.dumps({"subject": _one_line(subject), **facts})
    unit.session.execute(
        text("SELECT auth.request_notice(:id, :to, :user, CAST(:facts AS jsonb))"),
        {"id": new_id(), "to": recipient, "user": user_id, "facts": told},
    )


def _one_line(words: str) -> str:
    return "".join(character if character.isprintable() else " " for character in words)
