"""The monitoring views: each shows a tenant its own rows, and nobody's without a tenant."""

from collections.abc import Callable

import psycopg
import pytest

from tests.peers.programs import issue
from tests.peers.tenants import Made
from tests.plugins.servers import Database

VIEWS = {
    "account.v_tenant_audit_summary": "tenant_id",
    "shared.v_tenant_audit_summary": "tenant_id",
    "control.v_active_tenants": "tenant_id",
    "control.v_tenants_by_tier": "tenants",
}


@pytest.fixture
def pair(tenants: Callable[[], Made], postgres_server: Database) -> tuple[Made, Made]:
    """Two tenants with a key and an event in both homes."""
    made = tenants(), tenants()
    for one in made:
        issue(one)
        with psycopg.connect(postgres_server.worker) as connection:
            connection.execute("SELECT set_config('app.current_tenant', %s, true)", [str(one.id)])
            connection.execute(
                "INSERT INTO shared.audit_events (id, at, actor_kind, actor_label, action, target_kind) "
                "VALUES (gen_random_uuid(), now(), 'user', 'x', 'scan.start', 'scan')"
            )
    return made


def test_every_view_is_known(postgres_server: Database) -> None:
    """What stands here is what the database holds."""
    with psycopg.connect(postgres_server.superuser) as connection:
        rows = connection.execute(
            "SELECT schemaname || '.' || viewname FROM pg_views WHERE schemaname IN ('control', 'account', 'shared')"
        ).fetchall()
    assert {name for (name,) in rows} == VIEWS.keys()


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_shows_ones_own_tenant_alone(pair: tuple[Made, Made], postgres_server: Database, view: str) -> None:
    """With a tenant its own rows, of none without; the superuser, whom no policy binds, sees both."""
    column, (mine, theirs) = VIEWS[view], pair
    statement = f"SELECT {column} FROM {view}".encode()
    with psycopg.connect(postgres_server.app) as connection:
        assert connection.execute(statement).fetchall() == []
        connection.execute("SELECT set_config('app.current_tenant', %s, true)", [str(mine.id)])
        seen = {value for (value,) in connection.execute(statement).fetchall()}
    with psycopg.connect(postgres_server.superuser) as connection:
        every = {value for (value,) in connection.execute(statement).fetchall()}
    if column == "tenants":
        assert seen == {1} and sum(every) > 1
    else:
        assert seen == {mine.id} and {mine.id, theirs.id} <= every


def test_no_view_is_written_or_read_by_staff(postgres_server: Database) -> None:
    """The platform's login reads none, and the web's writes through none."""
    for view in VIEWS:
        with psycopg.connect(postgres_server.platform) as one, pytest.raises(psycopg.errors.InsufficientPrivilege):
            one.execute(f"SELECT * FROM {view}".encode())
        with psycopg.connect(postgres_server.app) as one, pytest.raises(psycopg.Error):
            one.execute(f"DELETE FROM {view}".encode())
