"""Making keys: recorded, by people alone, with no more than they hold."""

from dataclasses import replace

import pytest

from app.core.errors import PermissionDenied
from app.core.permissions import Permission
from app.core.settings import settings
from app.db.units import Home
from app.services import api_keys, audit
from app.tenancy.actors import ActorKind
from tests.peers.programs import issue
from tests.peers.tenants import Made


def test_a_key_makes_no_key(tenant: Made) -> None:
    """A key makes no key, whatever it may do: the service lets people alone."""
    key_id, _secret = issue(tenant)
    everything = frozenset(str(permission) for permission in Permission)
    key = replace(tenant.actor, kind=ActorKind.KEY, id=key_id, label="tests", permissions=everything)
    pepper = settings().peppers[0]
    with tenant.unit(Home.ACCOUNT, key) as unit, pytest.raises(PermissionDenied):
        api_keys.issue_key(unit, name="another", scopes=[str(Permission.SCANS_READ)], pepper=pepper)


def test_nobody_gives_a_key_what_they_lack(tenant: Made) -> None:
    """A scope that its maker does not hold is refused, and nothing is kept."""
    poor = replace(tenant.actor, permissions=frozenset({str(Permission.KEYS_WRITE), str(Permission.KEYS_READ)}))
    pepper = settings().peppers[0]
    with tenant.unit(Home.ACCOUNT, poor) as unit, pytest.raises(PermissionDenied):
        api_keys.issue_key(unit, name="rich", scopes=[str(Permission.SCANS_READ)], pepper=pepper)
    with tenant.unit(Home.ACCOUNT) as unit:
        assert api_keys.count_keys(unit) == 0


def test_making_and_revoking_a_key_is_recorded_without_its_secret(tenant: Made) -> None:
    """The audit log names the key, its scopes and who made it; the secret stands nowhere."""
    key_id, secret = issue(tenant, str(Permission.SCANS_READ))
    with tenant.unit(Home.ACCOUNT) as unit:
        api_keys.revoke_key(unit, key_id)
        unit.commit()
    with tenant.unit() as unit:
        rows = [row for row in audit.list_events(unit).rows if row.target_id == key_id]
        told = "".join(f"{row.before}{row.after}" for row in rows)
    assert [(row.action, row.actor_label) for row in rows] == [
        ("api_key.revoke", tenant.email),
        ("api_key.issue", tenant.email),
    ]
    assert str(Permission.SCANS_READ) in told and secret not in told and secret[20:] not in told
