"""Signing in through a provider: the way there, the way back, and whose account the answer opens.

Nothing is sent from here: whoever asks the provider does so between two transactions. A tenant's provider vouches for
addresses in that tenant's proven domains alone, and the session that it opens opens that tenant alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from app.core import crypto
from app.core.crypto import Undecipherable
from app.core.errors import NotFound, SignInRefused
from app.db import factors, sign_ons, step_ups
from app.db.directory import Visitor
from app.db.sign_ons import Flow, PendingLink
from app.db.units import Doorway, Unit
from app.services import connections
from app.services.accounts import (
    Origin,
    PendingSignIn,
    await_factor,
    normal_email,
    open_session_for,
)
from app.services.email_domains import domain_of
from app.services.joinings import Arrived, join
from app.services.openid import (
    Answer,
    Client,
    Provider,
    ProviderFault,
    Providers,
    ask_for_code,
    quoted,
    redeem,
    signed_in_at,
)
from app.tenancy.actors import Actor, ActorKind

FLOW_LASTS = timedelta(minutes=10)
LINK_LASTS = timedelta(minutes=15)
SIGN_IN, TRIAL = "sign-in", "trial"
NEVER = datetime(1970, 1, 1, tzinfo=UTC)
GONE = "This sign-in was begun in another browser, is older than ten minutes, or came back before. Begin again."


@dataclass(frozen=True, slots=True)
class Way:
    """The way to a provider: a tenant's connection, or without one the platform's own."""

    connection_id: UUID | None
    tenant_id: UUID | None
    slug: str | None
    name: str
    client: Client


@dataclass(frozen=True, slots=True)
class Return:
    """A person who comes back from a provider, in the browser that went there."""

    way: Way
    flow: Flow


@dataclass(frozen=True, slots=True)
class Vouched:
    """Whom a provider vouches for, and when that person last proved there who they are."""

    issuer: str
    subject: str
    proved_at: datetime


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that a provider opened; `slug` is its tenant's, `next` the page that was asked for."""

    token: str
    user_id: UUID
    slug: str | None
    next: str | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """An account has the address, but nothing shows that it is this person's: a proof is asked for once."""

    link_token: str


def way_for(door: Doorway, email: str, base_url: str) -> Way:
    """Return the way for an address, by its domain. Raises NotFound where no company signs in so."""
    try:
        found = sign_ons.route_domain(door.session, domain_of(normal_email(email)))
    except ValueError:
        found = None
    if found is None:
        raise NotFound("No company signs in through its own provider with this address.")
    return way_of(door, found, base_url)


def way_of(door: Doorway, connection_id: UUID, base_url: str, *, trial: bool = False) -> Way:
    """Return the way of a connection, on or (for a `trial`) not. Raises NotFound."""
    view = sign_ons.find_connection(door.session, connection_id)
    if view is None or (view.status != "on" and not trial):
        raise NotFound("This company does not sign in through its own provider.")
    with door.within(view.tenant_id, _nobody()) as unit:
        connection = connections.find_connection(unit)
        if connection is None:
            raise NotFound()
        client = connections.client_of(unit, connection, base_url, trial=trial)
    return Way(connection_id, view.tenant_id, view.slug, view.tenant_name, client)


def begin(
    door: Doorway | Unit,
    way: Way,
    provider: Provider,
    *,
    browser: str,
    purpose: str = SIGN_IN,
    user_id: UUID | None = None,
    target: str | None = None,
    hint: str | None = None,
) -> str:
    """Keep what the answer will be checked against, for ten minutes; return the provider's address to go to.

    `browser` is the random value that this browser's signed cookie carries.
    """
    state, nonce, verifier = crypto.new_token(), crypto.new_token(), crypto.new_token()
    sign_ons.begin_flow(
        door.session,
        crypto.token_hash(state),
        crypto.token_hash(browser),
        purpose,
        connection_id=way.connection_id,
        tenant_id=way.tenant_id,
        user_id=user_id,
        nonce=nonce,
        verifier=verifier,
        target=target,
        lasts=FLOW_LASTS,
    )
    return ask_for_code(way.client, provider, state=state, nonce=nonce, verifier=verifier, hint=hint)


def take(
    door: Doorway, connection_id: UUID | None, state: str, browser: str, *, base_url: str, own: Client | None = None
) -> Return:
    """Return the sign-in that this browser began with this connection (without one, `own`), once.

    The caller commits the doorway before it asks the provider. Raises SignInRefused for a state of another browser,
    another connection, an old one, or one that came back before.
    """
    flow = sign_ons.take_flow(door.session, crypto.token_hash(state), crypto.token_hash(browser), connection_id)
    if flow is None:
        raise SignInRefused(GONE)
    return Return(way_back(door, connection_id, base_url, own, trial=flow.purpose == TRIAL), flow)


def way_back(
    door: Doorway, connection_id: UUID | None, base_url: str, own: Client | None, *, trial: bool = False
) -> Way:
    """Return the way of a connection, or without one the platform's `own`. Raises NotFound, SignInRefused."""
    if connection_id is not None:
        return way_of(door, connection_id, base_url, trial=trial)
    if own is None:
        raise SignInRefused(GONE)
    return Way(None, None, None, "", own)


def ask(back: Return, providers: Providers, given: Mapping[str, str], now: datetime) -> Answer:
    """Ask the provider what stands behind the answer `given` in the address; no transaction may be open meanwhile.

    Raises ProviderFault, also where the answer's `iss` is another's, or missing where the provider sends it (RFC 9207).
    """
    client, iss = back.way.client, given.get("iss")
    if iss is not None and iss != client.issuer:
        raise ProviderFault("The answer is another provider's than the one that was asked.")
    with providers.turn(client.issuer):
        if iss is None and providers.provider(client.issuer).sends_iss:
            raise ProviderFault("The answer does not say whose it is, as this provider's answers do.")
        if "error" in given:
            said = ": ".join(quoted(given[name]) for name in ("error", "error_description") if name in given)
            raise ProviderFault(f"The provider did not sign you in ({said}).")
        if not given.get("code"):
            raise ProviderFault("The provider's answer holds no code.")
        flow = back.flow
        return redeem(client, providers, code=given["code"], nonce=flow.nonce, verifier=flow.verifier, now=now)


def vouched_address(claims: Mapping[str, Any], *, verified: bool) -> str:
    """Return the address that the claims vouch for. Raises SignInRefused where there is none that may be believed.

    Where `verified`, the provider must say that it has checked the address; it must never say that it has not.
    """
    raw, said = claims.get("email"), claims.get("email_verified")
    if not isinstance(raw, str):
        raise SignInRefused("The provider told no e-mail address. Let it send the claim email.")
    if said in (False, "false", "False", 0) or (verified and said not in (True, "true")):
        raise SignInRefused("The provider has not checked this e-mail address (email_verified).")
    try:
        return normal_email(raw)
    except ValueError as error:
        raise SignInRefused("What the provider told as the e-mail address is none.") from error


def finish(
    door: Doorway,
    back: Return,
    answer: Answer,
    *,
    browser: str,
    farewell: str | None,
    origin: Origin,
    present: Visitor | None,
) -> Opened | Waiting | PendingSignIn:
    """Open the session that the answer stands for, or begin what still has to be shown. Raises SignInRefused.

    `farewell` is where the person signs out of the provider; `present` is who is signed in in this browser: the same
    person keeps what they proved of themselves.
    """
    way = back.way
    email = vouched_address(answer.claims, verified=way.tenant_id is None)
    arrived = Arrived(way.client.issuer, answer.subject, email, _name(answer.claims, email), answer.claims)
    joined = join(door, arrived, way.tenant_id, way.connection_id, origin)
    if isinstance(joined, PendingLink):
        token = crypto.new_token()
        waiting = replace(joined, next=back.flow.next)
        hashes = crypto.token_hash(token), crypto.token_hash(browser)
        sign_ons.begin_link(door.session, *hashes, waiting, lasts=LINK_LASTS)
        return Waiting(token)
    vouched = Vouched(way.client.issuer, answer.subject, signed_in_at(answer.claims) or NEVER)
    opened = open_for(door, joined, way, back.flow.next, origin, present, vouched)
    if (
        farewell is not None
        and way.connection_id is not None
        and way.tenant_id is not None
        and isinstance(opened, Opened)
    ):
        _keep(door, opened.token, way.connection_id, way.tenant_id, farewell)
    return opened


def open_for(
    door: Doorway,
    user_id: UUID,
    way: Way,
    target: str | None,
    origin: Origin,
    present: Visitor | None,
    vouched: Vouched,
) -> Opened | PendingSignIn:
    """Open a session that this way's provider vouched for.

    A tenant's provider answers for its own tenant. The platform's opens all of a person's tenants, so that a second
    factor of the person's is asked for first. What the person showed of themselves stays as old as it is.
    """
    held = factors.factors_of(door.session, user_id)
    if way.tenant_id is None and held.any:
        return await_factor(door, user_id, held, "sso")
    methods: tuple[str, ...] = ("sso",)
    strong, proved_at = False, vouched.proved_at
    if present is not None and present.user_id == user_id and set(present.proof.methods) - {"sso"}:
        methods = ("sso", *sorted(set(present.proof.methods) - {"sso"}))
        strong, proved_at = present.proof.strong_at is not None, present.proof.confirmed_at
    token = open_session_for(door, user_id, origin, methods=methods, strong=strong, sso_tenant_id=way.tenant_id)
    hashed = crypto.token_hash(token)
    step_ups.keep_subject(door.session, hashed, way.connection_id, vouched.issuer, vouched.subject, proved_at)
    return Opened(token, user_id, way.slug, target)


def farewell_of(door: Doorway, token: str) -> str | None:
    """Return where whoever holds the session signs out of the provider that opened it, if it has such a place."""
    kept = sign_ons.kept_token(door.session, crypto.token_hash(token))
    if kept is None:
        return None
    try:
        with door.within(kept.tenant_id, _nobody()) as unit:
            return connections.unseal(unit, kept.connection_id, "farewell", kept.sealed)
    except (Undecipherable, LookupError):
        return None  # the tenant's key is gone: nobody is kept from signing out here


def _keep(door: Doorway, token: str, connection_id: UUID, tenant_id: UUID, farewell: str) -> None:
    with door.within(tenant_id, _nobody()) as unit:
        sealed = connections.seal(unit, connection_id, "farewell", farewell)
    sign_ons.keep_token(door.session, crypto.token_hash(token), connection_id, tenant_id, sealed)


def _name(claims: Mapping[str, Any], email: str) -> str:
    for name in ("name", "given_name", "preferred_username"):
        value = claims.get(name)
        if isinstance(value, str) and value.strip() and value.isprintable():
            return value.strip()[:120]
    return email.partition("@")[0]


def _nobody() -> Actor:
    return Actor(ActorKind.SYSTEM, None, "single sign-on")
