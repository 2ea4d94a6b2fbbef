"""Tokens for programs: signing in, refreshing, signing out, who one is; and the keys by which tokens are checked."""

import json
from datetime import datetime
from uuid import UUID

from flask import Response, g
from pydantic import Field

from app.api.openings import opening
from app.api.routing import noun_blueprint, resource
from app.api.shapes import Asked, Told
from app.core.errors import PermissionDenied, TooManyRequests, Unauthenticated
from app.db.directory import Visitor
from app.db.units import Doorway, Unit
from app.services import access_tokens, signing_keys, tokens
from app.services.factors import WrongCode
from app.services.tokens import Installation, Pair, ReusedToken
from app.serving.requests import origin
from app.serving.runtimes import runtime

blueprint = noun_blueprint("tokens", __name__)


class LoginRequest(Asked):
    """Who signs in, and for which tenant: its short name, which may be left out by members of one alone."""

    email: str = Field(max_length=320, examples=["founder@acme.example"])
    password: str = Field(max_length=1024, json_schema_extra={"format": "password"})
    code: str | None = Field(
        None,
        max_length=64,
        examples=["492039"],
        description="A code of the authenticator app, or a recovery code, where the person has a second factor: "
        "without it the problem factor-required names in `factors` what would do",
    )
    tenant: str | None = Field(None, max_length=63, examples=["acme"])


class RefreshRequest(Asked):
    """A refresh token, as it was told."""

    refresh_token: str = Field(max_length=200, examples=["sntl_refresh_…"])


class TenantName(Told):
    """Which tenant a token is for."""

    id: UUID
    slug: str
    name: str


class PairView(Told):
    """An access token, and the refresh token for the next pair, which is used once."""

    access_token: str
    token_type: str = "Bearer"  # noqa: S105
    expires_in: int = Field(description="Seconds")
    refresh_token: str
    refresh_expires_in: int = Field(description="Seconds")
    tenant: TenantName


class EndView(Told):
    """The session of the refresh token, if there was one, has ended."""

    ended: bool = True


class PersonView(Told):
    """The person who holds the access token, and what they may do in its tenant."""

    id: UUID
    email: str
    name: str
    verified: bool
    tenant: TenantName
    role: str
    permissions: list[str]
    session_id: UUID
    methods: list[str] = Field(description="How the person proved who they are")
    confirmed_at: datetime


def _installation() -> Installation:
    return Installation(runtime().settings.base_url, runtime().master_key)


def _told(pair: Pair) -> PairView:
    return PairView(
        access_token=pair.access,
        expires_in=int(access_tokens.LASTS.total_seconds()),
        refresh_token=pair.refresh,
        refresh_expires_in=int(tokens.REFRESH_LASTS.total_seconds()),
        tenant=TenantName.model_validate(pair.visitor.tenant),
    )


@opening(blueprint, "POST", "/auth/login", body=LoginRequest, answer=PairView, refusals=(401, 403, 409, 429))
def login(door: Doorway, body: LoginRequest) -> PairView:
    """Sign in with address, password and a code where one is asked for; 409 names the tenants to choose from."""
    try:
        unit, pair = tokens.sign_in(
            door,
            body.email,
            body.password,
            code=body.code,
            slug=body.tenant,
            installation=_installation(),
            origin=origin(),
        )
    except (Unauthenticated, TooManyRequests, WrongCode):
        door.commit()
        raise
    unit.commit()
    return _told(pair)


@opening(blueprint, "POST", "/auth/refresh", body=RefreshRequest, answer=PairView, refusals=(401, 403))
def refresh(door: Doorway, body: RefreshRequest) -> PairView:
    """Spend a refresh token for the next pair; a spent one ends the session."""
    try:
        unit, pair = tokens.refresh(door, body.refresh_token, installation=_installation(), origin=origin())
    except ReusedToken:
        door.commit()
        raise
    unit.commit()
    return _told(pair)


@opening(blueprint, "POST", "/auth/logout", body=RefreshRequest, answer=EndView)
def logout(door: Doorway, body: RefreshRequest) -> EndView:
    """End the session of a refresh token; one that is unknown is answered alike."""
    tokens.sign_out(door, body.refresh_token, origin=origin())
    return EndView()


@resource(blueprint, "GET", "/auth/me", answer=PersonView, aliases=("/auth/me",))
def me(unit: Unit) -> PersonView:
    """Show who holds the access token; 403 for a key, which is nobody."""
    visitor: Visitor | None = g.visitor
    if visitor is None:
        raise PermissionDenied("An API key is no person: ask for tenants/current.")
    return PersonView(
        id=visitor.user_id,
        email=visitor.email,
        name=visitor.name,
        verified=visitor.verified,
        tenant=TenantName.model_validate(visitor.tenant),
        role=visitor.role or "",
        permissions=sorted(unit.actor.permissions),
        session_id=visitor.session_id,
        methods=list(visitor.proof.methods),
        confirmed_at=visitor.proof.confirmed_at,
    )


@blueprint.get("/.well-known/jwks.json", provide_automatic_options=False)
def jwks() -> Response:
    """Answer the public keys of access tokens (RFC 7517); those that sign next stand there already."""
    with runtime().units.identify() as door:
        keys = [signing_keys.public_jwk(key) for key in signing_keys.published(door.session)]
    answer = Response(json.dumps({"keys": keys}), mimetype="application/jwk-set+json")
    answer.headers["Cache-Control"] = f"public, max-age={int(signing_keys.SET_KEPT.total_seconds())}"
    return answer


jwks.permission, jwks.public = None, True  # type: ignore[attr-defined]
