"""Where a tenant's rows live."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class Isolation(StrEnum):
    """The three levels at which a tenant's content can be kept apart."""

    ROW = "row"
    SCHEMA = "schema"
    DATABASE = "database"


@dataclass(frozen=True, slots=True)
class Placement:
    """The home of one tenant's content; `epoch` rises with each move."""

    tenant_id: UUID
    level: Isolation
    schema: str
    database: str | None
    epoch: int
