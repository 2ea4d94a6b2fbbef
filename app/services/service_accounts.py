"""Service accounts: made, changed, disabled, enabled, deleted. Their keys outlive people, within what they may do."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import func, select

from app.core.errors import Conflict, Invalid, NotFound
from app.core.permissions import Permission
from app.db.units import Unit
from app.models.accounts import ApiKey, ServiceAccount
from app.services import audit, excess
from app.services.access import require
from app.services.key_rules import check_name, check_scopes, in_force
from app.services.key_secrets import require_held, require_person, write_revocation
from app.services.pages import Page, newest_first
from app.services.plans import Quota

MOST = 200


def create_account(unit: Unit, *, name: str, permissions: Sequence[str]) -> ServiceAccount:
    """Make a service account with `permissions`, all of which the actor holds. Needs tenant:keys:write and a person.

    Raises Invalid for a name that is empty, long or taken, for no or unknown permissions, and beyond 200 accounts;
    PermissionDenied for a permission that the actor lacks.
    """
    maker_id = require_person(unit)
    _check(unit, None, name, permissions)
    require_held(unit, permissions)
    if len(_living(unit)) >= MOST:
        raise Invalid(f"A tenant has at most {MOST} service accounts.")
    account = ServiceAccount(
        name=name.strip(),
        permissions=sorted(set(permissions)),
        maker_id=maker_id,
        maker_label=unit.actor.label,
        created_at=unit.now(),
    )
    unit.session.add(account)
    unit.session.flush()
    after = {"name": account.name, "permissions": account.permissions}
    audit.record(unit, "service_account.create", "service_account", account.id, after=after)
    return account


def _check(unit: Unit, account_id: UUID | None, name: str, permissions: Sequence[str]) -> None:
    problems = check_name(name) | check_scopes(permissions, field="permissions")
    if any(each.name == name.strip() and each.id != account_id for each in _living(unit)):
        problems["name"] = "another service account has this name"
    if problems:
        raise Invalid("The service account will not do.", fields=problems)


def _living(unit: Unit) -> list[ServiceAccount]:
    wanted = select(ServiceAccount).where(ServiceAccount.deleted_at.is_(None)).order_by(ServiceAccount.name)
    return list(unit.session.scalars(wanted))


def list_accounts(unit: Unit, *, cursor: str | None = None, size: int = 50) -> Page[ServiceAccount]:
    """Return the service accounts that were not deleted, newest first. Needs tenant:keys:read."""
    require(unit, Permission.KEYS_READ)
    wanted = select(ServiceAccount).where(ServiceAccount.deleted_at.is_(None))
    at, row_id = ServiceAccount.created_at, ServiceAccount.id
    return newest_first(unit, wanted, at, row_id, binding="service accounts", cursor=cursor, size=size)


def accounts_to_choose(unit: Unit) -> list[ServiceAccount]:
    """Return the service accounts that keys can be issued for, by name. Needs tenant:keys:read."""
    require(unit, Permission.KEYS_READ)
    return [account for account in _living(unit) if account.disabled_at is None]


def get_account(unit: Unit, account_id: UUID) -> ServiceAccount:
    """Return the service account. Needs tenant:keys:read. Raises NotFound, also for one that was deleted."""
    require(unit, Permission.KEYS_READ)
    account = unit.session.get(ServiceAccount, (unit.tenant_id, account_id))
    if account is None or account.deleted_at is not None:
        raise NotFound()
    return account


def account_names(unit: Unit, ids: Collection[UUID | None]) -> dict[UUID, str]:
    """Return the names of service accounts, of deleted ones too. Needs tenant:keys:read."""
    require(unit, Permission.KEYS_READ)
    wanted = {account_id for account_id in ids if account_id is not None}
    if not wanted:
        return {}
    rows = unit.session.scalars(select(ServiceAccount).where(ServiceAccount.id.in_(wanted)))
    return {account.id: account.name for account in rows}


def keys_in_force(unit: Unit, account_ids: Collection[UUID]) -> dict[UUID, int]:
    """Return how many keys of each service account are neither revoked nor expired. Needs tenant:keys:read."""
    require(unit, Permission.KEYS_READ)
    counted = unit.session.execute(
        select(ApiKey.service_account_id, func.count())
        .where(ApiKey.service_account_id.in_(set(account_ids)), in_force(unit.now()))
        .group_by(ApiKey.service_account_id)
    )
    return {account_id: number for account_id, number in counted if account_id is not None}


def keys_of_account(unit: Unit, account_id: UUID, *, size: int = 50) -> list[ApiKey]:
    """Return the newest keys of the service account. Needs tenant:keys:read."""
    require(unit, Permission.KEYS_READ)
    wanted = select(ApiKey).where(ApiKey.service_account_id == account_id)
    return list(unit.session.scalars(wanted.order_by(ApiKey.created_at.desc(), ApiKey.id.desc()).limit(size)))


def change_account(unit: Unit, account_id: UUID, *, name: str, permissions: Sequence[str]) -> ServiceAccount:
    """Give the service account another name and other permissions; its keys feel both from the next call on.

    Needs tenant:keys:write and a person, who holds each permission that is added. Raises as `create_account` does.
    """
    require_person(unit)
    account = get_account(unit, account_id)
    _check(unit, account_id, name, permissions)
    require_held(unit, sorted(set(permissions) - set(account.permissions)))
    before = {"name": account.name, "permissions": account.permissions}
    after = {"name": name.strip(), "permissions": sorted(set(permissions))}
    if after != before:
        account.name, account.permissions = name.strip(), sorted(set(permissions))
        audit.record(unit, "service_account.change", "service_account", account.id, before=before, after=after)
    return account


def disable_account(unit: Unit, account_id: UUID) -> ServiceAccount:
    """Refuse all keys of the service account from the next call on; a second time changes nothing."""
    require_person(unit)
    account = get_account(unit, account_id)
    if account.disabled_at is None:
        account.disabled_at = unit.now()
        audit.record(unit, "service_account.disable", "service_account", account.id, after={"name": account.name})
    return account


def enable_account(unit: Unit, account_id: UUID) -> ServiceAccount:
    """Let the keys of the service account in again; a second time changes nothing.

    Needs tenant:keys:write and a person who holds all of the account's permissions.
    """
    require_person(unit)
    account = get_account(unit, account_id)
    require_held(unit, account.permissions)
    if account.disabled_at is not None:
        account.disabled_at = None
        audit.record(unit, "service_account.enable", "service_account", account.id, after={"name": account.name})
    return account


def delete_account(unit: Unit, account_id: UUID) -> int:
    """Delete the service account and revoke all of its keys, for good; return how many those were."""
    require_person(unit)
    account = get_account(unit, account_id)
    account.deleted_at = unit.now()
    living = select(ApiKey).where(ApiKey.service_account_id == account_id, ApiKey.revoked_at.is_(None))
    keys = list(unit.session.scalars(living))
    for key in keys:
        write_revocation(unit, key, reason="its service account was deleted")
    gone = {"name": account.name, "permissions": account.permissions}
    audit.record(unit, "service_account.delete", "service_account", account.id, before=gone, after={"keys": len(keys)})
    excess.settle(unit, Quota.API_KEYS)
    return len(keys)


def require_usable(unit: Unit, account_id: UUID, scopes: Sequence[str]) -> ServiceAccount:
    """Return the service account if a key with `scopes` can be issued for it.

    Raises NotFound, Conflict while it is disabled, Invalid for a scope beyond its permissions.
    """
    account = get_account(unit, account_id)
    if account.disabled_at is not None:
        raise Conflict(f"{account.name} is disabled: enable it first.")
    if beyond := sorted(set(scopes) - set(account.permissions)):
        raise Invalid("The key was not issued.", fields={"scopes": f"{account.name} may not: " + ", ".join(beyond)})
    return account
