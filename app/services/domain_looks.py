"""Proven e-mail domains looked at again: a record that is gone for long proves its domain no longer."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from app.core.permissions import Permission
from app.db.units import Unit
from app.models.connections import EmailDomain
from app.models.tenants import Tenant
from app.outbox.requests import request_effect
from app.scanners.ownership import Attempt, absent, challenge_name, challenge_value, proved
from app.services import audit, notices
from app.services.memberships import members_with

EVERY = timedelta(days=1)
MISSING_EVERY = timedelta(hours=6)
JITTER = 0.25
WARN_AFTER = timedelta(days=3)
LAPSE_AFTER = timedelta(days=14)


def next_look(found: EmailDomain, now: datetime) -> datetime:
    """Return when the record is looked for again: about daily, four times as often while it is missing."""
    every = EVERY if found.missing_since is None else MISSING_EVERY
    return now + every * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 (spreads load, keeps nothing secret)


def look_again(unit: Unit, domain_id: UUID) -> bool:
    """Have the record of a proven domain looked for, if that is due; whether it was. For the worker.

    The next look is set with the request, so that of two workers one asks.
    """
    found = unit.session.get(EmailDomain, (unit.tenant_id, domain_id), with_for_update=True)
    if found is None or found.verified_at is None or (found.look_at is not None and found.look_at > unit.now()):
        return False
    found.look_at = next_look(found, unit.now())
    request_effect(unit, "domain.check", {"domain_id": str(domain_id)})
    return True


def judge(unit: Unit, found: EmailDomain, attempts: Sequence[Attempt]) -> None:
    """Note what a look at a proven domain's record means. For the worker: asks for no permission.

    Only an answer of every resolver that asked says that the record is gone: a look that failed, or a resolver that is
    dead, changes nothing. Whoever looks after sign-in is told after three days without it, and the domain is proven no
    longer after fourteen, eleven of them after the mail.
    """
    now = unit.now()
    if proved(list(attempts)):
        if found.warned_at is not None:
            audit.record(unit, "email_domain.found-again", "email_domain", found.id, after={"domain": found.domain})
        found.missing_since = found.warned_at = None
        return
    if not absent(attempts):
        return
    found.missing_since = found.missing_since or now
    if found.warned_at is None and now - found.missing_since >= WARN_AFTER:
        found.warned_at = now
        audit.record(unit, "email_domain.missing", "email_domain", found.id, after=_facts(found))
        _tell(unit, found, "is missing", [_gone(found), _until(now), _mend(found)])
    elif (
        found.warned_at is not None
        and now - found.missing_since >= LAPSE_AFTER
        and now - found.warned_at >= LAPSE_AFTER - WARN_AFTER
    ):
        _lapse(unit, found)


def _lapse(unit: Unit, found: EmailDomain) -> None:
    since = _facts(found)
    gone = _gone(found)
    found.lapsed_at, found.verified_at = unit.now(), None
    found.missing_since = found.warned_at = found.look_at = None
    audit.record(unit, "email_domain.lapse", "email_domain", found.id, before=since)
    over = f"Addresses in {found.domain} no longer sign in by single sign-on, and nobody becomes a member by it."
    back = "Owners come in by password and second factor. Sessions that are open, members and their roles stay."
    _tell(unit, found, "is proven no longer", [gone, over, back, _mend(found)])


def _facts(found: EmailDomain) -> dict[str, object]:
    since = None if found.missing_since is None else found.missing_since.isoformat(timespec="seconds")
    return {"domain": found.domain, "missing_since": since}


def _gone(found: EmailDomain) -> str:
    since = "" if found.missing_since is None else f" since {found.missing_since:%-d %B %Y}"
    return f"The DNS record that proves {found.domain} was not found any more{since}."


def _until(now: datetime) -> str:
    return (
        f"If it stays away until {now + (LAPSE_AFTER - WARN_AFTER):%-d %B %Y}, addresses in this domain no longer "
        "sign in by single sign-on until it is proven again."
    )


def _mend(found: EmailDomain) -> str:
    return f'Put it back: TXT, {challenge_name(found.domain)}, "{challenge_value(found.token)}".'


def _tell(unit: Unit, found: EmailDomain, what: str, lines: list[str]) -> None:
    tenant = unit.session.get_one(Tenant, unit.tenant_id)
    for member in members_with(unit, Permission.SIGN_IN_WRITE):
        notices.tell_member(
            unit,
            member,
            f"{tenant.name}: the e-mail domain {found.domain} {what}",
            lines,
            f"/t/{tenant.slug}/sign-in/domains",
            why=f"You get this because you look after sign-in of {tenant.name}.",
        )
