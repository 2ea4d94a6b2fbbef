"""Coming in: from a session's token or an API key to a tenant, an actor and what it may do."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from app.core import crypto
from app.core.errors import (
    ConfirmationRequired,
    FactorRequired,
    NotFound,
    OwnProofRequired,
    PermissionDenied,
    SessionConfined,
    SsoRequired,
    TenantClosed,
    Unauthenticated,
    WorkspaceArchived,
)
from app.core.permissions import WITHIN_WORKSPACE, Permission, Role, permissions_of, role_named
from app.db import directory, visits
from app.db.directory import KeyHolder, TenantChoice, TenantView, Visitor
from app.db.units import Doorway, Entry, Home, Unit
from app.db.visits import Visit
from app.services import excess
from app.services.accounts import Origin
from app.services.entries import note_entry
from app.services.key_rules import comes_from
from app.services.plans import Quota, tell_entitlements
from app.tenancy.actors import ActorKind

OPEN = frozenset({"trial", "active"})
CONFIRMED_FOR = timedelta(minutes=15)
OWN_PROOFS = frozenset({"password", "passkey"})  # what no tenant's administrator has a hand in
OWN_FACTORS = OWN_PROOFS | {"totp", "recovery"}


@dataclass(frozen=True, slots=True)
class FoundKey:
    """A key and whom it would let in; nobody has come in yet."""

    holder: KeyHolder
    entry: Entry


def by_session(door: Doorway, token: str, slug: str | None) -> Visitor | None:
    """Return who is signed in, with the tenant of `slug` if the person belongs to it."""
    return directory.begin_session(door.session, crypto.token_hash(token), slug)


def tenants_of(door: Doorway, token: str) -> list[TenantChoice]:
    """Return the tenants that whoever holds the session's token belongs to, by name."""
    return directory.session_tenants(door.session, crypto.token_hash(token))


def visit(door: Doorway, token: str) -> Visit:
    """Note that whoever holds the token is in the present tenant; return what its shell shows beside its pages."""
    return visits.visit(door.session, crypto.token_hash(token))


def last_visited(door: Doorway, token: str) -> str | None:
    """Return the slug of the tenant that whoever holds the token was in last, whatever the browser."""
    return visits.last_visited(door.session, crypto.token_hash(token))


def granted(role: str, extras: tuple[str, ...]) -> frozenset[str]:
    """Return the permissions of a membership: its role's and its own."""
    known = {str(permission) for permission in Permission}
    return frozenset(str(p) for p in permissions_of(role_named(role))) | (known & set(extras))


def enter_tenant(door: Doorway, visitor: Visitor, home: Home, *, origin: Origin) -> Unit:
    """Go on as the visitor in the tenant of the address.

    Raises NotFound where the person is no member of it (alike for one that does not exist), TenantClosed where it is
    suspended or deleted, FactorRequired or SsoRequired where the session does not do what the tenant asks.
    """
    entry = entry_of(visitor, origin)
    if visitor.tenant is None or entry is None:
        raise NotFound()
    require_open(visitor.tenant)
    require_conforming(visitor)
    unit = door.enter(entry, home)
    note_entry(unit, visitor)
    return unit


def enter_closed(door: Doorway, visitor: Visitor, home: Home, *, origin: Origin) -> Unit:
    """Go on as the visitor for what an owner may still do in a tenant that is closed.

    Raises NotFound where the person is no member, TenantClosed for anybody but an owner while the tenant is closed,
    FactorRequired or SsoRequired as the tenant's other pages would.
    """
    entry = entry_of(visitor, origin)
    if visitor.tenant is None or entry is None:
        raise NotFound()
    if visitor.role != Role.OWNER:
        require_open(visitor.tenant)
    require_conforming(visitor)
    unit = door.enter(entry, home)
    note_entry(unit, visitor)
    return unit


def entry_of(visitor: Visitor, origin: Origin) -> Entry | None:
    """Return as whom the visitor would go on in the tenant of the address; None where they are no member of it."""
    if visitor.tenant is None or visitor.role is None:
        return None
    permissions = granted(visitor.role, visitor.extra_permissions)
    actor = origin.actor(ActorKind.USER, visitor.user_id, visitor.email, permissions)
    if visitor.beyond_plan:
        actor = excess.read_only(actor, Quota.SEATS, owner=visitor.role == Role.OWNER)
    return Entry(visitor.tenant.id, visitor.tenant.placement, actor)


def require_conforming(visitor: Visitor) -> None:
    """Return if the visitor's session is what the tenant's policy asks for.

    A session through the tenant's own provider conforms: the provider asks for factors. An owner comes in past the
    provider with a second factor, so that a broken provider locks nobody out for good. What another tenant's provider
    says opens nothing here. Raises FactorRequired, SsoRequired or SessionConfined.
    """
    policy, proof = visitor.policy, visitor.proof
    if policy is None or visitor.tenant is None or proof.sso_tenant_id == visitor.tenant.id:
        return
    if proof.sso_tenant_id is not None and not OWN_PROOFS & set(proof.methods):
        raise SessionConfined(f"Another company's provider signed you in: it does not open {visitor.tenant.name}.")
    if policy.sso_required and visitor.role != Role.OWNER:
        raise SsoRequired(f"{visitor.tenant.name} lets its people in through its own provider alone.")
    if (policy.sso_required or policy.mfa_required) and proof.strong_at is None:
        raise FactorRequired(f"{visitor.tenant.name} asks for a second factor.")


def require_confirmed(visitor: Visitor, now: datetime) -> None:
    """Return if the visitor proved who they are within the last 15 minutes. Raises ConfirmationRequired."""
    if now - visitor.proof.confirmed_at > CONFIRMED_FOR:
        raise ConfirmationRequired("Confirm that it is you before you go on.")


def require_own_proof(visitor: Visitor) -> None:
    """Return if the person has shown something of their own, and not what a tenant's provider says alone.

    Whoever looks after a provider must not add a key to a person's account, and by it enter the person's other tenants.
    Raises OwnProofRequired.
    """
    if visitor.proof.sso_tenant_id is not None and not OWN_FACTORS & set(visitor.proof.methods):
        raise OwnProofRequired("Your company's sign-in does not change your account: show your own password.")


def require_open(tenant: TenantView) -> None:
    """Return if the tenant works. Raises TenantClosed with the reason."""
    if tenant.status not in OPEN:
        raise TenantClosed(
            f"This tenant is {tenant.status}." + (f" {tenant.status_reason}" if tenant.status_reason else "")
        )


def find_key(door: Doorway, secret: str, *, peppers: list[bytes], origin: Origin) -> FoundKey:
    """Return the key that `secret` opens, whether it is in force or not. Raises Unauthenticated where there is none."""
    if not crypto.credential_is_well_formed(secret):
        raise Unauthenticated("The API key is not valid.")
    holder = directory.begin_api_key(door.session, [crypto.credential_hash(secret, pepper) for pepper in peppers])
    if holder is None:
        raise Unauthenticated("The API key is not valid.")
    permissions = frozenset(holder.scopes) & _bounds(holder)
    if holder.workspace_id != holder.tenant.id:
        permissions &= WITHIN_WORKSPACE
    label = holder.name if holder.account is None else f"{holder.name} ({holder.account.name})"
    actor = origin.actor(ActorKind.KEY, holder.key_id, label, permissions, holder.workspace_id)
    if holder.beyond_plan is not None:
        actor = excess.read_only(actor, Quota(holder.beyond_plan))
    return FoundKey(holder, Entry(holder.tenant.id, holder.tenant.placement, actor))


def _bounds(holder: KeyHolder) -> frozenset[str]:
    """Return what the key's owner, a service account or else its maker, may do now."""
    if holder.account is not None:
        return frozenset(holder.account.permissions)
    return frozenset() if holder.maker_role is None else granted(holder.maker_role, holder.maker_permissions)


def by_key(door: Doorway, found: FoundKey) -> Unit:
    """Go on as the program that holds the key: its scopes, less what its owner may not do.

    Raises Unauthenticated for a key that is not in force, PermissionDenied where it comes from outside the key's
    networks, TenantClosed for a suspended tenant's, WorkspaceArchived.
    """
    holder, actor = found.holder, found.entry.actor
    if holder.revoked_at is not None:
        raise Unauthenticated("The API key was revoked.")
    if holder.expired:
        raise Unauthenticated("The API key has expired.")
    if holder.secret_ended:
        raise Unauthenticated("This secret of the API key was replaced by a newer one.")
    if holder.account is not None and not holder.account.active:
        raise Unauthenticated("The service account of the API key is disabled.")
    if holder.account is None and holder.maker_role is None:
        raise Unauthenticated("Whoever made the API key is no longer a member.")
    if not comes_from(actor.address, holder.networks):
        raise PermissionDenied(f"This API key is not accepted from {actor.address or 'an unknown address'}.")
    require_open(holder.tenant)
    if holder.workspace_archived:
        raise WorkspaceArchived("The workspace of this API key is archived.")
    unit = door.enter(found.entry, Home.CONTENT)
    tell_entitlements(unit, holder.tenant)
    return unit
