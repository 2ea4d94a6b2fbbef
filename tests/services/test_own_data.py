"""One's own data: what the file holds, and what is left of a person who deletes their account."""

import json
from typing import Any

import psycopg
import pytest

from app.core.errors import Conflict, Invalid
from app.core.permissions import Permission, Role
from app.db.units import Home, Units
from app.services import accounts, api_keys, entrances, memberships, own_data, profiles
from app.services.accounts import SignIn
from tests.peers.apps import account_of, add_app
from tests.peers.letters import Letters
from tests.peers.tenants import ORIGIN, Made, make_tenant
from tests.plugins.servers import Database

SECRETS = ("hash", "secret", "token", "key")


def erase(units: Units, made: Made, typed: str | None = None) -> None:
    account = account_of(units, made)
    with units.identify() as door:
        own_data.erase(door, account, typed or made.email, origin=ORIGIN)
        door.commit()


def invite_owner(units: Units, tenant: Made, other: Made, role: Role) -> None:
    """Make the first member of one tenant a member of another."""
    assert other.actor.id is not None
    with tenant.unit(Home.ACCOUNT) as unit:
        memberships.add_member(unit, other.actor.id, other.email, "Olga", role, source="invitation")
        unit.commit()


def test_the_file_tells_all_and_no_secret(units: Units, tenant: Made) -> None:
    """Account, memberships, factors, sessions and events, as JSON; no hash, token or code."""
    _app, codes = add_app(units, tenant)
    with units.identify() as door:
        assert tenant.actor.id is not None
        token = accounts.open_session_for(door, tenant.actor.id, ORIGIN, methods=("password", "totp"), strong=True)
        told: dict[str, Any] = own_data.export(door, token, profiles.account_of(door, token))
    text = json.dumps(told)
    assert told["account"]["email"] == tenant.email
    assert told["memberships"][0]["tenant"] == tenant.slug and told["memberships"][0]["role"] == "owner"
    assert told["sessions"][0]["methods"] == ["password", "totp"] and told["sessions"][0]["address"] == "192.0.2.7"
    assert [event["action"] for event in told["events"]] == ["totp.add"]
    assert told["second_factors"]["recovery_codes_left"] == 10
    assert token not in text and tenant.password not in text and not any(code in text for code in codes)


def test_a_last_owner_stays_and_is_told_why(units: Units, tenant: Made) -> None:
    """While a tenant would be left without an owner nothing ends, and the refusal names the tenant."""
    with pytest.raises(Conflict, match="last owner of Acme"):
        erase(units, tenant)
    with pytest.raises(Invalid):
        erase(units, tenant, "somebody@example.com")
    with units.identify() as door:
        assert isinstance(accounts.sign_in(door, tenant.email, tenant.password, origin=ORIGIN), SignIn)


def test_an_erased_person_leaves_only_labels(units: Units, letters: Letters, postgres_server: Database) -> None:
    """Sessions, factors, memberships and keys end at once; audit rows keep the address; the address is free again."""
    tenant, heir = make_tenant(units), make_tenant(units)
    add_app(units, tenant)
    invite_owner(units, tenant, heir, Role.OWNER)
    account = account_of(units, tenant)
    with units.identify() as door:
        token = accounts.open_session_for(door, account.user_id, ORIGIN)
        door.commit()
    with tenant.unit(Home.ACCOUNT) as unit:
        pepper = b"p" * 32
        issued = api_keys.issue_key(unit, name="Mine", scopes=[Permission.SCANS_READ], pepper=pepper)
        unit.commit()
    erase(units, tenant)
    with units.identify() as door:
        assert entrances.by_session(door, token, tenant.slug) is None
    with psycopg.connect(postgres_server.superuser) as connection:
        rows = connection.execute(
            "SELECT c.relname, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
            "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'auth' AND a.attname = 'user_id' "
            "AND c.relkind = 'r'"
        ).fetchall()
        left = {
            name: connection.execute(
                f"SELECT count(*) FROM auth.{name} WHERE user_id = %s".encode(), [account.user_id]
            ).fetchone()
            for name, _column in rows
        }
        assert len(left) >= 8 and {count for (count,) in (row or (0,) for row in left.values())} == {0}, left
        revoked = connection.execute(
            "SELECT revoked_at IS NOT NULL FROM account.api_keys WHERE id = %s", [issued.key.id]
        ).fetchone()
        labels = connection.execute(
            "SELECT count(*) FROM account.audit_events WHERE tenant_id = %s AND actor_label = %s",
            [tenant.id, tenant.email],
        ).fetchone()
    assert revoked == (True,) and labels is not None and labels[0] >= 3
    assert letters.last(tenant.email)["Subject"] == "Your account was deleted"
    with heir.units.identify() as door:
        assert own_data.belongings(door, account_of(units, heir), origin=ORIGIN)[0].held
