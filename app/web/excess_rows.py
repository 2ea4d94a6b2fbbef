"""What pages show of what is beyond the plan: its rows, each with its page, and how one makes room for them."""

from types import SimpleNamespace
from typing import Any
from uuid import UUID

from flask import url_for

from app.services import excess
from app.services.excess import Excess
from app.services.plans import QUOTA_NAMES, Quota

# quota -> the list of all, the page of one, and what that page calls its row
PAGES: dict[Quota, tuple[str, str, str]] = {
    Quota.SEATS: ("people.index", "people.show", "user_id"),
    Quota.API_KEYS: ("keys.index", "keys.show", "key_id"),
    Quota.WORKSPACES: ("workspaces.index", "workspaces.show", "workspace_id"),
}
REMEDIES: dict[Quota, str] = {
    Quota.SEATS: "Remove a person who has a seat, and the next one here gets it.",
    Quota.API_KEYS: "Revoke a key that works, and the next one here works again.",
    Quota.WORKSPACES: "Archive a workspace that is in use, and the next one here can be changed again.",
}


def excess_shown(found: Excess) -> SimpleNamespace:
    """Return what is beyond one quota as the page lists it."""
    every, one, name = PAGES[found.quota]
    return SimpleNamespace(
        name=QUOTA_NAMES[found.quota],
        used=found.used,
        limit=found.limit,
        count=found.count,
        rule=excess.RULES[found.quota],
        remedy=REMEDIES[found.quota],
        all_url=url_for(every),
        rows=None if found.rows is None else [(row.label, _page_of(one, name, row.id)) for row in found.rows],
    )


def _page_of(endpoint: str, name: str, row_id: UUID) -> str:
    values: dict[str, Any] = {name: row_id}
    return url_for(endpoint, **values)
