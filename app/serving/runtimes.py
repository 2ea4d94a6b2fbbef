"""The real parts that one web process serves with, made by the composition root."""

from dataclasses import dataclass, field
from typing import cast

from flask import Flask, current_app

from app.core.crypto import decode_key
from app.core.settings import Settings
from app.db.units import Units
from app.graph.gateway import Graph
from app.services.signing_keys import PublicKeys


@dataclass(frozen=True)
class Runtime:
    """What handlers reach the world through."""

    settings: Settings
    units: Units
    graph: Graph | None
    public_keys: PublicKeys = field(default_factory=PublicKeys)

    @property
    def pepper(self) -> bytes:
        """The key under which credentials are hashed."""
        return decode_key(self.settings.key_pepper.get_secret_value())

    @property
    def master_key(self) -> bytes:
        """The key that wraps the tenants' data keys."""
        return decode_key(self.settings.master_key.get_secret_value())


def install(app: Flask, runtime: Runtime) -> None:
    """Give `app` its runtime."""
    app.extensions["sentinel"] = runtime


def runtime() -> Runtime:
    """Return the runtime of the application that serves the present request."""
    return cast(Runtime, current_app.extensions["sentinel"])
