-- Counts all findings from their rows, into tables that are empty.
INSERT INTO finding_totals (tenant_id, workspace_id, status, severity, number)
SELECT tenant_id, workspace_id, status, severity, count(*) FROM findings
GROUP BY tenant_id, workspace_id, status, severity;

INSERT INTO finding_days (tenant_id, day, workspace_id, severity, opened, closed)
SELECT tenant_id, day, workspace_id, severity, sum(opened), sum(closed) FROM (
    SELECT tenant_id, (first_seen_at AT TIME ZONE 'UTC')::date AS day, workspace_id, severity, 1 AS opened, 0 AS closed
    FROM findings
    UNION ALL
    SELECT tenant_id, (last_seen_at AT TIME ZONE 'UTC')::date, workspace_id, severity, 0, 1
    FROM findings WHERE status <> 'open') changes
GROUP BY tenant_id, day, workspace_id, severity;
