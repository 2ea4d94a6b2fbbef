"""Proving once more who one is where a provider opened the session: there, anew, as the same person.

The provider is asked to let its person sign in again, whatever session it has of them (`prompt=login`, `max_age=0`),
and must say that it did so: OpenID Connect Core 1.0, sections 3.1.2.1 and 2 (`auth_time`). Whoever has shown something
of their own in the session, or has a second factor, shows that, and not what a provider says.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from app.core import crypto
from app.core.errors import NotFound, SignInRefused, Unauthenticated
from app.db import factors, people
from app.db import step_ups as held
from app.db.people import Account
from app.db.sign_ons import Flow
from app.db.step_ups import StepUp
from app.db.units import Doorway
from app.services import audit
from app.services.accounts import Origin
from app.services.entrances import OWN_FACTORS
from app.services.openid import LEEWAY_SECONDS, Answer, Client, Provider, ask_for_code, signed_in_at
from app.services.profiles import account_of
from app.services.sign_ons import FLOW_LASTS, Return, Way, way_back
from app.tenancy.actors import ActorKind

STEP_UP = "step-up"
LEEWAY = timedelta(seconds=LEEWAY_SECONDS)  # for clocks that differ
CHANGED = "Your company's sign-in was changed since you signed in. Sign out here, and in anew."
SOMEBODY_ELSE = "You signed in there as somebody else than the person who is signed in here."
UNSAID = (
    "The provider did not say when you signed in there (auth_time), so that it proves nothing. Whoever looks after it "
    "can let it send that claim. Until then, set a password by mail and confirm with it."
)
OLD = (
    "The provider let you through without asking you again: your sign-in there is older than this request. Sign out "
    "there, then try again; or set a password by mail and confirm with it."
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A person who comes back from the provider that was asked anew."""

    back: Return
    step_up: StepUp


def way_of(door: Doorway, token: str, base_url: str, own: Client | None) -> Way | None:
    """Return the way to the provider that opened the session; None where that is not what this person shows."""
    vouched = held.subject_of(door.session, crypto.token_hash(token))
    if vouched is None or OWN_FACTORS & set(vouched.methods) or factors.factors_of(door.session, vouched.user_id).any:
        return None
    try:
        way = way_back(door, vouched.connection_id, base_url, own)
    except (NotFound, SignInRefused):
        return None
    return way if way.client.issuer == vouched.issuer else None


def begin(
    door: Doorway, token: str, way: Way, provider: Provider, account: Account, *, browser: str, target: str | None
) -> str:
    """Keep what the answer will be checked against, for ten minutes; return the provider's address to go to."""
    state, nonce, verifier = crypto.new_token(), crypto.new_token(), crypto.new_token()
    held.begin_step_up(
        door.session,
        crypto.token_hash(state),
        crypto.token_hash(browser),
        crypto.token_hash(token),
        nonce=nonce,
        verifier=verifier,
        target=target,
        asked_at=door.units.clock.now(),
        lasts=FLOW_LASTS,
    )
    hint = account.email
    return ask_for_code(way.client, provider, state=state, nonce=nonce, verifier=verifier, hint=hint, anew=True)


def take(
    door: Doorway, token: str, connection_id: UUID | None, state: str, browser: str, base_url: str, own: Client | None
) -> Asked | None:
    """Return the step-up that this browser and session began with this connection, once; None where there is none.

    The caller commits the doorway before it asks the provider. Raises SignInRefused, NotFound where the way is gone.
    """
    hashes = crypto.token_hash(state), crypto.token_hash(browser)
    found = held.take_step_up(door.session, *hashes, connection_id, crypto.token_hash(token))
    if found is None:
        return None
    way = way_of(door, token, base_url, own)
    if way is None:
        raise SignInRefused(CHANGED)
    return Asked(Return(way, Flow(STEP_UP, way.tenant_id, None, found.nonce, found.verifier, found.next)), found)


def finish(door: Doorway, token: str, asked: Asked, answer: Answer, origin: Origin) -> str:
    """Confirm by what the provider answered; return the session's new token.

    Raises SignInRefused where somebody else signed in there, or nobody did anew; the caller commits the doorway in
    either case, so that it stands in the log.
    """
    account = account_of(door, token)
    problem = _problem(asked, answer, door.units.clock.now())
    if problem is not None:
        _record(door, account, asked, "session.confirm-refused", origin)
        raise SignInRefused(problem)
    fresh = crypto.new_token()
    if not factors.renew_session(
        door.session, crypto.token_hash(token), crypto.token_hash(fresh), ("sso",), strong=False
    ):
        raise Unauthenticated("The session has ended.")
    _record(door, account, asked, "session.confirm", origin)
    return fresh


def _problem(asked: Asked, answer: Answer, now: datetime) -> str | None:
    if (asked.back.way.client.issuer, answer.subject) != (asked.step_up.issuer, asked.step_up.subject):
        return SOMEBODY_ELSE
    proved_at = signed_in_at(answer.claims)
    if proved_at is None:
        return UNSAID
    return None if asked.step_up.asked_at - LEEWAY <= proved_at <= now + LEEWAY else OLD


def _record(door: Doorway, account: Account, asked: Asked, action: str, origin: Origin) -> None:
    people.note_account(door.session, account.user_id, action, origin.address, origin.agent)
    tenant_id = asked.back.way.tenant_id
    if tenant_id is not None:
        with door.within(tenant_id, origin.actor(ActorKind.USER, account.user_id, account.email)) as unit:
            audit.record(unit, action, "person", account.user_id)
