"""Units of work on a real Postgres."""

import psycopg
from sqlalchemy import text

from app.core.settings import settings
from app.db.engines import NOBODY
from app.db.opening import open_units
from app.db.units import Home, Units
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
