"""People whom an identity provider sends: each is a membership, in force while the provider says that they are active.

An account is made where the address has none. One that is there is joined to the tenant and otherwise left alone:
its name, address and password are its holder's.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, select

from app.core import crypto
from app.core.errors import Conflict, Invalid
from app.core.permissions import Permission, Role
from app.db.people import provision_user
from app.db.units import Unit
from app.models.accounts import Membership
from app.models.provisioning import ProvisionedGroup, ProvisionedGroupMember, ProvisionedPerson
from app.services import audit, memberships, provisioned_rows
from app.services.access import require
from app.services.accounts import normal_email
from app.services.email_domains import domain_of, is_proven
from app.services.group_roles import given_roles
from app.services.plans import Feature, require_feature
from app.services.provisioned_roles import settle_roles

FIRST_ROLE = Role.VIEWER
LONGEST = {"user_name": 320, "external_id": 256}
LONGEST_NAME = 120
MOST_EMAILS = 20


@dataclass(frozen=True, slots=True)
class Email:
    """One of a person's addresses, as the identity provider wrote it."""

    value: str
    type: str | None = None
    primary: bool | None = None
    display: str | None = None


@dataclass(frozen=True, slots=True)
class Described:
    """A person as the identity provider describes them."""

    user_name: str
    active: bool = True
    external_id: str | None = None
    display_name: str | None = None
    formatted: str | None = None
    given_name: str | None = None
    family_name: str | None = None
    emails: tuple[Email, ...] = ()

    @property
    def name(self) -> str:
        """What the person is called in the tenant."""
        both = " ".join(part for part in (self.given_name, self.family_name) if part)
        return (self.display_name or self.formatted or both or self.user_name)[:LONGEST_NAME]


TEXTS = ("user_name", "external_id", "display_name", "formatted", "given_name", "family_name")


def comparable(text: str) -> str:
    """Return a user name in the form in which it is compared."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).lower())


def address_of(described: Described) -> str:
    """Return the address that the person is known by: the primary one, one for work, any, or the user name.

    Raises Invalid where there is none.
    """
    ranked = sorted(described.emails, key=lambda email: (email.primary is not True, (email.type or "") != "work"))
    for text in (*(email.value for email in ranked), described.user_name):
        try:
            return normal_email(text)
        except ValueError:
            continue
    raise Invalid("A person needs an e-mail address, in emails or as userName.")


def provision(unit: Unit, described: Described) -> ProvisionedPerson:
    """Keep a person, and make them a member unless they are not active. Needs tenant:people:write.

    Somebody who is a member already stays one, in their role. Raises Invalid for an address outside of the tenant's
    proven domains, Conflict where the user name or the person is there already, or where the address has an account
    that nobody has confirmed; FeatureMissing where the plan has no provisioning.
    """
    require(unit, Permission.PEOPLE_WRITE)
    require_feature(unit, Feature.SCIM)
    address = _checked(unit, described)
    if _known(unit, ProvisionedPerson.user_key == comparable(described.user_name)):
        raise _taken("userName is taken.")
    user_id = _account(unit, address, described.name)
    if _known(unit, ProvisionedPerson.user_id == user_id):
        raise _taken("The address belongs to somebody who is provisioned already.")
    member = memberships.find_member(unit, user_id)
    role = FIRST_ROLE if member is None else member.role
    person = ProvisionedPerson(
        user_id=user_id, base_role=role, created_at=unit.now(), version=0, active=member is not None
    )
    _write(unit, person, described, address)
    unit.session.add(person)
    unit.session.flush()
    audit.record(unit, "provisioned_person.create", "provisioned_person", person.id, after=shown(person))
    _settle(unit, person, active=described.active)
    return person


def change(unit: Unit, person: ProvisionedPerson, described: Described) -> ProvisionedPerson:
    """Make the person what `described` says; their membership ends or begins anew with `active`.

    Whatever the plan, somebody can be switched off: who left a company loses the way in. Needs tenant:people:write.
    Raises as `provision`, and Conflict where the last owner would be left without access.
    """
    require(unit, Permission.PEOPLE_WRITE)
    if described.active:
        require_feature(unit, Feature.SCIM)
    address = _checked(unit, described)
    key = comparable(described.user_name)
    if key != person.user_key and _known(unit, ProvisionedPerson.user_key == key):
        raise _taken("userName is taken.")
    before = shown(person)
    _write(unit, person, described, address)
    after = shown(person)
    if after != before:
        unit.session.flush()
        differing = {name: value for name, value in before.items() if after[name] != value}
        new = {name: after[name] for name in differing}
        audit.record(unit, "provisioned_person.change", "provisioned_person", person.id, before=differing, after=new)
    _settle(unit, person, active=described.active)
    return person


def find_person(unit: Unit, user_id: UUID) -> ProvisionedPerson | None:
    """Return how the identity provider describes the account's holder. For a sign-in: asks for no permission."""
    return unit.session.scalars(select(ProvisionedPerson).where(ProvisionedPerson.user_id == user_id)).one_or_none()


def remove(unit: Unit, person: ProvisionedPerson) -> None:
    """Forget the person; their membership ends. Needs tenant:people:write. Raises Conflict for the last owner."""
    require(unit, Permission.PEOPLE_WRITE)
    _settle(unit, person, active=False)
    audit.record(unit, "provisioned_person.delete", "provisioned_person", person.id, before=shown(person))
    unit.session.delete(person)
    unit.session.flush()


def get(unit: Unit, person_id: UUID, *, held: bool = False) -> ProvisionedPerson:
    """Return the person, `held` until the end of the unit. Needs tenant:people:read. Raises NotFound."""
    return provisioned_rows.find(unit, ProvisionedPerson, "user", person_id, held=held)


def list_people(
    unit: Unit, condition: ColumnElement[bool] | None = None, *, skip: int = 0, most: int = 100
) -> tuple[list[ProvisionedPerson], int]:
    """Return people in the order in which they came, and how many fit in all. Needs tenant:people:read."""
    return provisioned_rows.list_rows(unit, ProvisionedPerson, condition, skip=skip, most=most)


def groups_of(unit: Unit, ids: list[UUID]) -> dict[UUID, list[tuple[UUID, str]]]:
    """Return the groups of people, as id and name, by person. Needs tenant:people:read."""
    require(unit, Permission.PEOPLE_READ)
    found: dict[UUID, list[tuple[UUID, str]]] = {}
    rows = unit.session.execute(
        select(ProvisionedGroupMember.person_id, ProvisionedGroup.id, ProvisionedGroup.display_name)
        .join(
            ProvisionedGroup,
            (ProvisionedGroup.tenant_id == ProvisionedGroupMember.tenant_id)
            & (ProvisionedGroup.id == ProvisionedGroupMember.group_id),
        )
        .where(ProvisionedGroupMember.person_id.in_(ids))
        .order_by(ProvisionedGroup.display_name)
    )
    for person_id, group_id, name in rows:
        found.setdefault(person_id, []).append((group_id, name))
    return found


def members_among(unit: Unit, people: Sequence[ProvisionedPerson]) -> frozenset[UUID]:
    """Return the ids of those who are members: whom the identity provider has on, and nobody here has removed."""
    wanted = {person.user_id: person.id for person in people if person.active}
    found = unit.session.scalars(select(Membership.user_id).where(Membership.user_id.in_(list(wanted))))
    return frozenset(wanted[user_id] for user_id in found)


def described(person: ProvisionedPerson, active: bool) -> Described:
    """Return the person as the identity provider described them; `active` tells whether they are a member."""
    texts = {name: getattr(person, name) for name in TEXTS}
    return Described(active=active, emails=tuple(Email(**each) for each in person.emails), **texts)


def shown(person: ProvisionedPerson) -> dict[str, object]:
    """Return what an audit row says of the person."""
    return {**{name: getattr(person, name) for name in TEXTS}, "address": person.address}


def in_proven_domain(unit: Unit, address: str) -> bool:
    """Tell whether the tenant has proven that the domain of the address is its own."""
    try:
        return is_proven(unit, domain_of(address))
    except ValueError:
        return False


def _known(unit: Unit, which: ColumnElement[bool]) -> bool:
    return unit.session.scalar(select(ProvisionedPerson.id).where(which)) is not None


def _checked(unit: Unit, described: Described) -> str:
    """Return the person's address. Raises Invalid for a text that will not do or an address of elsewhere."""
    for name in TEXTS:
        text = getattr(described, name)
        longest = LONGEST.get(name, 200)
        if text is not None and (len(text) > longest or not text.isprintable()):
            raise Invalid(f"{name} has at most {longest} characters, on one line.")
    if not described.user_name.strip():
        raise Invalid("userName must not be empty.")
    if len(described.emails) > MOST_EMAILS:
        raise Invalid(f"A person has at most {MOST_EMAILS} e-mail addresses.")
    for text in (part for each in described.emails for part in (each.value, each.type, each.display)):
        if text is not None and (len(text) > 320 or not text.isprintable()):
            raise Invalid("An e-mail address has at most 320 characters, on one line.")
    address = address_of(described)
    if not in_proven_domain(unit, address):
        raise Invalid(f"{address} is outside of the e-mail domains that this tenant has proven.")
    return address


def _account(unit: Unit, address: str, name: str, *, known: UUID | None = None) -> UUID:
    """Return the account `known`, else of the address, made now if there is none; nobody knows its password then."""
    user_id, verified = provision_user(unit.session, address, name, crypto.nobodys_hash(), known=known)
    if not verified:
        raise _taken(f"{address} has an account whose address was never confirmed. Its holder confirms it first.")
    return user_id


def _write(unit: Unit, person: ProvisionedPerson, described: Described, address: str) -> None:
    for name in TEXTS:
        setattr(person, name, getattr(described, name))
    person.user_key = comparable(described.user_name)
    person.address = address
    person.emails = [
        {"value": email.value, "type": email.type, "primary": email.primary, "display": email.display}
        for email in described.emails
    ]
    lines = "\n".join(f"{(email.type or '').lower()}\t{email.value.lower()}" for email in described.emails)
    person.email_keys = f"\n{lines}\n"
    person.changed_at = unit.now()
    person.version += 1


def _settle(unit: Unit, person: ProvisionedPerson, *, active: bool) -> None:
    """Let the person be a member or not; a member shows the name that the identity provider gives."""
    member = memberships.find_member(unit, person.user_id)
    if active and member is not None and person.active:
        member.name, member.email = described(person, active).name, person.address
        return
    if not active and member is None and not person.active:
        return
    if active:
        _begin(unit, person, member)
    elif member is not None:
        _end(unit, person, member)
    person.active = active
    unit.session.flush()
    verb = "activate" if active else "deactivate"
    audit.record(unit, f"provisioned_person.{verb}", "provisioned_person", person.id, after={"active": active})
    settle_roles(unit, [person.id])


def _begin(unit: Unit, person: ProvisionedPerson, member: Membership | None) -> None:
    """Make the person a member with the role that they had; an owner comes back as an administrator."""
    if member is not None:
        return
    if person.base_role == Role.OWNER:
        person.base_role = Role.ADMIN
    name, role = described(person, True).name, Role(person.base_role)
    person.user_id = _account(unit, person.address, name, known=person.user_id)
    memberships.add_member(unit, person.user_id, person.address, name, role, source="scim")


def _end(unit: Unit, person: ProvisionedPerson, member: Membership) -> None:
    if person.id not in given_roles(unit, [person.id]):
        person.base_role = member.role
    memberships.end_membership(unit, person.user_id, reason="switched off by the identity provider")


def _taken(detail: str) -> Conflict:
    return Conflict(detail, extra={"scimType": "uniqueness"})
