"""How a tenant's provisioning stands: whether it may be had, the tokens, the last sync, who and what was sent."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from app.core.permissions import Permission
from app.db.units import Unit
from app.models.accounts import Membership
from app.models.provisioning import ProvisionedGroup, ProvisionedPerson, ScimToken
from app.services.access import require
from app.services.pages import Page, before, count_rows, cut, decode_cursor, newest_first
from app.services.plans import Feature, has_feature
from app.services.scim_tokens import tokens_in_force


@dataclass(frozen=True, slots=True)
class Standing:
    """Provisioning at a glance; `synced_at` is the last request of an identity provider."""

    included: bool
    tokens: tuple[ScimToken, ...]
    synced_at: datetime | None
    people: int
    groups: int


def standing(unit: Unit) -> Standing:
    """Return how provisioning stands. Needs tenant:sign-in:read."""
    require(unit, Permission.SIGN_IN_READ)
    return Standing(
        has_feature(unit, Feature.SCIM),
        tuple(tokens_in_force(unit)),
        unit.session.scalar(select(func.max(ScimToken.used_at))),
        count_rows(unit, select(ProvisionedPerson.id)),
        count_rows(unit, select(ProvisionedGroup.id)),
    )


@dataclass(frozen=True, slots=True)
class PersonRow:
    """A provisioned person with their role now, or None where they are no member."""

    person: ProvisionedPerson
    role: str | None


def list_people(unit: Unit, *, cursor: str | None = None, size: int = 50) -> Page[PersonRow]:
    """Return the provisioned people, the newest first. Needs tenant:sign-in:read."""
    require(unit, Permission.SIGN_IN_READ)
    statement = (
        select(ProvisionedPerson, Membership.role)
        .outerjoin(
            Membership,
            (Membership.tenant_id == ProvisionedPerson.tenant_id) & (Membership.user_id == ProvisionedPerson.user_id),
        )
        .order_by(ProvisionedPerson.created_at.desc(), ProvisionedPerson.id.desc())
        .limit(size + 1)
    )
    if after := decode_cursor(unit, cursor, "provisioned"):
        statement = statement.where(before(ProvisionedPerson.created_at, ProvisionedPerson.id, after))
    rows = [PersonRow(person, role if person.active else None) for person, role in unit.session.execute(statement)]
    count = count_rows(unit, select(ProvisionedPerson.id))
    return cut(unit, rows, size, "provisioned", lambda row: (row.person.created_at, row.person.id), count)


def list_groups(unit: Unit, *, cursor: str | None = None, size: int = 50) -> Page[ProvisionedGroup]:
    """Return the provisioned groups, the newest first. Needs tenant:sign-in:read."""
    require(unit, Permission.SIGN_IN_READ)
    wanted, at, row_id = select(ProvisionedGroup), ProvisionedGroup.created_at, ProvisionedGroup.id
    return newest_first(unit, wanted, at, row_id, binding="provisioned-groups", cursor=cursor, size=size, counted=True)
