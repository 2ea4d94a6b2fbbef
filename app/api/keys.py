"""API keys for programs: listed, shown and revoked by a key; issued by a person's access token alone."""

import datetime
from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from flask import url_for
from pydantic import Field

from app.api.routing import Answer, noun_blueprint, resource
from app.api.shapes import Asked, Listing, Moment, Paging, Told
from app.core.errors import Invalid
from app.core.permissions import Permission
from app.db.units import Home, Unit
from app.models.accounts import ApiKey
from app.services import api_keys, key_secrets, key_uses
from app.services.key_rules import MOST_CALLS, MOST_NETWORKS, state_of
from app.serving.runtimes import runtime

blueprint = noun_blueprint("keys", __name__)
Scope = Annotated[str, Field(max_length=60)]
Network = Annotated[str, Field(max_length=60)]


class KeyRequest(Asked):
    """A key to issue. `tenant:` may be left out of a scope; tenant_id, if given, is the token's own tenant."""

    name: str = Field(min_length=1, max_length=80)
    scopes: list[Scope] = Field(min_length=1, max_length=40)
    tenant_id: UUID | None = None
    service_account_id: UUID | None = None
    last_day: datetime.date | None = Field(None, description="The last day, UTC; without one it lasts for ever")
    networks: list[Network] = Field([], max_length=MOST_NETWORKS)
    calls_per_minute: int | None = Field(None, ge=1, le=MOST_CALLS)


class KeySummary(Told):
    """A key without its secret; `hint` is the beginning of the present one."""

    id: UUID
    name: str
    hint: str
    state: str = Field(description="active, expired or revoked")
    beyond_plan: bool = Field(description="the plan has no room for it: it reads only")
    scopes: list[str]
    networks: list[str]
    calls_per_minute: int | None
    service_account_id: UUID | None
    issued_by: str
    created_at: Moment
    expires_at: Moment | None
    revoked_at: Moment | None
    last_used_at: Moment | None
    last_address: str | None


class KeyPage(Listing[KeySummary]):
    """A page of keys."""


class IssuedKeyView(KeySummary):
    """A key with its secret, which is told this once."""

    secret: str


@resource(blueprint, "GET", "/api-keys", Permission.KEYS_READ, query=Paging, answer=KeyPage, home=Home.ACCOUNT)
def index(unit: Unit, query: Paging) -> KeyPage:
    """List keys, newest first."""
    page = api_keys.list_keys(unit, cursor=query.cursor, size=query.limit)
    return KeyPage(items=_told(unit, page.rows), next_cursor=page.next_cursor)


@resource(
    blueprint,
    "POST",
    "/api-keys",
    Permission.KEYS_WRITE,
    body=KeyRequest,
    answer=IssuedKeyView,
    status=201,
    home=Home.ACCOUNT,
    unkept="its answer holds a secret",
)
def create(unit: Unit, body: KeyRequest) -> Answer:
    """Issue a key, with a person's access token: keys cannot make keys."""
    if body.tenant_id not in (None, unit.tenant_id):
        raise Invalid(fields={"tenant_id": "is not the tenant of the token"})
    issued = api_keys.issue_key(
        unit,
        name=body.name,
        scopes=[scope if scope.startswith("tenant:") else f"tenant:{scope}" for scope in body.scopes],
        pepper=runtime().pepper,
        last_day=body.last_day,
        networks=body.networks,
        calls_per_minute=body.calls_per_minute,
        service_account_id=body.service_account_id,
    )
    (told,) = _told(unit, [issued.key])
    view = IssuedKeyView(**told.model_dump(), secret=issued.secret)
    return Answer(view, {"Location": url_for("api_keys.show", key_id=issued.key.id), "Cache-Control": "no-store"})


@resource(
    blueprint, "GET", "/api-keys/<key_id>", Permission.KEYS_READ, answer=KeySummary, tagged=True, home=Home.ACCOUNT
)
def show(unit: Unit, key_id: UUID) -> KeySummary:
    """Show a key."""
    return _told(unit, [api_keys.get_key(unit, key_id)])[0]


@resource(
    blueprint,
    "DELETE",
    "/api-keys/<key_id>",
    Permission.KEYS_WRITE,
    Permission.KEYS_READ,
    answer=KeySummary,
    tagged=True,
    home=Home.ACCOUNT,
    current=show,
    held=ApiKey,
)
def revoke(unit: Unit, key_id: UUID) -> KeySummary:
    """Revoke a key from the next request on; it stays on record. A second time changes nothing."""
    return _told(unit, [api_keys.revoke_key(unit, key_id)])[0]


def _told(unit: Unit, keys: Sequence[ApiKey]) -> list[KeySummary]:
    ids = [key.id for key in keys]
    secrets, uses = key_secrets.present_secrets(unit, ids), key_uses.last_uses(unit, ids)
    return [
        KeySummary(
            id=key.id,
            name=key.name,
            hint=secrets[key.id].hint,
            state=state_of(key.revoked_at, key.expires_at, unit.now()),
            beyond_plan=key.beyond_plan,
            scopes=key.scopes,
            networks=key.networks,
            calls_per_minute=key.calls_per_minute,
            service_account_id=key.service_account_id,
            issued_by=key.maker_label,
            created_at=key.created_at,
            expires_at=key.expires_at,
            revoked_at=key.revoked_at,
            last_used_at=uses[key.id].last_at if key.id in uses else None,
            last_address=uses[key.id].address or None if key.id in uses else None,
        )
        for key in keys
    ]
