"""Links in mails: hashed, expiring, single use; and what they do."""

import pytest
from sqlalchemy import select, text

from app.core import crypto
from app.core.errors import Invalid, NotFound, Unauthenticated
from app.db import directory
from app.db.units import Home, Units
from app.models.accounts import AccountAuditEvent, Membership
from app.services import accounts, confirmations, entrances, profiles
from tests.peers.letters import Letters
from tests.peers.tenants import Made, attempt, make_tenant, somewhere
from tests.plugins.servers import Database

NEW = "another sentence nobody guesses"


def ask_reset(units: Units, made: Made) -> None:
    with units.identify() as door:
        confirmations.request_reset(door, made.email, origin=somewhere())
        door.commit()


def sign_in(units: Units, made: Made) -> str:
    with units.identify() as door:
        token = accounts.sign_in(door, made.email, made.password, origin=somewhere()).token
        door.commit()
        return token


def token_of(letters: Letters, address: str) -> str:
    return letters.link(address).rsplit("/", 1)[1]


def test_a_verification_link_works_once(units: Units, letters: Letters) -> None:
    """Looking changes nothing, another's password neither; the right one marks the address and signs in, once."""
    made = make_tenant(units, verified=False)
    token = token_of(letters, made.email)
    with units.identify() as door:
        for _ in range(2):
            assert confirmations.look(door, token, "verification") == made.email
        with pytest.raises(Invalid):
            confirmations.verify(door, token, "another sentence", origin=somewhere())
        assert not directory.find_login(door.session, made.email).verified
        begun = confirmations.verify(door, token, made.password, origin=somewhere())
        assert profiles.account_of(door, begun.token).verified_at is not None
        with pytest.raises(NotFound):
            confirmations.verify(door, token, made.password, origin=somewhere())
        door.commit()


def test_a_token_serves_its_purpose_alone(units: Units, letters: Letters) -> None:
    """A verification's token resets, unlocks and changes nothing."""
    token = token_of(letters, make_tenant(units, verified=False).email)
    with units.identify() as door:
        for refused in (
            lambda: confirmations.reset_password(door, token, NEW, origin=somewhere()),
            lambda: confirmations.unlock(door, token, origin=somewhere()),
            lambda: confirmations.confirm_email(door, token, "email-old", origin=somewhere()),
            lambda: confirmations.confirm_email(door, token, "verification", origin=somewhere()),
        ):
            with pytest.raises(NotFound):
                refused()


def test_a_reset_ends_every_session_and_every_other_link(units: Units, tenant: Made, letters: Letters) -> None:
    """After a reset only the new password opens a session; older links and sessions are void."""
    session = sign_in(units, tenant)
    ask_reset(units, tenant)
    first = token_of(letters, tenant.email)
    ask_reset(units, tenant)
    second = token_of(letters, tenant.email)
    assert first != second
    with units.identify() as door:
        with pytest.raises(Invalid):
            confirmations.reset_password(door, first, "password1234", origin=somewhere())
        confirmations.reset_password(door, first, NEW, origin=somewhere())
        door.commit()
    with units.identify() as door:
        assert entrances.by_session(door, session, tenant.slug) is None
        for token in (first, second):
            with pytest.raises(NotFound):
                confirmations.reset_password(door, token, NEW, origin=somewhere())
    assert attempt(units, tenant.email, tenant.password) is Unauthenticated
    assert attempt(units, tenant.email, NEW) is None
    assert letters.last(tenant.email)["Subject"] == "Your password was changed"


def test_a_link_expires(units: Units, tenant: Made, letters: Letters, postgres_server: Database) -> None:
    """A reset's link is good for an hour."""
    import psycopg

    ask_reset(units, tenant)
    token = token_of(letters, tenant.email)
    with psycopg.connect(postgres_server.superuser) as outside:
        hashed = crypto.token_hash(token)
        left = outside.execute(
            "SELECT extract(epoch FROM expires_at - now()) FROM auth.tokens WHERE token_hash = %s", [hashed]
        ).fetchone()
        assert left is not None and 3500 < left[0] <= 3600
        outside.execute("UPDATE auth.tokens SET expires_at = now() WHERE token_hash = %s", [hashed])
    with units.identify() as door, pytest.raises(NotFound):
        confirmations.look(door, token, "reset")


def test_only_the_hash_of_a_token_is_kept(
    units: Units, tenant: Made, letters: Letters, postgres_server: Database
) -> None:
    """The token of a mail stands in no table of the directory; before it is sent there is none at all."""
    import psycopg

    ask_reset(units, tenant)
    token = token_of(letters, tenant.email)
    with psycopg.connect(postgres_server.superuser) as outside:
        names = [row[0] for row in outside.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'auth'")]
        for name in names:
            rows = outside.execute(f"SELECT row_to_json(t)::text FROM auth.{name} t").fetchall()
            assert not [row for row in rows if token in row[0]], name


def test_an_address_changes_once_both_are_confirmed(units: Units, tenant: Made, letters: Letters) -> None:
    """Neither link alone changes anything; the second one changes sign-in, memberships and the trail."""
    session, new = sign_in(units, tenant), f"new-{tenant.email}"
    with units.identify() as door:
        profiles.begin_email_change(door, session, email=new, password=tenant.password, origin=somewhere())
        door.commit()
    tokens = {"email-new": token_of(letters, new), "email-old": token_of(letters, tenant.email)}
    for purpose, done in (("email-new", False), ("email-old", True)):
        with units.identify() as door:
            assert profiles.account_of(door, session).email == tenant.email
            assert confirmations.confirm_email(door, tokens[purpose], purpose, origin=somewhere()).done is done
            door.commit()
    assert attempt(units, tenant.email, tenant.password) is Unauthenticated
    assert attempt(units, new, tenant.password) is None
    assert letters.last(tenant.email)["Subject"] == "Your e-mail address was changed"
    with tenant.unit(Home.ACCOUNT) as unit:
        assert unit.session.scalars(select(Membership.email)).all() == [new]
        actions = select(AccountAuditEvent.action, AccountAuditEvent.after)
        assert ("membership.update", {"email": new}) in [tuple(row) for row in unit.session.execute(actions)]


def test_an_address_that_somebody_has_is_not_given_away(
    units: Units, tenant: Made, tenants: object, letters: Letters
) -> None:
    """Asking for another's address is answered alike; its holder is told, and nothing can be confirmed."""
    other = tenants()  # type: ignore[operator]
    session = sign_in(units, tenant)
    with units.identify() as door:
        profiles.begin_email_change(door, session, email=other.email, password=tenant.password, origin=somewhere())
        door.commit()
    assert letters.last(other.email)["Subject"] == "You already have an account"
    with units.identify() as door:
        token = token_of(letters, tenant.email)
        assert not confirmations.confirm_email(door, token, "email-old", origin=somewhere()).done


def test_what_is_done_to_an_account_belongs_to_nobody_afterwards(units: Units, tenant: Made) -> None:
    """After writing a membership, the rest of the transaction has no tenant."""
    session = sign_in(units, tenant)
    with units.identify() as door:
        profiles.rename(door, session, "Olivia Owner", origin=somewhere())
        assert door.session.execute(text("SELECT current_setting('app.current_tenant', true)")).scalar_one() == ""
        door.commit()
    with tenant.unit(Home.ACCOUNT) as unit:
        assert unit.session.scalars(select(Membership.name)).one() == "Olivia Owner"


def test_a_password_change_ends_the_other_sessions_and_counts_failures(units: Units, tenant: Made) -> None:
    """The session that changes it stays; a wrong present password counts towards the lock."""
    mine, other = sign_in(units, tenant), sign_in(units, tenant)
    with units.identify() as door:
        with pytest.raises(Invalid):
            profiles.change_password(door, mine, current="wrong", new=NEW, origin=somewhere())
        assert profiles.change_password(door, mine, current=tenant.password, new=NEW, origin=somewhere()) >= 1
        door.commit()
    with units.identify() as door:
        assert entrances.by_session(door, other, None) is None
        assert [s.current for s in profiles.sessions_of(door, mine)] == [True]
        assert profiles.events_of(door, mine)[0].action == "password.change"


def test_nobody_ends_anothers_session(units: Units, tenant: Made, tenants: object) -> None:
    """The id of another person's session is not found."""
    mine, theirs = sign_in(units, tenant), sign_in(units, tenants())  # type: ignore[operator]
    with units.identify() as door:
        target = profiles.account_of(door, theirs).session_id
        with pytest.raises(NotFound):
            profiles.end_session(door, mine, target, origin=somewhere())
        assert profiles.account_of(door, theirs)
