-- Counts the findings of each day from their rows, into days that are there and new ones.
INSERT INTO finding_days AS d (tenant_id, day, workspace_id, severity, opened, closed, found)
SELECT tenant_id, (first_seen_at AT TIME ZONE 'UTC')::date, workspace_id, severity, 0, 0, count(*) FROM findings
GROUP BY 1, 2, 3, 4
ON CONFLICT (tenant_id, day, workspace_id, severity) DO UPDATE SET found = EXCLUDED.found
