"""Debian's PgBouncer before the tests' Postgres, in transaction mode with few server connections."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from app.local import ports
from app.local.postgres import ROOTLESS_USER, PostgresServer

SERVER_CONNECTIONS = 3


def program() -> str | None:
    """The pgbouncer of this machine, if it has one."""
    return shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin")


CONFIGURATION = """
[databases]
* = host={socket} port=5432
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
pool_mode = transaction
default_pool_size = {size}
max_client_conn = 100
server_reset_query_always = 0
logfile = {log}
"""


@contextmanager
def bouncer(server: PostgresServer, passwords: Mapping[str, str], directory: Path) -> Iterator[str]:
    """Run PgBouncer before `server` and yield its `host:port`."""
    directory.mkdir()
    port, users, configuration = ports.free_port(), directory / "users", directory / "pgbouncer.ini"
    users.write_text("".join(f'"{login}" "{password}"\n' for login, password in passwords.items()))
    configuration.write_text(
        CONFIGURATION.format(
            socket=server.socket_directory, port=port, users=users, size=SERVER_CONNECTIONS, log=directory / "log"
        )
    )
    command = [str(program()), str(configuration)]
    if os.geteuid() == 0:  # it refuses to run as root, and only the server's own user reaches its socket
        for path in (directory, users, configuration):
            shutil.chown(path, ROOTLESS_USER)
        command[1:1] = ["-u", ROOTLESS_USER]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd="/")
    try:
        _wait(child, port)
        yield f"127.0.0.1:{port}"
    finally:
        child.send_signal(signal.SIGINT)
        child.wait(60)


def _wait(child: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            return
        except OSError:
            assert child.poll() is None, (child.stderr.read() if child.stderr else b"").decode()
            assert time.monotonic() < deadline, "PgBouncer does not listen"
            time.sleep(0.05)


def through(address: str, login: str, password: str, database: str) -> str:
    """The URL of `login` through PgBouncer."""
    return f"postgresql://{login}:{quote(password, safe='')}@{address}/{database}"
