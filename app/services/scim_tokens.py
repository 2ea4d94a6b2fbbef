"""Tokens of identity providers: issue (shown once), list, revoke; coming in with one."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import select, update

from app.core import crypto
from app.core.errors import Conflict, NotFound, PermissionDenied, Unauthenticated
from app.core.permissions import Permission, Role, permissions_of
from app.db import directory
from app.db.directory import ScimHolder
from app.db.units import Doorway, Entry, Home, Unit
from app.models.provisioning import ScimToken
from app.services import audit
from app.services.access import require
from app.services.accounts import Origin
from app.services.entrances import require_open
from app.services.plans import Feature, require_feature
from app.tenancy.actors import ActorKind

HINT = 14
MOST = 2  # the one in use and the one that follows it
USE_NOTED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class IssuedScimToken:
    """A token with its secret, which is not kept."""

    token: ScimToken
    secret: str


def issue_token(unit: Unit, *, pepper: bytes) -> IssuedScimToken:
    """Issue a token; one that is there already stays in force until it is revoked. Needs tenant:sign-in:write.

    Raises FeatureMissing where the plan has no provisioning, Conflict where two are in force, PermissionDenied for
    anybody but a person.
    """
    require(unit, Permission.SIGN_IN_WRITE)
    require_feature(unit, Feature.SCIM)
    if unit.actor.kind is not ActorKind.USER:
        raise PermissionDenied("A token is issued by a person.")
    if len(tokens_in_force(unit)) >= MOST:
        raise Conflict("Two tokens are in force. Revoke the one that is no longer used first.")
    secret = crypto.new_credential("scim")
    token = ScimToken(
        hint=secret[:HINT],
        secret_hash=crypto.credential_hash(secret, pepper),
        pepper=crypto.pepper_mark(pepper),
        created_at=unit.now(),
        created_by=unit.actor.label,
    )
    unit.session.add(token)
    unit.session.flush()
    audit.record(unit, "scim_token.issue", "scim_token", token.id, after={"hint": token.hint})
    return IssuedScimToken(token, secret)


def tokens_in_force(unit: Unit) -> list[ScimToken]:
    """Return the tokens that are not revoked, oldest first. Needs tenant:sign-in:read."""
    require(unit, Permission.SIGN_IN_READ)
    statement = select(ScimToken).where(ScimToken.revoked_at.is_(None)).order_by(ScimToken.created_at, ScimToken.id)
    return list(unit.session.scalars(statement))


def get_token(unit: Unit, token_id: UUID) -> ScimToken:
    """Return the token. Needs tenant:sign-in:read. Raises NotFound."""
    require(unit, Permission.SIGN_IN_READ)
    token = unit.session.get(ScimToken, (unit.tenant_id, token_id))
    if token is None:
        raise NotFound()
    return token


def revoke_token(unit: Unit, token_id: UUID) -> ScimToken:
    """Revoke the token from the next request on; a second time changes nothing. Needs tenant:sign-in:write."""
    require(unit, Permission.SIGN_IN_WRITE)
    token = get_token(unit, token_id)
    if token.revoked_at is None:
        token.revoked_at = unit.now()
        given = {"hint": token.hint}
        audit.record(unit, "scim_token.revoke", "scim_token", token.id, before=given, after={"revoked": True})
    return token


@dataclass(frozen=True, slots=True)
class FoundScimToken:
    """A SCIM token in force, and as whom its holder would go on."""

    holder: ScimHolder
    entry: Entry


def find_scim_token(door: Doorway, secret: str, *, peppers: list[bytes], origin: Origin) -> FoundScimToken:
    """Return the token, whose holder may do to people what an administrator may.

    Raises Unauthenticated for anything that is not a token in force.
    """
    if not crypto.credential_is_well_formed(secret) or not secret.startswith("sntl_scim_"):
        raise Unauthenticated("The SCIM token is not valid.")
    holder = directory.begin_scim(door.session, [crypto.credential_hash(secret, pepper) for pepper in peppers])
    if holder is None or holder.revoked:
        raise Unauthenticated("The SCIM token is not valid.")
    may = frozenset(str(permission) for permission in permissions_of(Role.ADMIN))
    label = f"SCIM {holder.hint}…"
    actor = origin.actor(ActorKind.SCIM, holder.token_id, label, may)
    return FoundScimToken(holder, Entry(holder.tenant.id, holder.tenant.placement, actor))


def by_scim_token(door: Doorway, found: FoundScimToken, secret: str, *, pepper: bytes) -> Unit:
    """Go on as the identity provider that holds the token.

    Where the plan has no provisioning (any more) it reads and switches people off; the verbs that do more refuse it.
    Raises TenantClosed for a suspended tenant's.
    """
    require_open(found.holder.tenant)
    unit = door.enter(found.entry, Home.ACCOUNT)
    _note_use(unit, found.holder.token_id, secret, pepper)
    return unit


def _note_use(unit: Unit, token_id: UUID, secret: str, pepper: bytes) -> None:
    """Keep the moment, once a minute, and the token's hash under the present pepper: mostly nothing is written."""
    now, mark = unit.now(), crypto.pepper_mark(pepper)
    stale = ScimToken.used_at.is_(None) | (ScimToken.used_at < now - USE_NOTED_EVERY)
    told = update(ScimToken).where(ScimToken.id == token_id, stale).values(used_at=now).returning(ScimToken.pepper)
    found = unit.session.scalar(told.execution_options(synchronize_session=False))
    if found is not None and found != mark:
        anew = update(ScimToken).where(ScimToken.id == token_id)
        values = {"secret_hash": crypto.credential_hash(secret, pepper), "pepper": mark}
        unit.session.execute(anew.values(values).execution_options(synchronize_session=False))
