"""Signing up from a program: the same answer whether the address has an account or not."""

import re
import secrets

from pydantic import Field

from app.api.openings import opening
from app.api.routing import PREFIX, noun_blueprint
from app.api.shapes import Asked, Told
from app.core.errors import Invalid
from app.db.units import Doorway
from app.services import tokens
from app.services.accounts import Signup
from app.serving.requests import origin
from app.serving.runtimes import runtime
from app.serving.timing import level_off

blueprint = noun_blueprint("signups", __name__)
_GAPS = re.compile(r"[^a-z0-9]+")
_SLUG = "The tenant's short name in addresses; made of its name where it is left out"


class NewPerson(Asked):
    """Who signs up."""

    email: str = Field(max_length=320, examples=["test@acme.example"])
    name: str = Field(max_length=120, examples=["Test User"])
    password: str = Field(max_length=1024, json_schema_extra={"format": "password"})


class NewTenant(Asked):
    """The tenant that is made."""

    name: str = Field(max_length=120, examples=["Acme"])
    slug: str | None = Field(None, max_length=63, description=_SLUG, examples=["acme"])


class RegisterRequest(Asked):
    """A person and their tenant."""

    user: NewPerson
    tenant: NewTenant


class OrganizationRequest(Asked):
    """The same in one level, as /auth/register takes it."""

    email: str = Field(max_length=320, examples=["test@acme.example"])
    password: str = Field(max_length=1024, json_schema_extra={"format": "password"})
    full_name: str = Field(max_length=120, examples=["Test User"])
    org_name: str = Field(max_length=120, examples=["Test Organization"])
    org_slug: str | None = Field(None, max_length=63, description=_SLUG, examples=["test-organization"])


class RegistrationView(Told):
    """What comes next; it tells nothing of whether the address had an account."""

    detail: str = "Open the link in the mail to this address, then sign in."


@opening(
    blueprint,
    "POST",
    "/auth/register",
    status=202,
    body=RegisterRequest,
    answer=RegistrationView,
    refusals=(429,),
    addresses=(PREFIX + "/auth/register",),
)
def register(door: Doorway, body: RegisterRequest) -> RegistrationView:
    """Make a person and a tenant; tokens come by signing in, once the address is confirmed."""
    typed = _signup(body.tenant.name, body.tenant.slug, body.user.name, body.user.email, body.user.password)
    names = {"company": "tenant.name", "slug": "tenant.slug"}
    return _register(door, typed, {**{name: f"user.{name}" for name in ("name", "email", "password")}, **names})


@opening(
    blueprint,
    "POST",
    "/auth/register",
    status=202,
    body=OrganizationRequest,
    answer=RegistrationView,
    refusals=(429,),
    addresses=("/auth/register",),
)
def register_organization(door: Doorway, body: OrganizationRequest) -> RegistrationView:
    """Make a person and an organization, which is a tenant; as /api/v1/auth/register in another shape."""
    typed = _signup(body.org_name, body.org_slug, body.full_name, body.email, body.password)
    return _register(door, typed, {"company": "org_name", "slug": "org_slug", "name": "full_name"})


def _signup(company: str, slug: str | None, name: str, email: str, password: str) -> Signup:
    return Signup(company, slug if slug is not None else _slug_of(company), name, email, password)


def _slug_of(company: str) -> str:
    """Return a short name that is free but for a chance of one in a million."""
    return f"{_GAPS.sub('-', company.lower())[:40].strip('-') or 'tenant'}-{secrets.token_hex(3)}"


def _register(door: Doorway, typed: Signup, names: dict[str, str]) -> RegistrationView:
    try:
        unit = tokens.register(door, typed, master_key=runtime().master_key, origin=origin())
    except Invalid as error:
        fields = {names.get(field, field): problem for field, problem in error.fields.items()}
        raise Invalid(error.detail, fields=fields) from error
    (unit or door).commit()
    level_off()
    return RegistrationView()
