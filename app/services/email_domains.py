"""E-mail domains: each is one tenant's, once a DNS record proves it; only then its addresses sign in by SSO."""

import secrets
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from app.core.errors import Conflict, Invalid, NotFound
from app.core.outbound import Refused
from app.core.outbound.locations import plain_host
from app.core.permissions import Permission
from app.db.units import Unit
from app.models.connections import EmailDomain
from app.outbox.requests import request_effect
from app.scanners.ownership import Attempt, proved
from app.services import audit, domain_looks
from app.services.access import require
from app.services.plans import Feature, has_feature, require_feature

CHECK_INTERVAL = timedelta(seconds=8)
MOST_DOMAINS = 50


def domain_of(email: str) -> str:
    """Return an address's domain in the one form that domains are kept in. Raises ValueError."""
    try:
        return plain_host(email.rpartition("@")[2])
    except Refused as refusal:
        raise ValueError("not a domain") from refusal


def parse_domain(text: str) -> str:
    """Return the domain that `text` spells: a full name, in ASCII and lower case. Raises ValueError."""
    name = domain_of(text.strip().rstrip("."))
    if "." not in name or ":" in name or name.rpartition(".")[2].isdigit():
        raise ValueError("not a domain")
    return name


def list_domains(unit: Unit) -> list[EmailDomain]:
    """Return the domains by name. Needs tenant:sign-in:read."""
    require(unit, Permission.SIGN_IN_READ)
    return list(unit.session.scalars(select(EmailDomain).order_by(EmailDomain.domain)))


def get_domain(unit: Unit, domain_id: UUID) -> EmailDomain:
    """Return the domain. Needs tenant:sign-in:read. Raises NotFound."""
    require(unit, Permission.SIGN_IN_READ)
    return find_domain(unit, domain_id)


def find_domain(unit: Unit, domain_id: UUID) -> EmailDomain:
    """Return the domain. For the worker: asks for no permission. Raises NotFound."""
    found = unit.session.get(EmailDomain, (unit.tenant_id, domain_id))
    if found is None:
        raise NotFound()
    return found


def are_offered(unit: Unit) -> bool:
    """Tell whether the plan has what proven domains are for: single sign-on, or provisioning."""
    return has_feature(unit, Feature.SSO) or has_feature(unit, Feature.SCIM)


def _require_use(unit: Unit) -> None:
    if not are_offered(unit):
        require_feature(unit, Feature.SSO)


def add_domain(unit: Unit, text: str) -> EmailDomain:
    """Add a domain that is yet to be proven. Needs tenant:sign-in:write. Raises Invalid, Conflict, FeatureMissing."""
    require(unit, Permission.SIGN_IN_WRITE)
    _require_use(unit)
    try:
        name = parse_domain(text)
    except ValueError as error:
        raise Invalid(fields={"domain": "a domain such as example.com"}) from error
    present = {found.domain for found in list_domains(unit)}
    if name in present:
        raise Conflict(f"{name} is on the list already.")
    if len(present) >= MOST_DOMAINS:
        raise Conflict(f"There are {MOST_DOMAINS} domains already.")
    added = EmailDomain(domain=name, token=secrets.token_hex(16), created_at=unit.now())
    unit.session.add(added)
    unit.session.flush()
    audit.record(unit, "email_domain.add", "email_domain", added.id, after={"domain": name})
    return added


def request_check(unit: Unit, domain_id: UUID) -> EmailDomain:
    """Have the worker look for the record, unless it looked a moment ago. Needs tenant:sign-in:write.

    What was proven before is looked for on any plan. Raises NotFound, FeatureMissing.
    """
    require(unit, Permission.SIGN_IN_WRITE)
    found = get_domain(unit, domain_id)
    if found.verified_at is None and found.lapsed_at is None:
        _require_use(unit)
    if found.requested_at is None or unit.now() - found.requested_at >= CHECK_INTERVAL:
        found.requested_at = unit.now()
        request_effect(unit, "domain.check", {"domain_id": str(domain_id)})
    return found


def note_attempts(unit: Unit, domain_id: UUID, attempts: Sequence[Attempt]) -> EmailDomain:
    """Keep what the look for the record saw; one match proves the domain, unless another tenant proved it before.

    What it means for a domain that is proven already, domain_looks says.

    For the worker: asks for no permission.
    """
    found = find_domain(unit, domain_id)
    now = unit.now()
    found.checked_at = now
    found.attempts = [{"asked": seen.asked, "matched": seen.matched, "status": seen.status} for seen in attempts]
    if found.verified_at is not None:
        domain_looks.judge(unit, found, attempts)
        return found
    if not proved(list(attempts)):
        return found
    unit.session.flush()
    try:
        with unit.session.begin_nested():
            found.verified_at, found.lapsed_at = now, None
            found.look_at = domain_looks.next_look(found, now)
            unit.session.flush()
    except IntegrityError:
        unit.session.refresh(found)
        taken = "found, but another tenant has proven this domain: ask support"
        found.attempts = [{**seen, "matched": False, "status": taken} for seen in found.attempts]
        return found
    audit.record(unit, "email_domain.prove", "email_domain", found.id, after={"domain": found.domain})
    return found


def remove_domain(unit: Unit, domain_id: UUID) -> EmailDomain:
    """Take a domain off: its addresses no longer sign in by SSO. Needs tenant:sign-in:write. Raises NotFound."""
    require(unit, Permission.SIGN_IN_WRITE)
    found = get_domain(unit, domain_id)
    audit.record(unit, "email_domain.remove", "email_domain", found.id, before={"domain": found.domain})
    unit.session.delete(found)
    return found


def is_proven(unit: Unit, domain: str) -> bool:
    """Tell whether this domain is proven to be the unit's tenant's. Asks for no permission."""
    conditions = (EmailDomain.domain == domain, EmailDomain.verified_at.is_not(None))
    return bool(unit.session.scalar(select(func.count()).select_from(EmailDomain).where(*conditions)))


def count_proven(unit: Unit) -> int:
    """Return how many domains are proven. Asks for no permission."""
    return unit.session.scalar(select(func.count()).where(EmailDomain.verified_at.is_not(None))) or 0
