"""What a local installation consists of: which servers we start, and the environment of each of our processes."""

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from app.local import graph, roles
from app.local import keys as keys_of
from app.local.graph import GraphServer
from app.local.ports import Ports
from app.local.postgres import SUPERUSER, PostgresServer
from app.local.temporal import TemporalServer
from app.local.valkey import ValkeyServer

DEMONSTRATION_EMAIL = "demo@example.com"
SECRETS = ("SECRET_KEY", "PLATFORM_SECRET_KEY", "MASTER_KEY", "KEY_PEPPER")

_SETTING = {
    "sentinel_owner": "DATABASE_OWNER_URL",
    "sentinel_app": "DATABASE_URL",
    "sentinel_worker": "DATABASE_WORKER_URL",
    "sentinel_platform": "DATABASE_PLATFORM_URL",
}


@dataclass(frozen=True)
class Installation:
    """The servers that no URL configures, and the settings that follow from them."""

    state: Path
    keys: Mapping[str, str]
    given: Mapping[str, str]
    listening: socket.socket
    target_ports: tuple[int, ...]
    platform_port: int | None
    postgres: PostgresServer | None
    temporal: TemporalServer | None
    graph: GraphServer | None
    valkey: ValkeyServer | None = None
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def demonstration(self) -> bool:
        """Demonstration data exist only where Postgres is ours."""
        return self.postgres is not None

    @property
    def port(self) -> int:
        """The port of the console."""
        port: int = self.listening.getsockname()[1]
        return port

    @property
    def address(self) -> str:
        """Where a browser finds the console."""
        return self.settings.get("BASE_URL", f"http://localhost:{self.port}")

    def environment(self, *logins: str) -> dict[str, str]:
        """The environment of a process that may use `logins` and no other; the first is its DATABASE_URL."""
        environment = dict(self.settings)
        if self.postgres is None:
            return environment
        for login in logins:
            environment[_SETTING[login]] = self.postgres.url(login)
        environment["DATABASE_URL"] = self.postgres.url(logins[0])
        environment["DATABASE_DIRECT_URL"] = self.postgres.url(logins[0])
        return environment


def plan(
    state: Path, keys: Mapping[str, str], given: Mapping[str, str], ports: Ports, say: Callable[[str], None]
) -> Installation:
    """Decide what is started: every server that `given`, the caller's environment, does not name by URL."""
    data = state / "data"
    listening = ports.web(given.get("PORT"), say)
    postgres = None
    if not given.get("DATABASE_URL"):
        passwords = {name: keys[name] for name in (SUPERUSER, *roles.LOGINS)}
        postgres = PostgresServer(data / "postgres", passwords)
    temporal = None
    if not given.get("TEMPORAL_ADDRESS"):
        temporal = TemporalServer(ports.of("temporal"), ports.of("temporal_http"), data / "temporal" / "temporal.db")
    bolt = None
    if not given.get("NEO4J_URI"):
        bolt = GraphServer(data / "graph", keys["graph"], ports.of("graph"), ports.of("graph_http"))
    targets = (ports.of("target"), ports.of("target_tls")) if postgres else ()
    staff = ports.of("platform") if postgres or given.get("DATABASE_PLATFORM_URL") else None
    counting = None
    if int(given.get("WEB_CONCURRENCY") or 1) > 1 and not given.get("RATE_LIMIT_STORAGE_URL"):
        counting = ValkeyServer(ports.of("valkey"), keys["valkey"], data / "valkey")
    plan = Installation(state, keys, given, listening, targets, staff, postgres, temporal, bolt, counting)
    plan.settings.update(_settings(plan))
    return plan


def _settings(plan: Installation) -> dict[str, str]:
    """The settings of all our processes: what the caller gave, and what follows from the servers we start."""
    settings = dict(plan.given)
    settings["PORT"] = str(plan.port)
    settings["BIND"] = f"fd://{plan.listening.fileno()}"
    settings.setdefault("WEB_CONCURRENCY", "1")
    settings["PYTHONUNBUFFERED"] = "1"
    if plan.platform_port:
        settings["PLATFORM_PORT"] = str(plan.platform_port)
        settings.setdefault("PLATFORM_BASE_URL", f"http://localhost:{plan.platform_port}")
    if plan.temporal:
        settings["TEMPORAL_ADDRESS"] = plan.temporal.address
        settings["TEMPORAL_NAMESPACE"] = "default"
    if plan.valkey:
        settings["RATE_LIMIT_STORAGE_URL"] = plan.valkey.url
    if plan.graph:
        settings |= _graph_settings(plan.graph.uri, plan.graph.password)
    if plan.postgres:
        for name in (*SECRETS, "METRICS_TOKEN"):
            settings.setdefault(name, plan.keys[name])
        settings.setdefault("BASE_URL", f"http://localhost:{plan.port}")
        settings["SENTINEL_ENV"] = "development"
        settings["DEMONSTRATION"] = "true"
        settings["DEMONSTRATION_TARGETS"] = ",".join(f"127.0.0.1:{port}" for port in plan.target_ports)
        settings["DEMONSTRATION_EMAIL"] = DEMONSTRATION_EMAIL
        settings["DEMONSTRATION_PASSWORD"] = plan.keys["DEMONSTRATION_PASSWORD"]
        if not plan.given.get("SMTP_URL"):
            settings["LOCAL_MAIL_DIR"] = str(plan.state / "data" / "mail")
    return settings


def _graph_settings(uri: str, password: str) -> dict[str, str]:
    return {
        "NEO4J_URI": uri,
        "NEO4J_USER": graph.USER,
        "NEO4J_PASSWORD": password,
        "NEO4J_DATABASE": graph.DATABASE,
    }


def command_environment(state: Path, given: Mapping[str, str]) -> dict[str, str]:
    """The environment of a command beside a running installation: the platform's login, where Postgres is ours."""
    settings = dict(given)
    if given.get("DATABASE_URL"):
        return settings
    kept = keys_of.load(state / "secrets.json")
    url = PostgresServer(state / "data" / "postgres", kept).url("sentinel_platform")
    settings |= {name: kept[name] for name in SECRETS}
    used = Ports(state / "ports.json")
    servers = _graph_settings(f"bolt://127.0.0.1:{used.kept('graph')}", kept["graph"])
    servers["TEMPORAL_ADDRESS"] = f"127.0.0.1:{used.kept('temporal')}"
    settings = servers | settings
    settings |= {
        "SENTINEL_ENV": "development",
        "DATABASE_URL": url,
        "DATABASE_PLATFORM_URL": url,
        "BASE_URL": f"http://localhost:{used.kept('web')}",
        "PLATFORM_BASE_URL": f"http://localhost:{used.kept('platform')}",
    }
    return settings
