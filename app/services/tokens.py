"""Tokens for programs of people: signing in, refreshing, signing out, coming in.

A sign-in begins a family: one session, listed in My account and ended there, by a new password, by leaving the tenant
or after 90 days. Its refresh token lasts for seven days and is spent by its use; whoever shows a spent one ends the
family, since two hold it then (RFC 9700, 4.14.2). There is no second chance within some seconds: a program refreshes
one at a time, and signs in again if the answer to a refresh was lost.
"""

from dataclasses import dataclass
from datetime import timedelta

from app.core import crypto
from app.core.errors import Conflict, Invalid, Unauthenticated
from app.db import directory, tokens
from app.db.directory import TenantChoice, Visitor
from app.db.units import Doorway, Home, Unit
from app.services import access_tokens, account_trails, accounts, entrances, sign_ins, signing_keys
from app.services.accounts import AddressInUse, Origin, Signup
from app.services.signing_keys import PublicKeys, Signer

REFRESH_LASTS = timedelta(days=7)
FAMILY_LASTS = timedelta(days=90)


class TenantNotChosen(Conflict):
    """The person belongs to several tenants, or to none, and named none."""

    code, title = "tenant-not-chosen", "Name one of your tenants"


class ReusedToken(Unauthenticated):
    """A spent refresh token was shown: the family has ended. The caller commits the doorway."""


@dataclass(frozen=True, slots=True)
class Installation:
    """What tokens are made with: who signs, under which key its private part is wrapped."""

    base_url: str
    master_key: bytes


@dataclass(frozen=True, slots=True)
class Pair:
    """An access token with the refresh token that follows it; neither is kept."""

    access: str
    refresh: str
    visitor: Visitor


def register(door: Doorway, signup: Signup, *, master_key: bytes, origin: Origin) -> Unit | None:
    """Make a person and a tenant without signing anybody in; None where the address has an account.

    Then its holder gets a mail, and the slug is taken as that of a new tenant is: who asks cannot tell the two apart.
    The caller commits the unit, or else the doorway. Raises Invalid as accounts.sign_up does.
    """
    try:
        return accounts.sign_up(door, signup, master_key=master_key, origin=origin)
    except AddressInUse:
        tokens.hold_slug(door.session, signup.slug)
        return None


def sign_in(
    door: Doorway,
    email: str,
    password: str,
    *,
    code: str | None = None,
    slug: str | None,
    installation: Installation,
    origin: Origin,
) -> tuple[Unit, Pair]:
    """Begin a family for one of the person's tenants: the one called `slug`, or the only one.

    The caller commits the unit. Raises Unauthenticated, TooManyRequests, WrongCode and FactorRequired as
    sign_ins.sign_in_at_once does (the caller commits the doorway then); TenantNotChosen with the tenants there are,
    Invalid for a tenant that is none of them, and what entrances.enter_tenant raises.
    """
    signed_in = sign_ins.sign_in_at_once(door, email, password, code, master_key=installation.master_key, origin=origin)
    hashed = crypto.token_hash(signed_in.token)
    chosen = _choose(directory.session_tenants(door.session, hashed), slug)
    visitor = directory.begin_session(door.session, hashed, chosen)
    if visitor is None or visitor.tenant is None:
        raise Unauthenticated("The session has ended.")
    signer = signing_keys.signer(door.session, installation.master_key)
    refresh = crypto.new_credential("refresh")
    tokens.begin_family(
        door.session, hashed, visitor.tenant.id, crypto.token_hash(refresh), lasts=REFRESH_LASTS, most=FAMILY_LASTS
    )
    return _admit(door, visitor, refresh, signer, installation, origin)


def _choose(tenants: list[TenantChoice], slug: str | None) -> str:
    names = [tenant.slug for tenant in tenants]
    if slug is not None:
        if slug not in names:
            raise Invalid(fields={"tenant": "none of your tenants is called so"})
        return slug
    if len(names) != 1:
        detail = "You belong to several tenants: name one." if names else "You belong to no tenant."
        raise TenantNotChosen(detail, extra={"tenants": [{"slug": one.slug, "name": one.name} for one in tenants]})
    return names[0]


def refresh(door: Doorway, token: str, *, installation: Installation, origin: Origin) -> tuple[Unit, Pair]:
    """Spend a refresh token for the next pair. The caller commits the unit.

    Raises Unauthenticated for one that is not in force, ReusedToken for a spent one (the caller commits the doorway, so
    that the family stays ended), and what entrances.enter_tenant raises: the token is not spent then.
    """
    if not crypto.credential_is_well_formed(token):
        raise _refused()
    following = crypto.new_credential("refresh")
    hashes = crypto.token_hash(token), crypto.token_hash(following)
    spent = tokens.spend_refresh_token(door.session, *hashes, REFRESH_LASTS)
    if spent is None:
        raise _refused()
    if spent.reused:
        account_trails.record(door, spent.user_id, "token.reuse", origin)
        raise ReusedToken("The refresh token was used before. Its session has ended: sign in again.")
    signer = signing_keys.signer(door.session, installation.master_key)
    visitor = tokens.begin_token(door.session, signer.kid, spent.session_id, spent.user_id, spent.tenant_id)
    if visitor is None or visitor.tenant is None:
        raise _refused()
    return _admit(door, visitor, following, signer, installation, origin)


def _refused() -> Unauthenticated:
    return Unauthenticated("The refresh token is not valid or has expired.")


def _admit(
    door: Doorway, visitor: Visitor, refresh: str, signer: Signer, installation: Installation, origin: Origin
) -> tuple[Unit, Pair]:
    """Ask of the visitor what any page would, then sign."""
    unit = entrances.enter_tenant(door, visitor, Home.ACCOUNT, origin=origin)
    access = access_tokens.sign(visitor, signer, base_url=installation.base_url, now=unit.now())
    return unit, Pair(access, refresh, visitor)


def sign_out(door: Doorway, token: str, *, origin: Origin) -> None:
    """End the family of a refresh token, spent or not; one that is unknown is answered alike (RFC 7009)."""
    if not crypto.credential_is_well_formed(token):
        return
    whose = tokens.end_family(door.session, crypto.token_hash(token))
    if whose is not None:
        account_trails.record(door, whose, "session.end", origin)


def by_token(door: Doorway, token: str, *, keys: PublicKeys, base_url: str, origin: Origin) -> tuple[Unit, Visitor]:
    """Go on as the person who holds an access token, in its tenant: signature, session and membership are asked anew.

    Raises Unauthenticated for anything that is not a token in force, and what entrances.enter_tenant raises.
    """
    bearer = access_tokens.check(door.session, token, keys, base_url=base_url, now=door.units.clock.now())
    visitor = tokens.begin_token(door.session, bearer.kid, bearer.session_id, bearer.user_id, bearer.tenant_id)
    if visitor is None or visitor.tenant is None or visitor.role is None:
        raise access_tokens.refused()
    return entrances.enter_tenant(door, visitor, Home.CONTENT, origin=origin), visitor
