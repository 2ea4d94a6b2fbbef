"""Invitations: bound to an address, within what the inviter has, each line's fate told; one link, used once."""

import threading
from collections.abc import Callable
from dataclasses import replace

import psycopg
import pytest

from app.core.errors import Conflict, Invalid, NotFound, PermissionDenied, QuotaExceeded, TooManyRequests
from app.core.permissions import Permission, Role
from app.db.units import Home, Units
from app.models.accounts import Invitation
from app.services import acceptances, accounts, entrances, invitations, memberships, profiles
from app.services.acceptances import Newcomer, WrongAccount
from app.services.invitations import AlreadyInvited
from app.services.memberships import AlreadyMember
from tests.peers.letters import Letters, text_of
from tests.peers.members import change, end, make_member, make_person, roles, trail, user_of
from tests.peers.tenants import ORIGIN, Made
from tests.plugins.servers import Database

NEWCOMER = Newcomer("Nell New", "a lighthouse keeps its own hours")


def invite(made: Made, email: str, role: Role = Role.VIEWER, by: Made | None = None) -> Invitation:
    with made.unit(Home.ACCOUNT, (by or made).actor) as unit:
        invitation = invitations.invite(unit, email, role)
        unit.commit()
        return invitation


def open_addresses(made: Made) -> list[str]:
    with made.unit(Home.ACCOUNT) as unit:
        return [row.email for row in invitations.list_invitations(unit).rows]


def token_of(letters: Letters, email: str) -> str:
    return letters.link(email).rsplit("/", 1)[1]


def session_of(units: Units, made: Made) -> str:
    with units.identify() as door:
        token = accounts.sign_in(door, made.email, made.password, origin=ORIGIN).token
        door.commit()
        return token


def join(units: Units, token: str, newcomer: Newcomer = NEWCOMER) -> None:
    with units.identify() as door:
        acceptances.join(door, token, newcomer, origin=ORIGIN)
        door.commit()


def accept(units: Units, token: str, session: str) -> None:
    with units.identify() as door:
        acceptances.accept(door, token, session, origin=ORIGIN)
        door.commit()


def far(made: Made, number: int = 0) -> str:
    return f"guest{number}-{made.slug}@example.com"


def test_a_new_person_joins_by_the_link(tenant: Made, units: Units, letters: Letters) -> None:
    """The mail names tenant, role and inviter; joining makes an account with its address confirmed, and audit rows."""
    email = far(tenant)
    invitation = invite(tenant, f" {email.upper()} ", Role.OPERATOR)
    letter = letters.last(email)
    assert letter["Subject"] == "You are invited to Acme"
    assert tenant.email in text_of(letter) and "operator" in text_of(letter) and "seven days" in text_of(letter)
    join(units, token_of(letters, email))
    assert roles(tenant)[email] == "operator"
    assert [row[0] for row in trail(tenant)][-3:] == ["invitation.send", "membership.add", "invitation.accept"]
    assert trail(tenant)[-1][2] == {"email": email, "role": "operator", "invited_by": tenant.email}
    session = session_of(units, replace(tenant, email=email, password=NEWCOMER.password))
    with units.identify() as door:
        assert profiles.account_of(door, session).verified_at is not None
        found = entrances.by_session(door, session, tenant.slug)
        assert found is not None and found.role == "operator"
    assert open_addresses(tenant) == [] and invitation.email == email


def test_a_signed_in_person_accepts(tenant: Made, units: Units, letters: Letters) -> None:
    """Whoever has the invited address accepts with their account, and keeps their other tenants."""
    person = make_person(tenant)
    invite(tenant, person.email, Role.AUDITOR)
    accept(units, token_of(letters, person.email), session_of(units, person))
    assert roles(tenant)[person.email] == "auditor"


def test_looking_changes_nothing_and_a_link_works_once(tenant: Made, units: Units, letters: Letters) -> None:
    """Gateways that open links ahead use nothing up; a second acceptance finds the link used."""
    person = make_person(tenant)
    invite(tenant, person.email)
    token, session = token_of(letters, person.email), session_of(units, person)
    for _ in range(3):
        with units.identify() as door:
            assert acceptances.look(door, token).email == person.email
            door.commit()
    accept(units, token, session)
    with pytest.raises(NotFound):
        accept(units, token, session)


def test_a_link_is_for_its_address_alone(
    tenant: Made, tenants: Callable[[], Made], units: Units, letters: Letters
) -> None:
    """A forwarded link lets nobody else in, signed in or with a new account of another address."""
    email, other = far(tenant), tenants()
    invite(tenant, email)
    with pytest.raises(WrongAccount, match=email):
        accept(units, token_of(letters, email), session_of(units, other))
    join(units, token_of(letters, email))
    assert set(roles(tenant)) == {tenant.email, email}


def test_whoever_has_an_account_cannot_be_signed_up_again(tenant: Made, units: Units, letters: Letters) -> None:
    """For an address with an account the link makes no second one and changes no password."""
    person = make_person(tenant)
    invite(tenant, person.email)
    with pytest.raises(Conflict, match="has an account"):
        join(units, token_of(letters, person.email))
    assert session_of(units, person)


def test_a_weak_password_is_refused_and_the_link_stays(tenant: Made, units: Units, letters: Letters) -> None:
    """What will not do is named by field; afterwards the link still works."""
    invite(tenant, far(tenant))
    token = token_of(letters, far(tenant))
    with pytest.raises(Invalid) as refused:
        join(units, token, Newcomer("two\r\nlines", "password1234"))
    assert set(refused.value.fields) == {"name", "password"}
    join(units, token)


def test_sending_again_voids_the_link_of_before(tenant: Made, units: Units, letters: Letters) -> None:
    """Another link, seven days from then; the older one opens nothing."""
    invitation = invite(tenant, far(tenant))
    first = token_of(letters, far(tenant))
    with tenant.unit(Home.ACCOUNT) as unit:
        invitations.resend_invitation(unit, invitation.id)
        unit.commit()
    second = token_of(letters, far(tenant))
    assert first != second
    with units.identify() as door, pytest.raises(NotFound):
        acceptances.look(door, first)
    join(units, second)


def test_a_revoked_invitation_opens_nothing_at_once(tenant: Made, units: Units, letters: Letters) -> None:
    """Revoked, its link is as unknown as any; a mail that was not sent yet is not sent."""
    invitation, unsent = invite(tenant, far(tenant)), invite(tenant, far(tenant, 1))
    token = letters.link(far(tenant)).rsplit("/", 1)[1]
    later = invite(tenant, far(tenant, 2))
    with tenant.unit(Home.ACCOUNT) as unit:
        for one in (invitation, unsent, later):
            invitations.revoke_invitation(unit, one.id)
        unit.commit()
    with units.identify() as door, pytest.raises(NotFound):
        acceptances.look(door, token)
    assert letters.to(far(tenant, 2)) == []
    with tenant.unit(Home.ACCOUNT) as unit, pytest.raises(Conflict):
        invitations.resend_invitation(unit, invitation.id)


def test_an_invitation_expires(tenant: Made, units: Units, letters: Letters, postgres_server: Database) -> None:
    """After its seven days the link opens nothing; it stands in the list and can be sent again."""
    invitation = invite(tenant, far(tenant))
    token = token_of(letters, far(tenant))
    assert (invitation.expires_at - invitation.created_at).days == 7
    with psycopg.connect(postgres_server.superuser) as outside:
        outside.execute("UPDATE account.invitations SET expires_at = now() WHERE id = %s", [invitation.id])
    with units.identify() as door, pytest.raises(NotFound):
        acceptances.look(door, token)
    assert open_addresses(tenant) == [far(tenant)]
    with tenant.unit(Home.ACCOUNT) as unit:
        invitations.resend_invitation(unit, invitation.id)
        unit.commit()
    join(units, token_of(letters, far(tenant)))


def test_a_suspended_tenant_takes_nobody_in(
    tenant: Made, units: Units, letters: Letters, postgres_server: Database
) -> None:
    """While a tenant is suspended its invitations are not in force."""
    invite(tenant, far(tenant))
    token = token_of(letters, far(tenant))
    with psycopg.connect(postgres_server.superuser) as outside:
        outside.execute("UPDATE control.tenants SET status = 'suspended' WHERE id = %s", [tenant.id])
    with pytest.raises(NotFound):
        join(units, token)


def test_only_the_hash_of_a_link_is_kept(tenant: Made, letters: Letters, postgres_server: Database) -> None:
    """An invitation's token stored in clear: it stands in no table at all."""
    invite(tenant, far(tenant))
    token = token_of(letters, far(tenant))
    with psycopg.connect(postgres_server.superuser) as outside:
        names = outside.execute(
            "SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname IN ('auth', 'account', 'control')"
        ).fetchall()
        for (name,) in names:
            rows = outside.execute(f"SELECT row_to_json(t)::text FROM {name} t".encode()).fetchall()
            assert not [row for row in rows if token in row[0]], name


def test_nobody_invites_to_what_they_lack(tenant: Made) -> None:
    """An admin invites no owner, a clerk no admin, and whoever lacks the permission nobody."""
    admin, clerk = make_member(tenant, Role.ADMIN), make_member(tenant, Role.OPERATOR)
    clerk = replace(clerk, actor=replace(clerk.actor, permissions=clerk.actor.permissions | {Permission.PEOPLE_WRITE}))
    for by, role in ((admin, Role.OWNER), (clerk, Role.ADMIN), (clerk, Role.AUDITOR)):
        with pytest.raises(PermissionDenied):
            invite(tenant, far(tenant), role, by)
    with pytest.raises(PermissionDenied):
        invite(tenant, far(tenant), Role.VIEWER, make_member(tenant, Role.AUDITOR))
    invite(tenant, far(tenant), Role.ADMIN, admin)


def test_another_tenants_invitation_is_not_found(tenant: Made, tenants: Callable[[], Made]) -> None:
    """Invitation id not checked against the organization: neither resend nor revoke reaches another tenant's."""
    other = tenants()
    theirs = invite(other, far(other))
    for verb in (invitations.resend_invitation, invitations.revoke_invitation, invitations.get_invitation):
        with tenant.unit(Home.ACCOUNT) as unit, pytest.raises(NotFound):
            verb(unit, theirs.id)
    assert open_addresses(other) == [far(other)]


def test_the_list_is_this_tenants_alone(tenant: Made, tenants: Callable[[], Made]) -> None:
    """Invitations listed globally: each tenant lists its own, and only to whoever may read people."""
    other = tenants()
    invite(other, far(other))
    invite(tenant, far(tenant))
    assert open_addresses(tenant) == [far(tenant)]
    with tenant.unit(Home.ACCOUNT, make_member(tenant, Role.VIEWER).actor) as unit, pytest.raises(PermissionDenied):
        invitations.list_invitations(unit)


def test_a_member_or_an_invited_address_is_not_invited_again(tenant: Made) -> None:
    """Each address stands at most once among members and open invitations."""
    invite(tenant, far(tenant))
    with pytest.raises(AlreadyInvited):
        invite(tenant, far(tenant))
    with pytest.raises(AlreadyMember):
        invite(tenant, tenant.email)


def test_what_somebody_sent_ends_with_their_membership(tenant: Made, units: Units, letters: Letters) -> None:
    """Pending invitations of a removed admin are void; a demoted one's as far as the new role reaches."""
    admin, other = make_member(tenant, Role.ADMIN), make_member(tenant, Role.ADMIN)
    invite(tenant, far(tenant), Role.ADMIN, admin)
    invite(tenant, far(tenant, 1), Role.VIEWER, other)
    token = token_of(letters, far(tenant))
    assert end(tenant, tenant, admin).invitations == 1
    with units.identify() as door, pytest.raises(NotFound):
        acceptances.look(door, token)
    change(tenant, tenant, other, Role.OPERATOR)
    assert open_addresses(tenant) == []


def test_each_line_of_a_list_has_its_fate(tenant: Made) -> None:
    """A pasted list or CSV: headings skipped, roles by line, and for what was not invited the reason."""
    member = make_member(tenant)
    invite(tenant, far(tenant, 9))
    text = f"""email;role
{far(tenant, 1)}
Zoe <{far(tenant, 2)}>; admin
{far(tenant, 3)}, member
{far(tenant, 4)}, boss
not an address
{member.email}
{far(tenant, 9)}
{far(tenant, 1).upper()}
{far(tenant, 5)} , {far(tenant, 6)}
\x00,,
"Young, Ann",{far(tenant, 7)},viewer
"""
    with tenant.unit(Home.ACCOUNT) as unit:
        fates = invitations.invite_many(unit, text, Role.VIEWER)
        unit.commit()
    told = [(fate.invitation.role if fate.invitation else None, fate.problem) for fate in fates]
    assert [role for role, _ in told] == ["viewer", "admin", "operator", *[None] * 5, "viewer", "viewer", "viewer"]
    reasons = [problem for _role, problem in told if problem]
    words = ("no such role", "Not an e-mail", "member already", "invited already", "list above")
    assert len(reasons) == 5 and all(word in reason for word, reason in zip(words, reasons, strict=True)), reasons
    with tenant.unit(Home.ACCOUNT) as unit, pytest.raises(Invalid):
        invitations.invite_many(unit, " \n\n", Role.VIEWER)


def test_a_list_stops_at_its_bounds(tenant: Made) -> None:
    """Seats of the plan count members and open invitations; more than a hundred lines at once are told so."""
    text = "\n".join(far(tenant, number) for number in range(130))
    with tenant.unit(Home.ACCOUNT) as unit:
        fates = invitations.invite_many(unit, text, Role.VIEWER)
        unit.commit()
    assert sum(1 for fate in fates if fate.invitation) == 24 and len(fates) == 101
    assert "25 of 25" in str(fates[24].problem) and fates[-1].given == "30 further"
    with pytest.raises(QuotaExceeded):
        invite(tenant, far(tenant, 200))


def test_mail_to_one_address_is_capped_over_all_tenants(tenants: Callable[[], Made]) -> None:
    """Nobody is flooded: the fourth invitation of an hour to one address is refused, whichever tenant asks."""
    email = far(tenants())
    for made in (tenants(), tenants(), tenants()):
        invite(made, email)
    with pytest.raises(TooManyRequests, match="several mails"):
        invite(tenants(), email)


@pytest.mark.parametrize(("column", "word"), [("tenant_id", "200 mails"), ("client", "your address")])
def test_mail_of_a_tenant_and_of_a_client_is_capped(
    tenant: Made, postgres_server: Database, column: str, word: str
) -> None:
    """After 200 mails of a day a tenant, and after 200 of an hour a client, sends no more for now."""
    value = {"tenant_id": tenant.id, "client": tenant.actor.address}[column]
    with psycopg.connect(postgres_server.superuser) as outside:
        outside.execute(
            f"INSERT INTO auth.mails (id, kind, recipient, {column}, done_at) SELECT gen_random_uuid(), 'invitation', "
            "'x' || n || '@example.com', %s, now() FROM generate_series(1, 200) n".encode(),
            [value],
        )
    with pytest.raises(TooManyRequests, match=word):
        invite(tenant, far(tenant))


def test_two_acceptances_at_once_make_one_member(tenant: Made, units: Units, letters: Letters) -> None:
    """Of two clicks at the same moment one finds the link used."""
    person = make_person(tenant)
    invite(tenant, person.email)
    token, session = token_of(letters, person.email), session_of(units, person)
    together, outcomes = threading.Barrier(2), []

    def click() -> None:
        together.wait(60)
        try:
            accept(units, token, session)
            outcomes.append("done")
        except NotFound:
            outcomes.append("gone")

    threads = [threading.Thread(target=click) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(outcomes) == ["done", "gone"]
    assert list(roles(tenant)).count(person.email) == 1


def test_whoever_joins_another_way_leaves_no_open_link(tenant: Made, units: Units, letters: Letters) -> None:
    """A membership through the tenant's provider voids the open invitation of the same address."""
    person = make_person(tenant)
    invite(tenant, person.email, Role.ADMIN)
    token = token_of(letters, person.email)
    with tenant.unit(Home.ACCOUNT) as unit:
        memberships.add_member(unit, user_of(person), person.email, "P", Role.VIEWER, source="sso")
        unit.commit()
    with units.identify() as door, pytest.raises(NotFound):
        acceptances.look(door, token)
    assert roles(tenant)[person.email] == "viewer"
