"""Further members of a tenant, each a person with an account of their own."""

import secrets
from uuid import UUID

from sqlalchemy import select

from app.core import crypto
from app.core.ids import new_id
from app.core.permissions import Permission, Role, permissions_of
from app.db import directory
from app.db.invitations import issue_invitation
from app.db.units import Home, Units
from app.models.accounts import AccountAuditEvent, Membership
from app.services import extras, invitations, memberships
from app.tenancy.actors import Actor, ActorKind
from tests.peers.tenants import Made

HASHED: dict[str, str] = {}
PASSWORD = "a kettle on the northern shore"


def hashed(password: str) -> str:
    """The password's hash, made once a run: argon2id is slow on purpose."""
    return HASHED.setdefault(password, crypto.hash_password(password))


def make_person(made: Made, name: str = "Mira Member") -> Made:
    """Make a person with a confirmed address and no membership; the tenant named is only where tests look."""
    email, user_id = f"p-{secrets.token_hex(5)}@example.com", new_id()
    with made.units.identify() as door:
        assert directory.register_user(door.session, user_id, email, name, hashed(PASSWORD), verified=True)
        door.commit()
    actor = Actor(ActorKind.USER, user_id, email)
    return Made(made.id, made.slug, email, PASSWORD, actor, made.units)


def make_member(made: Made, role: Role = Role.OPERATOR, name: str = "Mira Member") -> Made:
    """Make a person who is a member of the tenant in this role."""
    person = make_person(made, name)
    with made.unit(Home.ACCOUNT) as unit:
        memberships.add_member(unit, user_of(person), person.email, name, role, source="invitation")
        unit.commit()
    actor = Actor(ActorKind.USER, user_of(person), person.email, frozenset(str(p) for p in permissions_of(role)))
    return Made(made.id, made.slug, person.email, person.password, actor, made.units)


def user_of(made: Made) -> UUID:
    """Return the id of the person."""
    assert made.actor.id is not None
    return made.actor.id


def stock_people(made: Made) -> dict[str, UUID]:
    """Give the tenant a viewer with an extra permission, and an open invitation; return their ids."""
    viewer = make_member(made, Role.VIEWER)
    with made.unit(Home.ACCOUNT) as unit:
        extra = extras.grant_extra(unit, user_of(viewer), Permission.AUDIT_READ, reason="tests")
        invited = invitations.invite(unit, f"i-{secrets.token_hex(5)}@example.com", Role.VIEWER)
        unit.commit()
    return {"user_id": user_of(viewer), "extra_id": extra.id, "invitation_id": invited.id}


def invitation_link(made: Made, worker_units: Units, email: str) -> str:
    """Invite an address as a viewer; return the path of the link that its mail carries."""
    with made.unit(Home.ACCOUNT) as unit:
        mail_id = invitations.invite(unit, email, Role.VIEWER).mail_id
        unit.commit()
    token = crypto.new_token()
    with worker_units.identify() as door:
        assert issue_invitation(door.session, mail_id, crypto.token_hash(token)) is not None
        door.commit()
    return f"/invitation/{token}"


def roles(made: Made) -> dict[str, str]:
    """The role of each member by address."""
    with made.unit(Home.ACCOUNT) as unit:
        return {row.email: row.role for row in unit.session.scalars(select(Membership))}


def trail(made: Made) -> list[tuple[str, dict[str, object] | None, dict[str, object] | None]]:
    """The account's audit rows, oldest first."""
    with made.unit(Home.ACCOUNT) as unit:
        rows = unit.session.scalars(select(AccountAuditEvent).order_by(AccountAuditEvent.id))
        return [(row.action, row.before, row.after) for row in rows]


def change(made: Made, by: Made, whom: Made, role: Role) -> None:
    """Give a member another role, by whoever acts."""
    with made.unit(Home.ACCOUNT, by.actor) as unit:
        memberships.change_role(unit, user_of(whom), role)
        unit.commit()


def end(made: Made, by: Made, whom: Made, reason: str = "left the company") -> memberships.Ending:
    """End a membership, by whoever acts."""
    with made.unit(Home.ACCOUNT, by.actor) as unit:
        ending = memberships.end_membership(unit, user_of(whom), reason=reason)
        unit.commit()
        return ending


def member(made: Made, address: str) -> Membership | None:
    """Return the membership of an address in a tenant."""
    with made.unit(Home.ACCOUNT) as unit:
        return unit.session.scalar(select(Membership).where(Membership.email == address))
