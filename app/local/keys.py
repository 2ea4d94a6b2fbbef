"""The keys and passwords of this checkout: made once at random, kept in one file of mode 0600."""

import json
import os
import secrets
from base64 import b64encode
from pathlib import Path

from app.local.children import LocalError


def _key() -> str:
    """32 random bytes in base64."""
    return b64encode(secrets.token_bytes(32)).decode()


def _password() -> str:
    return secrets.token_urlsafe(18)


_MADE = {
    "SECRET_KEY": _key,
    "PLATFORM_SECRET_KEY": _key,
    "MASTER_KEY": _key,
    "KEY_PEPPER": _key,
    "METRICS_TOKEN": _password,
    "DEMONSTRATION_PASSWORD": _password,
    "graph": _password,
    "valkey": _password,
    "postgres": _password,
    "sentinel_owner": _password,
    "sentinel_app": _password,
    "sentinel_worker": _password,
    "sentinel_platform": _password,
}


def load(path: Path) -> dict[str, str]:
    """Return this checkout's keys by name, making those that are not there yet. Raises LocalError."""
    try:
        kept = json.loads(path.read_text())
    except FileNotFoundError:
        kept = {}
    except ValueError as error:
        raise LocalError(f"{path} is damaged: restore it, or run `make clean-data`") from error
    keys = {name: kept.get(name) or make() for name, make in _MADE.items()}
    if keys != kept:
        write_private(path, json.dumps(keys, indent=1))
    path.chmod(0o600)
    return keys


def write_private(path: Path, text: str) -> None:
    """Replace `path` by a file with `text` that only its owner may read; never half written."""
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)
