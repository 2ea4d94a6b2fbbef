"""What lists and forms offer of workspaces."""

from uuid import UUID

from wtforms.fields.choices import SelectChoice

from app.db.units import Unit
from app.services import workspaces


def offered(unit: Unit, chosen: UUID | str | None = None) -> list[tuple[str, str]]:
    """Return ids and names of the workspaces in use, and of the one chosen: nothing while there is but one."""
    rows = [(str(row.id), row.name) for row in workspaces.choices(unit)]
    if chosen and str(chosen) not in dict(rows):
        rows += [(str(row_id), name) for row_id, name in workspaces.names(unit).items() if str(row_id) == str(chosen)]
    return rows if len(rows) > 1 else []


def choices(unit: Unit) -> list[SelectChoice]:
    """Return the workspaces in use as a form's field offers them."""
    return [SelectChoice(value, label) for value, label in offered(unit)]
