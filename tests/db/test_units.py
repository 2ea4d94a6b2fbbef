"""Units of work on a real Postgres."""

import psycopg
import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError

from app.core.ids import new_id
from app.core.settings import settings
from app.db.engines import NOBODY
from app.db.opening import open_units
from app.db.units import Home, Unit, Units
from app.models.scans import Engagement
from tests.peers.tenants import Made
from tests.plugins.servers import Database
from tests.services.conftest import make_tenant


def test_uncommitted_work_is_rolled_back_before_the_connection_is_used_again(
    environment: object, postgres_server: object
) -> None:
    """A unit that is left without a commit, or by an error, leaves neither its transaction nor its tenant behind."""
    units: Units = open_units(
        settings().model_copy(update={"database_pool_size": 1}), settings().database_url.get_secret_value()
    )
    tenant = make_tenant(units)
    with tenant.unit(Home.CONTENT) as unit:
        unit.session.execute(text("SELECT set_config('app.leftover', 'yes', true)"))
    try:
        with tenant.unit(Home.CONTENT) as unit:
            unit.session.execute(text("SELECT 1/0"))
    except Exception as error:
        assert "division" in str(error)
    session = units.start(units.engines.control, NOBODY)
    assert not session.execute(text("SELECT current_setting('app.leftover', true)")).scalar()
    assert session.execute(text("SELECT current_setting('app.current_tenant', true)")).scalar() == ""
    session.close()
    with units.engines.control.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        connection.rollback()
        assert driver.info.transaction_status.name == "IDLE"
    units.engines.dispose()


def test_a_pool_of_dead_connections_costs_no_piece_of_work(environment: object, postgres_server: Database) -> None:
    """After Postgres has ended every connection, each unit of work opens anew and none of them fails."""
    units = open_units(settings(), settings().database_url.get_secret_value(), application="doomed")
    held = [units.start(units.engines.control, NOBODY) for _ in range(3)]
    for session in held:
        session.execute(text("SELECT 1"))
    for session in held:
        session.close()
    with psycopg.connect(postgres_server.superuser, autocommit=True) as superuser:
        ended = "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE application_name = 'doomed'"
        assert superuser.execute(ended).fetchone() == (3,)
    for _ in range(4):
        session = units.start(units.engines.control, NOBODY)
        assert session.execute(text("SELECT 1")).scalar() == 1
        session.close()
    units.engines.dispose()


ADD = text(
    "INSERT INTO engagements (id, workspace_id, name, status, created_at) "
    "VALUES (:id, :workspace, :name, 'open', clock_timestamp())"
)


def engagement(made: Made, name: str) -> dict[str, object]:
    return {"id": new_id(), "workspace": made.id, "name": name}


def engagements_of(made: Made) -> int:
    with made.unit() as unit:
        return unit.session.scalar(select(func.count()).select_from(Engagement)) or 0


def test_what_is_written_last_is_in_the_commit(tenant: Made) -> None:
    """It is there after the commit, and not where the unit is left without one."""
    with tenant.unit() as unit:
        unit.write_last(ADD, engagement(tenant, "left"))
    assert engagements_of(tenant) == 0
    with tenant.unit() as unit:
        unit.write_last(ADD, engagement(tenant, "kept"))
        assert unit.session.scalar(select(func.count()).select_from(Engagement)) == 0
        unit.commit()
    assert engagements_of(tenant) == 1


def test_a_commit_whose_last_statement_fails_keeps_nothing(tenant: Made) -> None:
    """The commit raises what the database said, what was done before is undone, and the connection goes on."""
    for turn in range(7):  # often enough that the driver prepares the statement
        with tenant.unit() as unit:
            unit.session.execute(ADD, engagement(tenant, f"{turn}"))
            unit.write_last(ADD, engagement(tenant, f"{turn}"))
            with pytest.raises(IntegrityError):
                unit.commit()
        assert engagements_of(tenant) == 0


def test_a_last_statement_may_refuse_the_commit(tenant: Made) -> None:
    """One that would leave a column empty has its own reason raised, told by a unit of its own; no other has."""
    nameless = text(str(ADD).replace(":name", "nullif(:name, 'wrong')"))

    def reason(unit: Unit) -> Exception:
        return ValueError(f"there are {unit.session.scalar(select(func.count()).select_from(Engagement))}")

    for turn in range(7):
        with tenant.unit() as unit:
            unit.write_last(ADD, engagement(tenant, f"{turn}"), refused=reason)
            unit.write_last(nameless, engagement(tenant, "wrong"), refused=reason)
            with pytest.raises(ValueError, match="there are 0"):
                unit.commit()
    with tenant.unit() as unit:
        unit.write_last(ADD, engagement(tenant, "right"), refused=reason)
        unit.write_last(nameless, engagement(tenant, "wrong"))
        with pytest.raises(IntegrityError):
            unit.commit()
    assert engagements_of(tenant) == 0
