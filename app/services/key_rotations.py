"""Rotation of API keys: a new secret, beside which the old one works for a while."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import select

from app.core.errors import Conflict, Invalid
from app.db.units import Unit
from app.models.accounts import ApiKey, ApiKeySecret
from app.services import audit
from app.services.api_keys import get_key
from app.services.key_ceilings import ceiling_of, check_expiry
from app.services.key_rules import LONGEST, told_with_end, written
from app.services.key_secrets import IssuedKey, add_secret, require_held, require_person, secrets_of

OVERLAP = timedelta(days=1)
LONGEST_OVERLAP = timedelta(days=30)


def rotate_key(
    unit: Unit, key_id: UUID, *, pepper: bytes, overlap: timedelta = OVERLAP, lifetime: timedelta | None = None
) -> IssuedKey:
    """Give the key a new secret; the present one works on for `overlap`, but never past the end that the key had.

    An older secret, whose overlap is not over yet, ends at once. Scopes and networks stay. The key ends as before, or
    with a `lifetime` so long from now; one beyond the tenant's ceiling is brought beneath it. Needs tenant:keys:write
    and each of the key's scopes; keys rotate none. Raises Invalid for an overlap that is negative or above 30 days and
    for a lifetime beyond the ceiling, Conflict for a key that was revoked or has expired.
    """
    require_person(unit)
    key = _locked(unit, key_id)
    require_rotatable(key, unit.now())
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise Invalid("The key was not rotated.", fields={"overlap": "from none to 30 days"})
    require_held(unit, key.scopes)
    ends_at = min(unit.now() + overlap, key.expires_at or datetime.max.replace(tzinfo=UTC))
    _set_end(unit, key, lifetime)
    ends_at = min(ends_at, key.expires_at or ends_at)
    for secret in secrets_of(unit, key.id):
        if secret.superseded_at is None:
            secret.superseded_at, secret.ends_at = unit.now(), ends_at
        elif is_overlapping(secret, unit.now()):
            secret.ends_at = unit.now()
    unit.session.flush()
    fresh = add_secret(unit, key, pepper)
    after = {"old_secret_ends_at": written(ends_at), "expires_at": written(key.expires_at)}
    audit.record(unit, "api_key.rotate", "api_key", key.id, after=after)
    return IssuedKey(key, fresh)


def _set_end(unit: Unit, key: ApiKey, lifetime: timedelta | None) -> None:
    """Have the key end so long from now, or as before if that is within the ceiling; a new end is told of anew."""
    now = unit.now()
    expires_at = ceiling_of(unit).shortened(key.expires_at, now) if lifetime is None else now + lifetime
    if lifetime is not None:
        problems = check_expiry(unit, expires_at, field="lifetime")
        if not timedelta(0) < lifetime <= LONGEST:
            problems = {"lifetime": "from a day to five years"}
        if problems:
            raise Invalid("The key was not rotated.", fields=problems)
    if expires_at != key.expires_at:
        key.expires_at, key.expiry_told = expires_at, told_with_end(expires_at, now)


def require_rotatable(key: ApiKey, now: datetime) -> None:
    """Return if the key is in force. Raises Conflict."""
    if key.revoked_at is not None:
        raise Conflict("A revoked key stays as it is.")
    if key.expires_at is not None and key.expires_at <= now:
        raise Conflict("This key has expired: issue another one.")


def end_overlap(unit: Unit, key_id: UUID) -> None:
    """End the key's old secret from the next request on; without one nothing changes. Needs tenant:keys:write."""
    require_person(unit)
    key = _locked(unit, key_id)
    ended = [secret for secret in secrets_of(unit, key.id) if is_overlapping(secret, unit.now())]
    for secret in ended:
        audit.record(unit, "api_key.end-overlap", "api_key", key.id, after={"secret": secret.hint})
        secret.ends_at = unit.now()


def is_overlapping(secret: ApiKeySecret, now: datetime) -> bool:
    """Tell whether the secret is a former one that still works."""
    return secret.superseded_at is not None and secret.ends_at is not None and secret.ends_at > now


def _locked(unit: Unit, key_id: UUID) -> ApiKey:
    """Return the key as it is now, of which one rotation at a time is made."""
    get_key(unit, key_id)
    wanted = select(ApiKey).where(ApiKey.id == key_id).with_for_update()
    return unit.session.scalars(wanted, execution_options={"populate_existing": True}).one()
