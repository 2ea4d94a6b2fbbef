"""Real Neo4j 5.26 from Maven Central, in process with a dozen lines of Java run as a source file."""

import os
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import neo4j
from neo4j.exceptions import Neo4jError, ServiceUnavailable

from app.local.children import Child, LocalError, spawn

VERSION = "5.26.0"
CACHE = Path(__file__).parents[2] / ".local" / f"neo4j-harness-{VERSION}"
SOURCE = Path(__file__).with_name("Neo4jServer.java")

_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>sentinel</groupId><artifactId>peers</artifactId><version>1</version>
  <dependencies><dependency>
    <groupId>org.neo4j.test</groupId><artifactId>neo4j-harness</artifactId><version>{VERSION}</version>
  </dependency></dependencies>
</project>
"""


@dataclass
class Neo4jHarness:
    """One Neo4j on 127.0.0.1 without authentication, with its data in a directory."""

    state: Path
    port: int
    child: Child | None = field(default=None, init=False)

    @staticmethod
    def lacking() -> str:
        """What the machine lacks for it, as a remedy; empty when nothing."""
        missing = [name for name in ("javac", "mvn") if not shutil.which(name)]
        return f"install {' and '.join(missing)} (a JDK of 17 or later, and Maven)" if missing else ""

    @property
    def uri(self) -> str:
        """Its Bolt address."""
        return f"bolt://127.0.0.1:{self.port}"

    def spawn(self) -> None:
        """Bring the jars once, then start it; `wait` for it afterwards."""
        jars = _jars()
        command = ["java", "-Xmx700m", "-XX:+UseSerialGC", "--add-opens=java.base/java.nio=ALL-UNNAMED"]
        command += ["--add-opens=java.base/java.lang=ALL-UNNAMED", "-cp", f"{jars}/*", str(SOURCE)]
        command += [str(self.port), str(self.state)]
        self.state.mkdir(parents=True, exist_ok=True)
        self.child = spawn("neo4j", command, log=self.state / "neo4j.log")

    def wait(self, patience: float = 90.0) -> None:
        """Return when a query answers. Raises LocalError when it ends or takes too long."""
        deadline = time.monotonic() + patience
        child = self.child
        assert child is not None
        while True:
            try:
                with neo4j.GraphDatabase.driver(self.uri, connection_timeout=5) as driver:
                    driver.execute_query("RETURN 1", database_="neo4j")
                return
            except (ServiceUnavailable, Neo4jError, OSError) as error:
                if not child.running() or time.monotonic() > deadline:
                    raise LocalError(f"Neo4j does not start: {child.last_words() or error}") from error
            time.sleep(0.2)

    def kill(self) -> None:
        """End it."""
        if self.child:
            self.child.kill()


def _jars() -> Path:
    """The directory of the harness and what it needs, copied from Maven Central on first use."""
    jars = CACHE / "jars"
    if not jars.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        draft = CACHE / f"draft-{os.getpid()}"
        pom = CACHE / "pom.xml"
        pom.write_text(_POM)
        done = subprocess.run(
            ["mvn", "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={draft}"],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise LocalError(f"Maven does not bring Neo4j: {(done.stdout or done.stderr).strip()[-400:]}")
        try:
            draft.rename(jars)
        except OSError:  # another worker was first
            shutil.rmtree(draft)
    return jars
