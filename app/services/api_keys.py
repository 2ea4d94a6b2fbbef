"""API keys: issue (shown once), list, change, revoke."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select

from app.core.errors import Conflict, Invalid, NotFound
from app.core.permissions import WITHIN_WORKSPACE, Permission
from app.db.units import Unit
from app.models.accounts import ApiKey
from app.services import audit, excess, quotas, workspaces
from app.services.access import require
from app.services.key_ceilings import check_expiry
from app.services.key_rules import (
    check_limit,
    check_name,
    check_networks,
    check_scopes,
    end_of,
    in_force,
    told_with_end,
    written,
)
from app.services.key_secrets import IssuedKey, add_secret, require_held, require_person, write_revocation
from app.services.pages import Page, newest_first
from app.services.plans import Quota
from app.services.service_accounts import require_usable


def issue_key(
    unit: Unit,
    *,
    name: str,
    scopes: list[str],
    pepper: bytes,
    lifetime: timedelta | None = None,
    last_day: date | None = None,
    networks: Sequence[str] = (),
    calls_per_minute: int | None = None,
    service_account_id: UUID | None = None,
    workspace_id: UUID | None = None,
) -> IssuedKey:
    """Issue a key with `scopes`, all of which the actor holds. Needs tenant:keys:write; keys cannot make keys.

    It lasts for `lifetime` or through `last_day` (UTC), else for ever; is accepted from `networks` alone where there
    are any; is answered `calls_per_minute` times a minute (None: what the plan says); and is kept to its workspace
    (None: the default one). It belongs to the actor, or to the service account, whose permissions bound it. Raises
    Invalid for an empty or long name, no or unknown scopes or ones beyond the service account's or the workspace, an
    end that is over or beyond the tenant's ceiling, a network that is none, a limit beyond 60,000, a workspace that
    is not there; NotFound for the service account, Conflict while it is disabled or the workspace archived;
    PermissionDenied for a scope that the actor lacks; QuotaExceeded.
    """
    maker_id = require_person(unit)
    workspace_id = workspaces.place_for(unit, workspace_id)
    problems = check_name(name) | _check_scopes(unit, scopes, workspace_id) | check_limit(calls_per_minute)
    found = check_networks(networks, problems)
    expires_at = _expiry(unit, lifetime, last_day, problems)
    if problems:
        raise Invalid("The key was not issued.", fields=problems)
    require_held(unit, scopes)
    if service_account_id is not None:
        require_usable(unit, service_account_id, scopes)
    quotas.require_room(unit, Quota.API_KEYS)
    key = ApiKey(
        name=name.strip(),
        scopes=sorted(set(scopes)),
        maker_id=maker_id,
        maker_label=unit.actor.label,
        created_at=unit.now(),
        expires_at=expires_at,
        expiry_told=told_with_end(expires_at, unit.now()),
        networks=found,
        calls_per_minute=calls_per_minute,
        service_account_id=service_account_id,
        workspace_id=workspace_id,
    )
    unit.session.add(key)
    unit.session.flush()
    secret = add_secret(unit, key, pepper)
    audit.record(unit, "api_key.issue", "api_key", key.id, after=_given(key))
    return IssuedKey(key, secret)


def _check_scopes(unit: Unit, scopes: Sequence[str], workspace_id: UUID) -> dict[str, str]:
    if problems := check_scopes(scopes):
        return problems
    if workspace_id != unit.tenant_id and (wide := sorted(set(scopes) - WITHIN_WORKSPACE)):
        return {"scopes": "only a key of the default workspace can have " + ", ".join(wide)}
    return {}


def _expiry(unit: Unit, lifetime: timedelta | None, last_day: date | None, problems: dict[str, str]) -> datetime | None:
    """Return when the key ends; what is wrong with that, the tenant's ceiling included, is added to `problems`."""
    field, now = "lifetime" if last_day is None else "last_day", unit.now()
    try:
        expires_at = _end(lifetime, last_day, now)
    except ValueError as error:
        problems[field] = str(error)
        return None
    problems |= check_expiry(unit, expires_at, field=field)
    return expires_at


def _end(lifetime: timedelta | None, last_day: date | None, now: datetime) -> datetime | None:
    if last_day is not None:
        return end_of(last_day, now)
    if lifetime is not None and lifetime <= timedelta(0):
        raise ValueError("must lie in the future")
    return None if lifetime is None else now + lifetime


def _given(key: ApiKey) -> dict[str, object]:
    return {
        "name": key.name,
        "scopes": key.scopes,
        "networks": key.networks,
        "expires_at": written(key.expires_at),
        "calls_per_minute": key.calls_per_minute,
        "service_account": None if key.service_account_id is None else str(key.service_account_id),
        "workspace": str(key.workspace_id),
    }


def list_keys(
    unit: Unit, *, workspace_id: UUID | None = None, cursor: str | None = None, size: int = 50
) -> Page[ApiKey]:
    """Return the keys, of one workspace where it is given, newest first. Needs tenant:keys:read."""
    require(unit, Permission.KEYS_READ)
    wanted, binding = select(ApiKey), f"keys:{workspace_id}"
    if workspace_id is not None:
        wanted = wanted.where(ApiKey.workspace_id == workspace_id)
    return newest_first(unit, wanted, ApiKey.created_at, ApiKey.id, binding=binding, cursor=cursor, size=size)


def count_by_workspace(unit: Unit, workspace_ids: Sequence[UUID]) -> dict[UUID, int]:
    """Return how many keys of each workspace are in force. Needs tenant:keys:read."""
    require(unit, Permission.KEYS_READ)
    rows = unit.session.execute(
        select(ApiKey.workspace_id, func.count())
        .where(ApiKey.workspace_id.in_(workspace_ids), in_force(unit.now()))
        .group_by(ApiKey.workspace_id)
    )
    return {workspace_id: number for workspace_id, number in rows}  # noqa: C416 - rows are not pairs to mypy


def count_keys(unit: Unit) -> int:
    """Return how many keys are not revoked."""
    return unit.session.scalar(select(func.count()).select_from(ApiKey).where(ApiKey.revoked_at.is_(None))) or 0


def get_key(unit: Unit, key_id: UUID) -> ApiKey:
    """Return the key. Needs tenant:keys:read. Raises NotFound."""
    require(unit, Permission.KEYS_READ)
    key = unit.session.get(ApiKey, (unit.tenant_id, key_id))
    if key is None:
        raise NotFound()
    return key


def change_key(unit: Unit, key_id: UUID, *, name: str, networks: Sequence[str], calls_per_minute: int | None) -> ApiKey:
    """Give the key another name, other networks and another limit, from the next request on.

    Needs tenant:keys:write; a key changes none. Raises Invalid for a name, a network or a limit that will not do,
    Conflict for a key that was revoked.
    """
    require_person(unit)
    key = get_key(unit, key_id)
    if key.revoked_at is not None:
        raise Conflict("A revoked key stays as it is.")
    problems = check_name(name) | check_limit(calls_per_minute)
    found = check_networks(networks, problems)
    if problems:
        raise Invalid("The key was not changed.", fields=problems)
    before = {"name": key.name, "networks": key.networks, "calls_per_minute": key.calls_per_minute}
    after = {"name": name.strip(), "networks": found, "calls_per_minute": calls_per_minute}
    if after != before:
        key.name, key.networks, key.calls_per_minute = name.strip(), found, calls_per_minute
        audit.record(unit, "api_key.change", "api_key", key.id, before=before, after=after)
    return key


def revoke_key(unit: Unit, key_id: UUID) -> ApiKey:
    """Revoke the key from the next request on; a second time changes nothing. Needs tenant:keys:write.

    Of those beyond the plan the oldest comes in.
    """
    require(unit, Permission.KEYS_WRITE)
    key = get_key(unit, key_id)
    if key.revoked_at is None:
        write_revocation(unit, key)
        excess.settle(unit, Quota.API_KEYS)
    return key
