"""Where the rows behind each quota's number are shown."""

from flask import current_app, url_for

from app.core.permissions import Permission
from app.db.units import Unit
from app.services.access import may
from app.services.plans import Quota
from app.web.presentation import closed

# quota -> the page of the rows behind it, its filters, and the permission that it needs
BEHIND: dict[Quota, tuple[str, dict[str, str], Permission]] = {
    Quota.SEATS: ("people.index", {}, Permission.PEOPLE_READ),
    Quota.WORKSPACES: ("workspaces.index", {}, Permission.WORKSPACES_READ),
    Quota.API_KEYS: ("keys.index", {}, Permission.KEYS_READ),
    Quota.SCANS: ("plans.counted_scans", {}, Permission.USAGE_READ),
    Quota.TEXTS: ("usages.calls", {"quota": "texts", "period": "this_month"}, Permission.USAGE_READ),
    Quota.CONCURRENT_SCANS: ("scans.index", {"status": "running"}, Permission.SCANS_READ),
}


def rows_of(unit: Unit, quota: Quota) -> str | None:
    """Return the address of the rows that a quota's number counts; None where this person has none to open."""
    if quota not in BEHIND:
        return None
    endpoint, values, permission = BEHIND[quota]
    if endpoint not in current_app.view_functions or not may(unit, permission) or closed():
        return None
    return url_for(endpoint, **values)  # type: ignore[arg-type]
