"""Opening the database for a process: its engine and units of work; a login with too many rights is refused."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

from sqlalchemy import Engine, text

from app.core.clock import Clock
from app.core.crypto import CachedKeyRing
from app.core.settings import Settings
from app.db.engines import Engines, Scope, make_engine
from app.db.units import Doorway, Units

_RIGHTS = text(
    """
    WITH RECURSIVE held AS (
        SELECT oid, rolname, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user
        UNION
        SELECT r.oid, r.rolname, r.rolsuper, r.rolbypassrls FROM held h
        JOIN pg_auth_members m ON m.member = h.oid JOIN pg_roles r ON r.oid = m.roleid)
    SELECT CASE
        WHEN bool_or(rolsuper) THEN 'is a superuser'
        WHEN bool_or(rolbypassrls) THEN 'bypasses row-level security'
        WHEN EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                     WHERE c.relowner IN (SELECT oid FROM held) AND c.relkind IN ('r', 'p')
                       AND (n.nspname IN ('control', 'account', 'auth', 'shared') OR n.nspname ~ '^t_[0-9a-f]{32}$'))
          OR EXISTS (SELECT FROM pg_namespace n WHERE n.nspowner IN (SELECT oid FROM held)
                     AND (n.nspname IN ('control', 'account', 'auth', 'shared') OR n.nspname ~ '^t_[0-9a-f]{32}$'))
            THEN 'owns tables of tenants'
        END FROM held
    """
)


class TooManyRights(Exception):
    """The login of this process could get round row-level security."""


def refuse_privileged(engine: Engine) -> None:
    """Return if the engine's login is a plain one. Raises TooManyRights, which says why it is not."""
    with engine.connect() as connection:
        problem = connection.execute(_RIGHTS).scalar_one()
        connection.rollback()
    if problem:
        raise TooManyRights(f"the database login {problem}: web and worker run with a login of their own")


def open_units(
    settings: Settings,
    url: str,
    *,
    on_effects: Callable[[], None] = lambda: None,
    clock: Clock | None = None,
    application: str = "sentinel",
) -> Units:
    """Return the units of work of a process. Connects with the first use, so that it may be called before a fork.

    Where DATABASE_DIRECT_URL is set, a transaction pooler is taken to stand before `url`.
    """
    pooled = settings.database_direct_url is not None
    engine = make_engine(url, pool_size=settings.database_pool_size, application=application, pooled=pooled)
    engines = Engines(engine)
    master = settings.master
    return Units(engines, CachedKeyRing(master, lambda t: _wrapped_key(engine, t)), clock=clock, on_effects=on_effects)


def _wrapped_key(engine: Engine, tenant_id: UUID) -> bytes | None:
    with engine.execution_options(scope=Scope(tenant_id)).connect() as connection, connection.begin():
        found: bytes | None = connection.execute(
            text("SELECT wrapped FROM control.tenant_keys WHERE tenant_id = :t ORDER BY version DESC LIMIT 1"),
            {"t": tenant_id},
        ).scalar()
        return found


@contextmanager
def open_doorway(settings: Settings, url: str, *, application: str) -> Iterator[Doorway]:
    """Open the directory for one command, with a plain login. Raises TooManyRights."""
    units = open_units(settings, url, application=application)
    try:
        refuse_privileged(units.engines.control)
        with units.identify() as door:
            yield door
    finally:
        units.engines.dispose()
