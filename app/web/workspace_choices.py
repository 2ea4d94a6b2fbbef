"""What lists and forms offer of workspaces."""

from uuid import UUID

from app.db.units import Unit
from app.services import workspaces


def offered(unit: Unit, chosen: UUID | str | None = None) -> list[tuple[str, str]]:
    """Return ids and names of the workspaces in use, and of the one chosen: nothing while there is but one."""
    rows = [(str(row.id), row.name) for row in workspaces.choices(unit)]
    if chosen and str(chosen) not in dict(rows):
        rows += [(str(row_id), name) for row_id, name in workspaces.names(unit).items() if str(row_id) == str(chosen)]
    return rows if len(rows) > 1 else []
