"""Mail before API keys expire: to whoever can renew them, one a day that lists all of a person's keys."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date
from uuid import UUID

from sqlalchemy import select

from app.core.permissions import Permission
from app.core.settings import settings
from app.db.units import Unit
from app.models.accounts import ApiKey, ApiKeySecret, Membership
from app.models.tenants import Tenant
from app.services import audit, notices
from app.services.key_rules import STEPS
from app.services.memberships import members_with
from app.services.notices import Row
from app.services.plans import entitlements

LISTED = 20


@dataclass(frozen=True, slots=True)
class _Ending:
    key: ApiKey
    hint: str
    days: int
    step: int


def step_of(expires: date, today: date) -> int | None:
    """Return which of 14, 3 and 0 days before its end (UTC) a key has come to; None earlier."""
    return next((step for step in STEPS if (expires - today).days <= step), None)


def remind(unit: Unit) -> bool:
    """Ask for the mails about keys that are due today; False where none is. For the worker, in the account home.

    To each key's maker if they still keep keys here, else to all who do. The marks and the mails are one commit: one a
    day for each person however often this is killed, and each step once. A closed tenant's are due when it works again.
    """
    tenant = unit.session.get_one(Tenant, unit.tenant_id, with_for_update=True)
    today = unit.now().astimezone(UTC).date()
    if not entitlements(unit).open or _told_on(unit, today):
        return False
    due = _due(unit, today)
    keepers = {member.user_id: member for member in members_with(unit, Permission.KEYS_WRITE)}
    lists: dict[UUID, list[_Ending]] = {}
    for ending in due:
        before = {"days": ending.key.expiry_told}
        ending.key.expiry_told, ending.key.expiry_told_on = ending.step, today
        to = [ending.key.maker_id] if ending.key.maker_id in keepers else list(keepers)
        for user_id in to:
            lists.setdefault(user_id, []).append(ending)
        after = {"days": ending.step, "to": [keepers[user_id].email for user_id in to]}
        audit.record(unit, "api_key.remind", "api_key", ending.key.id, before=before, after=after)
    for user_id, endings in lists.items():
        _send(unit, tenant, keepers[user_id], endings)
    return bool(due)


def _told_on(unit: Unit, day: date) -> bool:
    return unit.session.scalar(select(ApiKey.id).where(ApiKey.expiry_told_on == day).limit(1)) is not None


def _due(unit: Unit, today: date) -> list[_Ending]:
    """Return the keys whose next step has come, the first to end first."""
    wanted = (
        select(ApiKey, ApiKeySecret.hint)
        .join(ApiKeySecret, (ApiKeySecret.tenant_id == ApiKey.tenant_id) & (ApiKeySecret.key_id == ApiKey.id))
        .where(
            ApiKeySecret.superseded_at.is_(None),
            ApiKey.revoked_at.is_(None),
            ApiKey.expires_at.is_not(None),
            ApiKey.expiry_told.is_distinct_from(0),
        )
        .order_by(ApiKey.expires_at, ApiKey.id)
    )
    found = []
    for key, hint in unit.session.execute(wanted):
        expires = key.expires_at.astimezone(UTC).date() if key.expires_at else None
        step = step_of(expires, today) if expires else None
        if expires is not None and step is not None and (key.expiry_told is None or key.expiry_told > step):
            found.append(_Ending(key, hint, (expires - today).days, step))
    return found


def _send(unit: Unit, tenant: Tenant, member: Membership, endings: Sequence[_Ending]) -> None:
    home = f"/t/{tenant.slug}/keys"
    rows = [_row(unit, each, settings().base_url + home) for each in endings[:LISTED]]
    if len(endings) > LISTED:
        rows.append(Row(f"And {len(endings) - LISTED:,} more, all on the page below."))
    mine = all(each.key.maker_id == member.user_id for each in endings)
    why = "You get this because you made " + ("this key." if len(endings) == 1 else "these keys.")
    notices.tell_member(
        unit,
        member,
        _subject(unit, tenant, endings),
        ["Programs that call with an API key are refused once it has expired."],
        home,
        rows=rows,
        why=why if mine else f"You get this because you manage the API keys of {tenant.name}.",
    )


def _subject(unit: Unit, tenant: Tenant, endings: Sequence[_Ending]) -> str:
    if len(endings) == 1:
        return f"{tenant.name}: the API key {endings[0].key.name} {_when(unit, endings[0])}"
    over = sum(each.step == 0 for each in endings)
    what = "expire soon" if not over else "have expired or do so today" if over == len(endings) else "expire"
    return f"{tenant.name}: {len(endings):,} API keys {what}"


def _row(unit: Unit, ending: _Ending, home: str) -> Row:
    key, page = ending.key, f"{home}/{ending.key.id}"
    at = f"{key.expires_at.astimezone(UTC):%-d %B %Y at %H:%M} UTC" if key.expires_at else ""
    new = ("Issue another", f"{home}/new") if _over(unit, key) else ("Rotate and renew it", f"{page}/rotation")
    return Row(f"{key.name} ({ending.hint}…) {_when(unit, ending)}: {at}.", (("Its page", page), new))


def _over(unit: Unit, key: ApiKey) -> bool:
    return key.expires_at is not None and key.expires_at <= unit.now()


def _when(unit: Unit, ending: _Ending) -> str:
    if _over(unit, ending.key):
        return "has expired"
    if ending.days == 0:
        return "expires today"
    return "expires tomorrow" if ending.days == 1 else f"expires in {ending.days} days"
