"""Four web processes beside each other."""

import base64
import json
import tempfile
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.error import HTTPError
from uuid import UUID

import pytest

from app.core.settings import settings
from app.db.opening import open_units
from app.db.units import Home
from app.services import api_keys
from app.services.key_uses import last_uses
from tests.peers.consoles import serving
from tests.peers.tenants import Made, make_tenant
from tests.plugins.servers import Database, settings_of

pytestmark = [pytest.mark.temporal, pytest.mark.timeout(300)]


def status(url: str, headers: dict[str, str], body: object = None) -> int:
    """Ask and return the status."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **headers})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code


def last_use(tenant: Made, key_id: UUID) -> str:
    """Wait until the processes have written the key's uses; return the address of the last one."""
    for _ in range(600):
        with tenant.unit(Home.ACCOUNT) as unit:
            found = last_uses(unit, [key_id])
        if key_id in found:
            return found[key_id].address
        time.sleep(0.1)
    raise AssertionError("no process wrote a use")


def test_revocation_holds_from_the_next_request_in_all_of_four_processes(
    new_database: Callable[[], Database],
    secret_variables: dict[str, str],
    temporal_address: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each process serves the key and tells of its use; revoked, none does; metrics are summed over all of them."""
    variables = {
        **settings_of(new_database(), secret_variables),
        "TEMPORAL_ADDRESS": temporal_address,
        "WEB_CONCURRENCY": "4",
        "RATE_LIMIT_STORAGE_URL": "memory://",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    units = open_units(settings(), variables["DATABASE_URL"])
    tenant = make_tenant(units)
    with tenant.unit(Home.ACCOUNT) as unit:
        pepper = base64.b64decode(variables["KEY_PEPPER"])
        issued = api_keys.issue_key(unit, name="four", scopes=["tenant:guard:process"], pepper=pepper)
        unit.commit()
    with tempfile.TemporaryDirectory(prefix="four-") as name, serving(variables, Path(name)) as console:
        url, key = f"{console.address}/api/v1/process", {"X-API-Key": issued.secret}

        def ask(_number: int) -> int:
            return status(url, key, {"user_input": "hello", "user_id": "u"})

        with ThreadPoolExecutor(16) as pool:
            assert set(pool.map(ask, range(80))) == {200}
            assert last_use(tenant, issued.key.id) == "127.0.0.1"
            with tenant.unit(Home.ACCOUNT) as unit:
                api_keys.revoke_key(unit, issued.key.id)
                unit.commit()
            assert set(pool.map(ask, range(80))) == {401}
        with urllib.request.urlopen(f"{console.address}/metrics", timeout=60) as answer:
            lines = answer.read().decode().splitlines()
        counted = [line for line in lines if line.startswith("sentinel_requests_total") and "/api/v1/process" in line]
        assert sum(float(line.rsplit(" ", 1)[1]) for line in counted) == 160
    units.engines.dispose()
    settings.cache_clear()
