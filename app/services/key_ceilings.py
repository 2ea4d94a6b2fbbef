"""What a tenant demands of all its keys: how long they last at most, and whether they must expire."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from app.core.errors import Invalid, PermissionDenied
from app.core.permissions import Permission
from app.db.units import Unit
from app.services import audit
from app.services.access import require
from app.services.policies import policy_of
from app.tenancy.actors import ActorKind

MOST_DAYS = 5 * 366
A_YEAR = 365
_WITHIN_A_DAY = timedelta(days=1)  # a last day ends at midnight after it


@dataclass(frozen=True, slots=True)
class Ceiling:
    """How many days a secret's key may have from the secret's making on (None: five years), and whether it must end."""

    most_days: int | None
    expiry_required: bool

    @property
    def demands_expiry(self) -> bool:
        """Whether a key without an end is beyond it."""
        return self.expiry_required or self.most_days is not None

    def is_exceeded(self, expires_at: datetime | None, since: datetime) -> bool:
        """Tell whether a key is beyond it that ends at `expires_at` and whose present secret was made at `since`."""
        if expires_at is None:
            return self.demands_expiry
        return self.most_days is not None and expires_at - since > timedelta(days=self.most_days) + _WITHIN_A_DAY

    def shortened(self, expires_at: datetime | None, now: datetime) -> datetime | None:
        """Return when a key ends that gets a new secret now: as before, or as late as is allowed.

        Where an end is asked for and nothing else, one that has none ends in a year.
        """
        return now + timedelta(days=self.most_days or A_YEAR) if self.is_exceeded(expires_at, now) else expires_at


def ceiling_of(unit: Unit) -> Ceiling:
    """Return what the tenant demands of its keys: no secret, whoever issues, changes or looks at keys is told."""
    policy = policy_of(unit)
    return Ceiling(policy.key_most_days, policy.key_expiry_required)


def change_ceiling(unit: Unit, *, most_days: int | None, expiry_required: bool) -> Ceiling:
    """Demand something else of keys, from the next issue and rotation on. Needs tenant:settings:write.

    Keys in force stay as they are. Raises Invalid for days that are not within five years, PermissionDenied for a key.
    """
    require(unit, Permission.SETTINGS_WRITE)
    if unit.actor.kind is not ActorKind.USER:
        raise PermissionDenied("A key does not change what keys are held to.")
    if most_days is not None and not 1 <= most_days <= MOST_DAYS:
        raise Invalid(fields={"most_days": f"from 1 to {MOST_DAYS:,}, or empty"})
    policy = policy_of(unit)
    before = {"key_most_days": policy.key_most_days, "key_expiry_required": policy.key_expiry_required}
    after = {"key_most_days": most_days, "key_expiry_required": expiry_required}
    if after != before:
        policy.key_most_days, policy.key_expiry_required = most_days, expiry_required
        unit.session.add(policy)
        audit.record(unit, "key_ceiling.change", "tenant", unit.tenant_id, before=before, after=after)
    return Ceiling(most_days, expiry_required)


def check_expiry(unit: Unit, expires_at: datetime | None, *, field: str) -> dict[str, str]:
    """Return what is wrong with the end of a key that is issued now, by the name of its field."""
    ceiling = ceiling_of(unit)
    if not ceiling.is_exceeded(expires_at, unit.now()):
        return {}
    if ceiling.most_days is None:
        return {field: "keys of this tenant must expire"}
    days = "a day" if ceiling.most_days == 1 else f"{ceiling.most_days:,} days"
    return {field: f"keys of this tenant last at most {days}"}
