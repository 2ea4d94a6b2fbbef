"""One's own data: all of it to take away, and the account's end."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from app.core import crypto
from app.core.errors import Conflict, Invalid
from app.core.permissions import Role
from app.db import directory, factors, passkeys, people
from app.db.people import Account
from app.db.units import Doorway, Unit
from app.models.tenants import Tenant
from app.services import mails, memberships
from app.services.accounts import Origin
from app.tenancy.actors import ActorKind

REASON = "the person deleted their account"


@dataclass(frozen=True, slots=True)
class Belonging:
    """A tenant that a person belongs to; `held` where it would be left without an owner."""

    name: str
    slug: str
    status: str
    held: bool


def export(door: Doorway, token: str, account: Account) -> dict[str, object]:
    """Return all that is kept about the person outside of tenants' own records, without secrets; times in UTC."""
    hashed = crypto.token_hash(token)
    held = factors.factors_of(door.session, account.user_id)
    return {
        "account": {
            "id": str(account.user_id),
            "email": account.email,
            "name": account.name,
            "created_at": _time(account.created_at),
            "verified_at": _time(account.verified_at),
            "changing_to": account.new_email,
        },
        "memberships": [
            {"tenant": one.slug, "name": one.name, "role": one.role, "status": one.status}
            for one in directory.session_tenants(door.session, hashed)
        ],
        "second_factors": {"authenticator_app_since": _time(held.totp_at), "recovery_codes_left": held.codes_left},
        "passkeys": [
            {"name": one.name, "added_at": _time(one.created_at), "used_at": _time(one.used_at)}
            for one in passkeys.passkeys_of(door.session, account.user_id)
        ],
        "sessions": [
            {
                "signed_in_at": _time(one.created_at),
                "used_at": _time(one.used_at),
                "methods": list(one.methods),
                "address": one.address,
                "agent": one.agent,
            }
            for one in people.account_sessions(door.session, hashed)
        ],
        "events": [
            {"at": _time(one.at), "action": one.action, "address": one.address, "agent": one.agent}
            for one in people.account_history(door.session, hashed)
        ],
    }


def belongings(door: Doorway, account: Account, *, origin: Origin) -> list[Belonging]:
    """Return the tenants that the person belongs to, and which of them they hold as the last owner."""
    found = []
    for unit in _units(door, account, origin):
        tenant = unit.session.scalars(select(Tenant)).one()
        member = memberships.find_member(unit, account.user_id)
        held = member is not None and member.role == Role.OWNER and memberships.count_owners(unit) < 2
        found.append(Belonging(tenant.name, tenant.slug, tenant.status, held))
    return sorted(found, key=lambda one: one.name.lower())


def erase(door: Doorway, account: Account, typed: str, *, origin: Origin) -> None:
    """Delete the account: sessions, factors, memberships and keys end; audit logs keep the address as a label.

    `typed` is the address, typed once more. Raises Invalid where it is another, Conflict while a tenant would be left
    without an owner.
    """
    if typed.strip().lower() != account.email:
        raise Invalid(fields={"name": f"type {account.email} to delete the account"})
    held = [one.name for one in belongings(door, account, origin=origin) if one.held]
    if held:
        raise Conflict(f"You are the last owner of {', '.join(held)}.")
    for unit in _units(door, account, origin):
        memberships.end_membership(unit, account.user_id, reason=REASON)
    if not people.erase_account(door.session, account.user_id):
        raise Conflict("The account changed meanwhile. Look again.")
    mails.request(door, "account-deleted", account.email, user_id=None, client=None)


def _units(door: Doorway, account: Account, origin: Origin) -> Iterator[Unit]:
    user_id: UUID = account.user_id
    actor = origin.actor(ActorKind.USER, user_id, account.email)
    for tenant_id in people.account_tenants(door.session, user_id):
        with door.within(tenant_id, actor) as unit:
            yield unit


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="seconds")
