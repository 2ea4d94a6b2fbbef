"""Rate limits over processes: four of them on one Valkey admit exactly what the plan allows."""

import json
import subprocess
import sys
from pathlib import Path

from app.db.units import Units
from app.local.valkey import ValkeyServer
from tests.peers.programs import issue
from tests.peers.tenants import Made
from tests.services.test_plans import override

ROOT = Path(__file__).resolve().parents[2]
ASK = """
import json, sys, threading
from collections import Counter
from app.factory import create_app
app, counts = create_app(), Counter()
secret, calls, base = sys.argv[1], int(sys.argv[2]), sys.argv[3]
def ask():
    client = app.test_client()
    for _ in range(calls):
        answer = client.get("/api/v1/tenants/current", headers={"X-API-Key": secret}, base_url=base)
        counts[str(answer.status_code)] += 1
print("ready", flush=True)
sys.stdin.readline()
threads = [threading.Thread(target=ask) for _ in range(2)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(json.dumps(counts))
"""


def test_four_processes_admit_exactly_the_plans_calls(
    tenant: Made, worker_units: Units, valkey_server: ValkeyServer, environment: dict[str, str]
) -> None:
    """Of 240 calls by 8 threads in 4 processes within a minute exactly 100 pass; none is refused too early."""
    override(tenant, worker_units, "rate", "api_requests", 100)
    _key_id, secret = issue(tenant)
    given = {**environment, "RATE_LIMIT_STORAGE_URL": valkey_server.url, "LOG_LEVEL": "ERROR"}
    base, pipe = environment["BASE_URL"].replace("http://", "https://"), subprocess.PIPE
    command = [sys.executable, "-c", ASK, secret, "30", base]
    running = [
        subprocess.Popen(command, cwd=ROOT, env=given, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, bufsize=0)
        for _ in range(4)
    ]
    for process in running:
        assert process.stdout is not None
        while process.stdout.readline().strip() != b"ready":
            assert process.poll() is None
    passed = refused = 0
    for process in running:  # all at once, so that no call comes after the minute of the first one
        assert process.stdin is not None
        process.stdin.write(b"go\n")
    for process in running:
        out, _ = process.communicate(timeout=120)
        told = json.loads(out.splitlines()[-1])
        passed += told.get("200", 0)
        refused += told.get("429", 0)
    assert (passed, refused) == (100, 140)
