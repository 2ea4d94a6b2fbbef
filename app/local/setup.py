"""Brings a checkout to the point where everything can run: `python3.11 -m app.local.setup`.

Run by the system's Python before anything is installed: the standard library only.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from app.local.children import LocalError

ROOT = Path(__file__).resolve().parents[2]
NEEDED = (3, 11)
_SHOWN = 200


class Steps:
    """Prints each step with the seconds since the start, and runs its commands quietly, into a log."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._start = time.monotonic()

    def say(self, text: str) -> None:
        """Print one line of progress."""
        print(f"[{time.monotonic() - self._start:5.1f} s] {text}", flush=True)

    def run(self, what: str, command: Sequence[str], remedy: str, environment: Mapping[str, str] | None = None) -> None:
        """Run `command`. Raises LocalError with its last line and the remedy when it fails."""
        self.finish(what, self.begin(command, environment), remedy)

    def begin(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> "subprocess.Popen[str]":
        """Start `command` without waiting for it."""
        return subprocess.Popen(
            list(command),
            cwd=ROOT,
            env=None if environment is None else dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def finish(self, what: str, process: "subprocess.Popen[str]", remedy: str) -> None:
        """Wait for a command that `begin` started. Raises LocalError as `run` does."""
        output, _ = process.communicate()
        with self._log.open("a") as log:
            log.write(output)
        if process.returncode != 0:
            lines = [line.strip() for line in output.splitlines() if line.strip()]
            telling = [line for line in lines if "error" in line.lower()] or lines or ["no output"]
            raise LocalError(f"{what}: {telling[-1][:_SHOWN]} ({remedy}; {self._log.relative_to(ROOT)})")


def environment_python() -> Path:
    """The Python of the checkout's virtual environment."""
    return ROOT / ".venv" / "bin" / "python"


def prepare(steps: Steps) -> None:
    """Bring virtual environment, packages and front end up to date. Raises LocalError."""
    if sys.version_info < NEEDED:
        raise LocalError(f"Python {sys.version.split()[0]} is too old: install Python 3.11 or later")
    stamp = ROOT / ".venv" / ".sentinel"
    wanted = _digest(ROOT / "requirements.lock")
    python_fits = _works(environment_python()) if stamp.exists() else False
    if python_fits and stamp.read_text() == wanted:
        _front_end(steps, _build_assets(steps, Path(sys.executable)) if _assets_due() else None)
        return
    front_end = _build_assets(steps, Path(sys.executable)) if _assets_due() and _npm_here() else None
    try:
        _packages(steps)
    except BaseException:
        if front_end:
            front_end.kill()
        raise
    stamp.write_text(wanted)
    if front_end is None and _assets_due():
        front_end = _build_assets(steps, environment_python())
    _front_end(steps, front_end)


def _packages(steps: Steps) -> None:
    python = environment_python()
    if not _works(python):
        steps.say("making the virtual environment .venv")
        _clear_environment()
        remedy = "install Python's venv module, on Debian python3.11-venv"
        steps.run("the virtual environment cannot be made", [sys.executable, "-m", "venv", str(ROOT / ".venv")], remedy)
    uv = python.parent / "uv"
    pinned = _pinned_uv()
    if not uv.exists() or pinned.split()[0].partition("==")[2] not in _output([str(uv), "--version"]):
        steps.say("installing uv")
        if not _output([str(python), "-m", "pip", "--version"]):
            remedy = "install Python's venv and ensurepip modules"
            steps.run("pip cannot be installed", [str(python), "-m", "ensurepip"], remedy)
        lock = ROOT / ".local" / "uv.lock"
        lock.write_text(pinned)
        command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
        steps.run("uv cannot be installed", [*command, "-r", str(lock)], "is the package registry reachable?")
    steps.say("installing the locked packages")
    # A linked environment is shared with somebody: add and correct, remove nothing.
    verb = ["install", "-r"] if (ROOT / ".venv").is_symlink() else ["sync"]
    command = [str(uv), "pip", *verb, "--require-hashes", "--python", str(python), "requirements.lock"]
    settings = {"UV_SYSTEM_CERTS": "1", **os.environ, "UV_NO_PROGRESS": "1"}  # whom pip trusts, uv does as well
    settings.pop("VIRTUAL_ENV", None)
    steps.run("the packages cannot be installed", command, "is the package registry reachable?", settings)
    steps.say("packages are installed")


def _front_end(steps: Steps, building: "subprocess.Popen[str] | None") -> None:
    if building is None:
        return
    steps.say("building the front end")
    steps.finish("the front end cannot be built", building, "is the npm registry reachable?")
    (ROOT / ".local" / "assets").write_text(_assets_digest())


def _build_assets(steps: Steps, python: Path) -> "subprocess.Popen[str]":
    """Start building the front end, with Node's wheel where no npm is on the PATH."""
    if not _npm_here():
        python = environment_python()
    return steps.begin([str(python), "-m", "app.local.assets"], {"NODE_USE_SYSTEM_CA": "1", **os.environ})


def _npm_here() -> bool:
    return bool(shutil.which("npm") and shutil.which("node"))


def _assets_due() -> bool:
    """Whether the front end was built from other files than those that are here."""
    if not (ROOT / "app" / "local" / "assets.py").exists():
        return False
    stamp = ROOT / ".local" / "assets"
    built = (ROOT / "static" / "dist" / "manifest.json").exists()
    return not built or not stamp.exists() or stamp.read_text() != _assets_digest()


def _assets_digest() -> str:
    dist = ROOT / "static" / "dist"
    own = [path for path in sorted((ROOT / "static").rglob("*")) if path.is_file() and dist not in path.parents]
    return _digest(ROOT / "package.json", ROOT / "package-lock.json", ROOT / "app" / "local" / "assets.py", *own)


def _digest(*paths: Path) -> str:
    total = hashlib.sha256(f"{sys.version_info[:2]} {sysconfig.get_platform()}".encode())
    for path in paths:
        if not path.exists():
            raise LocalError(f"{path.relative_to(ROOT)} is missing: restore it with `git checkout {path.name}`")
        total.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def _pinned_uv() -> str:
    """The lines of the lock that pin uv and its hashes."""
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    start = next((n for n, line in enumerate(lines) if line.startswith("uv==")), None)
    if start is None:
        raise LocalError("requirements.lock does not pin uv: make it anew with `make lock`")
    end = next((n for n in range(start + 1, len(lines)) if not lines[n].startswith(" ")), len(lines))
    return "\n".join(lines[start:end]) + "\n"


def _clear_environment() -> None:
    """Remove what is left of a virtual environment that does not work; never what a link points to."""
    directory = ROOT / ".venv"
    if directory.is_symlink():
        directory.unlink()
    elif directory.exists():
        shutil.rmtree(directory)


def _works(python: Path) -> bool:
    """Whether `python` is a virtual environment's interpreter of the version that runs now."""
    if not (python.parent.parent / "pyvenv.cfg").exists():
        return False
    return _output([str(python), "-I", "-S", "-c", "import sys; print(sys.version_info[:2])"]) == str(
        sys.version_info[:2]
    )


def _output(command: Sequence[str]) -> str:
    """What `command` prints; empty when it fails."""
    try:
        done = subprocess.run(list(command), capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Hold this checkout's set-up lock."""
    with (ROOT / ".local" / "setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> int:
    """Prepare the checkout; print one line and return 1 when that fails."""
    (ROOT / ".local" / "log").mkdir(parents=True, exist_ok=True)
    steps = Steps(ROOT / ".local" / "log" / "setup.log")
    try:
        with _alone():
            prepare(steps)
    except LocalError as error:
        print(f"Sentinel cannot be set up: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
