"""`sentinel`: every command of the staff as one group, for `python -m app.cli` and for Flask's own command line."""

from flask.cli import AppGroup

from app.platform import erasure_commands, health_commands, staff_commands, tenant_commands

sentinel = AppGroup("sentinel", help="What staff do, with the platform's login; the same as their console.")
erasure_commands.add_to(tenant_commands.tenants)
for _command in (
    tenant_commands.tenants,
    tenant_commands.requests,
    health_commands.health,
    health_commands.effects,
    health_commands.scans,
    health_commands.log,
    staff_commands.staff,
):
    sentinel.add_command(_command)
