"""What must be true of quotas and sums of calls, whatever happened before: counters are the rows behind them."""

from collections.abc import Callable, Sequence
from typing import LiteralString
from uuid import UUID

import psycopg

Rows = Callable[..., list[tuple[object, ...]]]

# Each finds what is wrong, in words, over the tenants asked for (those of whom all content lies in `shared`).
_FAULTS: tuple[LiteralString, ...] = (
    """SELECT 'scans of ' || coalesce(c.period, r.period) || ': the counter says ' || coalesce(c.used, 0)
           || ', reservations ' || coalesce(r.number, 0)
       FROM (SELECT * FROM shared.quota_counters WHERE quota = 'scans' AND tenant_id = ANY (%(tenants)s)) c
       FULL JOIN (SELECT tenant_id, period, count(*) AS number FROM shared.quota_reservations
                  WHERE state <> 'released' AND tenant_id = ANY (%(tenants)s) GROUP BY 1, 2) r
       ON r.tenant_id = c.tenant_id AND r.period = c.period WHERE coalesce(c.used, 0) <> coalesce(r.number, 0)""",
    """SELECT 'scan ' || s.id || ' is ' || s.status || ', its reservation ' || coalesce(r.state, 'is missing')
       FROM shared.scans s LEFT JOIN shared.quota_reservations r ON r.tenant_id = s.tenant_id AND r.scan_id = s.id
       WHERE NOT s.simulated AND s.tenant_id = ANY (%(tenants)s) AND r.state IS DISTINCT FROM
           CASE WHEN s.status = 'done' THEN 'settled' WHEN s.status IN ('failed', 'cancelled') THEN 'released'
           ELSE 'reserved' END""",
    """SELECT 'a reservation without its scan: ' || r.scan_id FROM shared.quota_reservations r
       LEFT JOIN shared.scans s ON s.tenant_id = r.tenant_id AND s.id = r.scan_id
       WHERE s.id IS NULL AND r.tenant_id = ANY (%(tenants)s)""",
)
_TEXTS: LiteralString = """SELECT 'texts: counters say ' || c.used || ', rows ' || a.number
    FROM (SELECT coalesce(sum(used), 0) AS used FROM shared.quota_counters
          WHERE quota = 'texts' AND tenant_id = ANY (%(tenants)s)) c,
         (SELECT count(*) AS number FROM shared.api_calls
          WHERE verdict IN ('blocked', 'allowed') AND tenant_id = ANY (%(tenants)s)) a WHERE c.used <> a.number"""
_CALLS: LiteralString = """SELECT 'calls of ' || coalesce(m.day, a.day) || ': sums say '
           || coalesce(m.calls, 0) || ' and ' || coalesce(m.texts, 0) || ' texts, rows '
           || coalesce(a.calls, 0) || ' and ' || coalesce(a.texts, 0)
    FROM (SELECT tenant_id, day, sum(calls) AS calls, sum(texts) AS texts FROM
             (SELECT tenant_id, (minute AT TIME ZONE 'UTC')::date AS day, calls, texts FROM shared.usage_minutes
              UNION ALL SELECT tenant_id, day, calls, texts FROM shared.usage_days) both_of
          WHERE tenant_id = ANY (%(tenants)s) GROUP BY 1, 2) m
    FULL JOIN (SELECT tenant_id, (at AT TIME ZONE 'UTC')::date AS day, count(*) AS calls,
                   count(*) FILTER (WHERE verdict IN ('blocked', 'allowed')) AS texts
               FROM shared.api_calls WHERE tenant_id = ANY (%(tenants)s) GROUP BY 1, 2) a
    ON a.tenant_id = m.tenant_id AND a.day = m.day
    WHERE (coalesce(m.calls, 0), coalesce(m.texts, 0)) <> (coalesce(a.calls, 0), coalesce(a.texts, 0))"""


def faults_in_quotas(rows: Rows, tenants: Sequence[UUID], *, calls: bool = False) -> list[str]:
    """Return what is wrong; `calls` only where every process has written its sums, or was followed by one that did."""
    statements = (*_FAULTS, _TEXTS, *((_CALLS,) if calls else ()))
    return [str(row[0]) for statement in statements for row in rows(statement, tenants=list(tenants))]


def quotas_agree(superuser: str, *tenants: UUID, calls: bool = False) -> None:
    """Assert that counters, reservations, scans and calls of the tenants say the same."""
    with psycopg.connect(superuser, autocommit=True) as connection:

        def rows(statement: LiteralString, **values: object) -> list[tuple[object, ...]]:
            return connection.execute(statement, values).fetchall()

        faults = faults_in_quotas(rows, tenants, calls=calls)
    assert not faults, faults
