"""Serves what the build put into `static/dist/`: names hold a hash of the content, so a year's cache is safe."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flask import Blueprint, Response, request, send_from_directory

YEAR = 31_536_000
DIST = Path(__file__).resolve().parents[2] / "static" / "dist"

blueprint = Blueprint("statics", __name__)


@dataclass(frozen=True)
class Manifest:
    """What was built: the file of each name, and the icons that the sprite holds."""

    files: Mapping[str, str]
    icons: frozenset[str]

    def path(self, name: str) -> str:
        """Return the path under which `name` is served. Raises KeyError for what was not built."""
        return f"/static/dist/{self.files[name]}"


def read_manifest(dist: Path = DIST) -> Manifest:
    """Return the manifest of the last build. Raises RuntimeError where there was none."""
    try:
        found = json.loads((dist / "manifest.json").read_text())
    except FileNotFoundError:
        raise RuntimeError("the front end is not built: python -m app.local.assets") from None
    return Manifest(found["files"], frozenset(found["icons"]))


@blueprint.get("/static/dist/<name>")
def show(name: str) -> Response:
    """Answer one built file, compressed where the browser takes it."""
    packed = request.accept_encodings["gzip"] > 0 and (DIST / f"{name}.gz").is_file() and not name.endswith(".gz")
    response = send_from_directory(DIST, f"{name}.gz" if packed else name, mimetype=_kind(name), max_age=YEAR)
    if packed:
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Vary"] = "Accept-Encoding"
    response.cache_control.public = True
    response.cache_control.no_cache = None
    response.cache_control.immutable = True
    return response


def _kind(name: str) -> str:
    kinds = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml", "json": "application/json"}
    return kinds.get(name.rpartition(".")[2], "application/octet-stream")
