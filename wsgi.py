"""What gunicorn serves: `wsgi:app` to tenants, `wsgi:platform` to staff; a process makes the one it is asked for."""

import os
import tempfile
from typing import TYPE_CHECKING, Any

# Metrics are summed over the processes through files; the library decides so when it is first imported.
if int(os.environ.get("WEB_CONCURRENCY") or 1) > 1:
    os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", tempfile.mkdtemp(prefix="sentinel-metrics-"))

from app import factory

if TYPE_CHECKING:
    from flask import Flask

    app: Flask
    platform: Flask

_MAKERS = {"app": factory.create_app, "platform": factory.create_platform_app}


def __getattr__(name: str) -> Any:
    """Make the application of that name, once (PEP 562)."""
    if name not in _MAKERS:
        raise AttributeError(name)
    globals()[name] = _MAKERS[name]()
    return globals()[name]
