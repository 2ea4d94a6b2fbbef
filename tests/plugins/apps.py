"""The tenants' application, made once for each set of settings, and what it need not pay for in every test."""

from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher
from flask import Flask
from jinja2.bccache import Bucket, BytecodeCache

from app.core import clock, crypto
from app.core.settings import Settings, settings
from app.local import assets
from app.serving import timing

# What an application keeps for a moment is written when a test asks for it, else at the test's end: not a second later,
# amid the next test, nor between two steps of a test that are slow.
HOUR = 3600.0
REAL = {(m, n): getattr(m, n) for m, n in ((crypto, "_passwords"), (crypto, "_CODE_COST"), (timing, "SOONEST"))}


class _Kept:
    """The application made last: the next test with the same settings gets it again."""

    given: Settings | None = None
    app: Flask | None = None


class _Templates(BytecodeCache):
    """Templates as they were compiled for the first application of this process."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._kept:
            bucket.bytecode_from_string(self._kept[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key] = bucket.bytecode_to_string()


@pytest.fixture(scope="session", autouse=True)
def _cheap() -> Iterator[pytest.MonkeyPatch]:
    """Hashes of passwords and codes cost next to nothing; `real_costs` brings back what they cost elsewhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crypto, "_passwords", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        patch.setattr(crypto, "_CODE_COST", {"time_cost": 1, "memory_cost": 8, "parallelism": 1})
        patch.setattr(timing, "SOONEST", 0.0)
        patch.setattr(Flask, "jinja_options", {"bytecode_cache": _Templates()})
        yield patch


@pytest.fixture
def real_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    """What keeps guessing slow and answers alike in time costs what it costs in an installation."""
    for (module, name), value in REAL.items():
        monkeypatch.setattr(module, name, value)
    crypto.nobodys_hash.cache_clear()


@pytest.fixture(scope="session")
def built() -> None:
    """The front end, built."""
    assets.build_assets()


@pytest.fixture
def app(environment: object, postgres_server: object, built: object) -> Iterator[Flask]:
    """The tenants' application, as it is after its start."""
    from app.factory import create_app

    given = settings()
    if _Kept.app is None or _Kept.given != given:
        _leave()
        _Kept.app, _Kept.given = create_app(), given
    made = _Kept.app
    configuration = dict(made.config)
    batches = [getattr(made.extensions["sentinel"], name) for name in ("key_uses", "call_counts")]
    for each in batches:
        each._seconds = HOUR
    yield made
    for each in batches:
        each.flush()
    made.config.clear()
    made.config.update(configuration)
    made.extensions["sentinel"].units.clock = clock.SystemClock()
    limits = made.extensions["sentinel_limits"].limiter
    limits.enabled = True
    limits.reset()


@pytest.fixture(scope="session", autouse=True)
def _left() -> Iterator[None]:
    yield
    _leave()


def _leave() -> None:
    if _Kept.app is not None:
        _Kept.app.extensions["sentinel"].units.engines.dispose()
    _Kept.app = _Kept.given = None
