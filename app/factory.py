"""The web processes, the tenants' and the staff's: settings, parts, pages and JSON put together."""

import threading
from datetime import timedelta
from pathlib import Path

from flask import Flask
from flask_wtf.csrf import CSRFProtect
from sqlalchemy.exc import OperationalError

from app.api import resources
from app.core.logs import configure_logs
from app.core.outbound import Policy, one_look
from app.core.settings import Settings, settings
from app.db.opening import open_units, refuse_privileged
from app.db.units import Units
from app.graph.gateway import Graph, open_graph
from app.outbox.wakers import Waker
from app.platform import (
    cancellations,
    commands,
    erasures,
    logins,
    overrides,
    records,
    requests,
    retries,
    routing,
    tenants,
)
from app.services.openid import Providers
from app.serving.call_counts import CallCounts
from app.serving.errors import register_errors
from app.serving.headers import register_headers
from app.serving.health import register_health
from app.serving.key_uses import KeyUses
from app.serving.kit import register_kit
from app.serving.limits import register_limits
from app.serving.requests import register_requests
from app.serving.runtimes import Runtime, install
from app.web import pages
from app.web.presentation import register_presentation
from app.web.routing import register_tenant_urls
from app.web.sessions import register_sessions

ROOT = Path(__file__).resolve().parents[1]
LARGEST_REQUEST = 2 * 1024 * 1024


def create_app(configuration: Settings | None = None) -> Flask:
    """Return the tenants' application, for one process: called after the fork, it leaves no connection open."""
    given = configuration or settings()
    configure_logs(given.log_level)
    url = given.database_url.get_secret_value()
    direct = given.database_direct_url.get_secret_value() if given.database_direct_url else url
    waker = Waker(direct)
    units = open_units(given, url, on_effects=waker.wake, application="sentinel web")
    parts = Runtime(
        given, units, _graph(given), KeyUses(units, given.peppers[0]), CallCounts(units), Providers(_outbound(given))
    )
    app = _common_app(parts, "__Host-sentinel")
    app.config["MAILBOX"] = given.local_mail_dir
    app.config["PLATFORM_PROVIDER"] = given.platform_oidc_name
    register_limits(app, given)
    register_presentation(app)
    csrf = CSRFProtect(app)
    register_sessions(app)
    register_tenant_urls(app)
    pages.register_pages(app)
    resources.register_resources(app, csrf)
    _refuse_privileged_logins(app, units)
    return app


def create_platform_app(configuration: Settings | None = None) -> Flask:
    """Return the staff's application, with login, cookie and secret of its own. Raises ValueError without them."""
    given = configuration or settings()
    if given.database_platform_url is None or given.platform_base_url is None or given.platform_secret_key is None:
        raise ValueError("DATABASE_PLATFORM_URL, PLATFORM_BASE_URL and PLATFORM_SECRET_KEY must be set")
    configure_logs(given.log_level)
    here = given.model_copy(
        update={"base_url": given.platform_base_url.rstrip("/"), "secret_key": given.platform_secret_key}
    )
    units = open_units(here, given.database_platform_url.get_secret_value(), application="sentinel platform")
    parts = Runtime(here, units, _graph(here), KeyUses(units, here.peppers[0]), CallCounts(units))
    app = _common_app(parts, "__Host-sentinel-staff")
    register_kit(app)
    CSRFProtect(app)
    routing.register_staff(app)
    for noun in (logins, tenants, overrides, requests, retries, cancellations, erasures, records):
        app.register_blueprint(noun.blueprint)
    app.cli.add_command(commands.sentinel)
    _refuse_privileged_logins(app, units)
    return app


def _common_app(parts: Runtime, cookie: str) -> Flask:
    """Return an application with what the tenants' and the staff's share."""
    given = parts.settings
    https = given.base_url.startswith("https://")
    app = Flask("app", root_path=str(ROOT), static_folder=None, template_folder=str(ROOT / "templates"))
    app.config.update(
        SECRET_KEY=given.secret_key.get_secret_value(),
        SESSION_COOKIE_NAME=cookie,
        SESSION_COOKIE_SECURE=True,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_PATH="/",
        PERMANENT_SESSION_LIFETIME=timedelta(days=14),
        SESSION_REFRESH_EACH_REQUEST=False,
        MAX_CONTENT_LENGTH=LARGEST_REQUEST,
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_SSL_STRICT=https,
    )
    install(app, parts)
    register_requests(app, given)
    register_headers(app, https=https)
    register_health(app)
    register_errors(app)
    return app


def _graph(given: Settings) -> Graph | None:
    return open_graph(given.neo4j_uri, given.neo4j_user, given.neo4j_password.get_secret_value(), given.neo4j_database)


def _outbound(given: Settings) -> Policy:
    """Return the limits within which providers of sign-ins are asked."""
    agent = "Sentinel/1.0 (single sign-on)"
    return one_look(given.allowed_targets, given.resolvers, max_bytes=512 * 1024, user_agent=agent)


def _refuse_privileged_logins(app: Flask, units: Units) -> None:
    """Refuse to start with a login that could get round row-level security; while Postgres is down, ask it later."""
    checked = threading.Event()

    def check() -> None:
        refuse_privileged(units.engines.control)
        checked.set()

    try:
        check()
    except OperationalError:
        app.logger.warning("the database does not answer yet")
    finally:
        units.engines.dispose()

    @app.before_request
    def _check() -> None:
        if not checked.is_set():
            check()
