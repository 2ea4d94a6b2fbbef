"""`python -m app.local run`, `python -m app.local clean` and `python -m app.local sentinel COMMAND …`."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from app.local import runs
from app.local.children import LocalError, end_survivors
from app.local.installation import command_environment
from app.local.locks import RunLock

STATE = Path(__file__).resolve().parents[2] / ".local"
DATA = ("data", "log", "secrets.json", "ports.json", "children.json", "mail", "storage")


def clean(state: Path = STATE) -> int:
    """Remove this checkout's data after asking; return the exit status."""
    lock = RunLock(state / "run.lock")
    try:
        lock.take()
        end_survivors(state / "children.json")
    except LocalError as error:
        print(error, file=sys.stderr)
        return 1
    present = [state / name for name in DATA if (state / name).exists()]
    try:
        if not present:
            print("There is no data to remove.")
            return 0
        if not _agreed(state):
            print("Nothing was removed.")
            return 1
        for path in present:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        print("The data is removed; `make run` starts afresh.")
        return 0
    finally:
        lock.free()


def _agreed(state: Path) -> bool:
    if os.environ.get("YES") == "1":
        return True
    if not sys.stdin.isatty():
        print("This asks before it removes anything: run it in a terminal, or with YES=1.", file=sys.stderr)
        return False
    answer = input(f"Remove every tenant, scan and key of this checkout ({state})? [y/N] ")
    return answer.strip().lower() in ("y", "yes")


def _command(arguments: list[str]) -> int:
    """Run one of Sentinel's commands beside the running installation; return its exit status."""
    environment = command_environment(STATE, os.environ)
    return subprocess.run([sys.executable, "-m", "app.cli", *arguments], env=environment, check=False).returncode


def main(arguments: list[str]) -> int:
    """Run the command that `arguments` names."""
    commands = {"run": lambda: runs.run(STATE), "clean": clean}
    if arguments[:1] == ["sentinel"]:
        return _command(arguments[1:])
    if len(arguments) != 1 or arguments[0] not in commands:
        print("usage: python -m app.local run | clean | sentinel COMMAND ...", file=sys.stderr)
        return 2
    return commands[arguments[0]]()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
