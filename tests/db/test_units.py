"""Units of work on a real Postgres."""

from sqlalchemy import text

from app.db.engines import NOBODY
from app.db.units import Home, Units
from tests.services.conftest import make_tenant


def test_uncommitted_work_is_rolled_back_before_the_connection_is_used_again(
    environment: object, postgres_server: object
) -> None:
    """A unit that is left without a commit, or by an error, leaves neither its transaction nor its tenant behind."""
    from app.core.settings import settings
    from app.db.opening import open_units

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
