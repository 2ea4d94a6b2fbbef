"""Who does the work at hand, with what permissions and from where."""

from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID


class ActorKind(StrEnum):
    USER = "user"
    KEY = "key"
    SCIM = "scim"
    STAFF = "staff"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Actor:
    """A person, an API key, an identity provider or the platform itself; `label` is what an audit row shows.

    With a `workspace_id` it sees and writes the content of that workspace alone. Where it is beyond the tenant's plan,
    `beyond` names the quota and `withheld` holds what it may not do for that reason.
    """

    kind: ActorKind
    id: UUID | None
    label: str
    permissions: frozenset[str] = field(default_factory=frozenset)
    address: str | None = None
    agent: str | None = None
    request_id: str | None = None
    workspace_id: UUID | None = None
    beyond: str | None = None
    withheld: frozenset[str] = field(default_factory=frozenset)


def system_actor(label: str) -> Actor:
    """Return the platform itself as the actor, for work done after a commit; it holds no permission."""
    return Actor(ActorKind.SYSTEM, None, label)
