"""The real parts that one web process serves with, made by the composition root."""

from dataclasses import dataclass, field
from typing import cast

from flask import Flask, current_app

from app.core.outbound import Policy
from app.core.settings import Settings
from app.db.units import Units
from app.graph.gateway import Graph
from app.services.openid import Providers
from app.services.signing_keys import PublicKeys
from app.serving.call_counts import CallCounts
from app.serving.key_uses import KeyUses


@dataclass(frozen=True)
class Runtime:
    """What handlers reach the world through."""

    settings: Settings
    units: Units
    graph: Graph | None
    key_uses: KeyUses
    call_counts: CallCounts
    providers: Providers = field(default_factory=lambda: Providers(Policy()))
    public_keys: PublicKeys = field(default_factory=PublicKeys)

    @property
    def pepper(self) -> bytes:
        """The key under which credentials are hashed."""
        return self.peppers[0]

    @property
    def peppers(self) -> list[bytes]:
        """The keys under which credentials may be hashed, the present one first."""
        return self.settings.peppers

    @property
    def master_key(self) -> bytes:
        """The key that wraps the tenants' data keys."""
        return self.settings.master


def install(app: Flask, runtime: Runtime) -> None:
    """Give `app` its runtime."""
    app.extensions["sentinel"] = runtime


def runtime() -> Runtime:
    """Return the runtime of the application that serves the present request."""
    return cast(Runtime, current_app.extensions["sentinel"])
