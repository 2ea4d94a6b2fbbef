"""A million audit events at once, and how much memory this process takes while it streams them."""

from pathlib import Path
from uuid import UUID

import psycopg

from app.db.units import Home
from app.services import audit_exports
from app.services.audit import EVERYTHING
from tests.peers.tenants import Made


def flood(superuser_url: str, tenant_id: UUID, rows: int) -> None:
    """Give the tenant so many events of the size of real ones, without the triggers of a real insert."""
    with psycopg.connect(superuser_url) as connection:
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute(
            "INSERT INTO shared.audit_events (tenant_id, id, at, actor_kind, actor_id, actor_label, action, "
            "target_kind, target_id, before, after, address, agent, request_id) SELECT %(tenant)s, gen_random_uuid(), "
            "now() + n * interval '1 ms', 'user', gen_random_uuid(), 'mia@example.com', 'finding.triage', 'finding', "
            'gen_random_uuid(), \'{"status": "open"}\', \'{"status": "accepted"}\', \'192.0.2.7\', '
            "'Mozilla/5.0 (X11; Linux x86_64) Firefox/145.0', md5(n::text) FROM generate_series(1, %(rows)s) n",
            {"tenant": tenant_id, "rows": rows},
        )
        connection.commit()
        connection.autocommit = True
        connection.execute("ANALYZE shared.audit_events")


def stream(made: Made, form: str) -> tuple[int, int]:
    """Export the whole log and throw it away; return its bytes, and by how many bytes the process grew at most."""
    with made.unit(Home.ACCOUNT) as unit:
        begun = audit_exports.begin_export(unit, form, EVERYTHING)
        unit.commit()
    stretch = iter(audit_exports.stream(made.units, begun))
    size = sum(len(next(stretch)) for _ in range(2))  # what the first pages need is there from then on
    _forget_peak()
    before = _resident("VmRSS")
    size += sum(len(part) for part in stretch)
    return size, max(0, _resident("VmHWM") - before)


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def _resident(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) * 1024
