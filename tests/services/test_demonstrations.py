"""The demonstration tenant: what its pages say hangs together."""

from datetime import timedelta

from app.services import demonstrations, quotas, usage_counts, usage_series
from app.services.plans import Quota
from app.services.usage_series import Measure
from tests.peers.tenants import Made


def test_quotas_of_the_month_are_what_its_simulated_rows_used(tenant: Made) -> None:
    """Texts and scans counted against the plan are those that the workspaces' table tells, and there are some."""
    with tenant.unit() as unit:
        hosts = demonstrations.add_hosts(unit)
        for seed in range(4):
            demonstrations.write_day(unit, hosts, seed=seed)
        usage_counts.recount(unit, unit.now() - timedelta(days=1), unit.now() + timedelta(days=1))
        demonstrations.count_month(unit)
        unit.commit()
    with tenant.unit() as unit:
        told = [numbers for _, _, numbers in usage_series.of_workspaces(unit)]
        for quota, measure in ((Quota.TEXTS, Measure.TEXTS), (Quota.SCANS, Measure.SCANS)):
            used = quotas.used_of(unit, quota)[0]
            assert used == sum(numbers.get(measure, 0) for numbers in told)
            assert used > 0
