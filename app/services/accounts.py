"""Accounts: signing up with a company, signing in and out."""

import re
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from email_validator import EmailNotValidError, validate_email
from sqlalchemy.exc import IntegrityError

from app.core import crypto
from app.core.errors import Conflict, Invalid, TooManyRequests, Unauthenticated
from app.core.ids import new_id
from app.core.permissions import Role, permissions_of
from app.db import directory, factors
from app.db.directory import Login
from app.db.factors import Factors
from app.db.failures import note_failure
from app.db.units import Doorway, Entry, Home, Unit
from app.models.accounts import Membership
from app.models.tenants import Tenant, TenantKey, TenantPlacement
from app.services import audit, mails, workspaces
from app.services.passwords import LONGEST_PASSWORD, password_problem
from app.tenancy.actors import Actor, ActorKind
from app.tenancy.placements import Isolation, Placement

SLUG = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
RESERVED_SLUGS = frozenset({"admin", "api", "app", "auth", "login", "platform", "sentinel", "signup", "static", "www"})
TRIAL = timedelta(days=14)
SESSION_LASTS = timedelta(days=14)
SESSION_IDLE = timedelta(hours=12)
PENDING_LASTS = timedelta(minutes=10)


class AddressInUse(Conflict):
    """The address belongs to an account already; whoever holds it is told by mail, and nobody else."""


@dataclass(frozen=True, slots=True)
class Signup:
    """What a newcomer tells; `email` in any case, `password` in clear."""

    company: str
    slug: str
    name: str
    email: str
    password: str


@dataclass(frozen=True, slots=True)
class SignIn:
    """A session just opened; the token goes into the cookie and is kept nowhere else."""

    token: str
    user_id: UUID
    slug: str | None
    methods: tuple[str, ...] = ("password",)


@dataclass(frozen=True, slots=True)
class PendingSignIn:
    """A sign-in that waits for one of `factors`; its token is no session, and is good for ten minutes."""

    token: str
    user_id: UUID
    factors: Factors


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request comes from."""

    address: str | None
    agent: str | None
    request_id: str | None

    def actor(
        self,
        kind: ActorKind,
        actor_id: UUID | None,
        label: str,
        permissions: frozenset[str] = frozenset(),
        workspace_id: UUID | None = None,
    ) -> Actor:
        """Return an actor who comes from here."""
        return Actor(kind, actor_id, label, permissions, self.address, self.agent, self.request_id, workspace_id)


def slug_problem(slug: str) -> str | None:
    """Return what is wrong with the form of `slug`, or None."""
    if len(slug) < 3 or len(slug) > 63:
        return "3 to 63 characters"
    if not SLUG.fullmatch(slug):
        return "lower-case letters, digits and inner hyphens only"
    if slug in RESERVED_SLUGS:
        return "this name is reserved"
    return None


def check_slug(door: Doorway, slug: str) -> str | None:
    """Return why `slug` cannot be had, or None where it is free."""
    problem = slug_problem(slug)
    if problem is None and directory.slug_taken(door.session, slug):
        problem = "already taken"
    return problem


def normal_email(email: str) -> str:
    """Return the address in the one form that it is kept in. Raises ValueError."""
    try:
        return validate_email(email.strip(), check_deliverability=False).normalized.lower()
    except EmailNotValidError as error:
        raise ValueError("not an e-mail address") from error


def line_problem(value: str, longest: int) -> str | None:
    """Return what is wrong with a name; a line break in one could end up in a mail's header."""
    if not value.strip():
        return "must not be empty"
    if len(value) > longest or not value.isprintable():
        return f"at most {longest} characters, on one line"
    return None


def _checked(door: Doorway, signup: Signup) -> tuple[str, dict[str, str]]:
    problems: dict[str, str] = {}
    for field, value, longest in (("company", signup.company, 120), ("name", signup.name, 120)):
        if problem := line_problem(value, longest):
            problems[field] = problem
    if problem := check_slug(door, signup.slug):
        problems["slug"] = problem
    email = ""
    try:
        email = normal_email(signup.email)
    except ValueError:
        problems["email"] = "not an e-mail address"
    if problem := password_problem(signup.password, (signup.company, signup.slug, email)):
        problems["password"] = problem
    return email, problems


def sign_up(door: Doorway, signup: Signup, *, master_key: bytes, origin: Origin, verified: bool = False) -> Unit:
    """Make a person and a tenant (14 days of professional). The caller commits the unit.

    Nobody signs in before the address is confirmed by a mail, unless it is `verified`. Raises Invalid with a word for
    each field that will not do; nothing is kept then. Raises AddressInUse where the address has an account; the caller
    commits the doorway, so that its holder gets a mail.
    """
    email, problems = _checked(door, signup)
    if problems:
        raise Invalid("Some fields need another value.", fields=problems)
    user_id, tenant_id = new_id(), new_id()
    hashed = crypto.hash_password(signup.password)
    if not directory.register_user(door.session, user_id, email, signup.name.strip(), hashed, verified=verified):
        mails.request(door, "known", email, user_id=None, client=origin.address)
        raise AddressInUse("Check your mail.")
    if not verified:
        mails.request(door, "verification", email, user_id=user_id, client=origin.address)
    actor = origin.actor(ActorKind.USER, user_id, email, frozenset(permissions_of(Role.OWNER)))
    placement = Placement(tenant_id, Isolation.ROW, "shared", None, 1)
    unit = door.found(Entry(tenant_id, placement, actor), Home.ACCOUNT)
    _write_tenant(unit, signup, user_id, email, master_key)
    return unit


def _write_tenant(unit: Unit, signup: Signup, user_id: UUID, email: str, master_key: bytes) -> None:
    now = unit.now()
    unit.session.add(
        Tenant(
            id=unit.tenant_id,
            slug=signup.slug,
            name=signup.company.strip(),
            plan="professional",
            status="trial",
            trial_ends_at=now + TRIAL,
            created_at=now,
        )
    )
    try:
        unit.session.flush()
    except IntegrityError as error:
        raise Invalid("Some fields need another value.", fields={"slug": "already taken"}) from error
    wrapped = crypto.new_wrapped_key(master_key, unit.tenant_id)
    unit.session.add_all(
        [
            TenantPlacement(level="row", schema_name="shared", database_name=None, epoch=1),
            TenantKey(version=1, wrapped=wrapped, created_at=now),
            Membership(user_id=user_id, email=email, name=signup.name.strip(), role=Role.OWNER, created_at=now),
        ]
    )
    workspaces.add_default(unit)
    audit.record(unit, "tenant.create", "tenant", unit.tenant_id, after={"slug": signup.slug, "plan": "professional"})


def sign_in(door: Doorway, email: str, password: str, *, origin: Origin) -> SignIn | PendingSignIn:
    """Open a session, or begin a sign-in that waits for the person's second factor.

    Raises Unauthenticated alike for an unknown address, one that nobody confirmed and a wrong password, and
    TooManyRequests. The caller commits the doorway in either case, so that failures are counted.
    """
    user_id, address = check_credentials(door, email, password, origin=origin)
    held = factors.factors_of(door.session, user_id)
    if not held.any:
        return complete_sign_in(door, user_id, address, origin)
    return await_factor(door, user_id, held, "password")


def await_factor(door: Doorway, user_id: UUID, held: Factors, method: str) -> PendingSignIn:
    """Begin a sign-in of a person who proved who they are by `method`, and that waits for one of the factors `held`."""
    token = crypto.new_token()
    factors.begin_sign_in(door.session, crypto.token_hash(token), user_id, (method,), PENDING_LASTS)
    return PendingSignIn(token, user_id, held)


def check_credentials(door: Doorway, email: str, password: str, *, origin: Origin) -> tuple[UUID, str]:
    """Return person and address where the password is right. Raises Unauthenticated, TooManyRequests.

    Failures before it stay counted until the whole sign-in is done: a known password buys no guesses at the factor.
    """
    try:
        address = normal_email(email)
    except ValueError:
        crypto.check_password(password[:LONGEST_PASSWORD], None)
        raise Unauthenticated("The address or the password is wrong.") from None
    login = require_unlocked(door, address)
    matches = crypto.check_password(password[:LONGEST_PASSWORD], login.password_hash)
    if login.user_id is None or login.password_hash is None or not matches or not login.verified:
        count_failure(door, address, origin)
        if login.user_id is not None and matches:
            mails.request(door, "verification", address, user_id=login.user_id, client=origin.address)
        raise Unauthenticated("The address or the password is wrong.")
    if crypto.needs_rehash(login.password_hash):
        directory.replace_hash(door.session, login.user_id, login.password_hash, crypto.hash_password(password))
    return login.user_id, address


def require_unlocked(door: Doorway, email: str) -> Login:
    """Return what a sign-in with this address is checked against. Raises TooManyRequests while failures lock it."""
    login = directory.find_login(door.session, email)
    if login.locked:
        raise TooManyRequests("Too many failed attempts. Wait a little, then try again.")
    return login


def complete_sign_in(
    door: Doorway,
    user_id: UUID,
    email: str,
    origin: Origin,
    *,
    methods: tuple[str, ...] = ("password",),
    strong: bool = False,
) -> SignIn:
    """Open the session of a person who has shown all that is asked for; failures before it are forgotten."""
    directory.note_login(door.session, email, good=True)
    token = open_session_for(door, user_id, origin, methods=methods, strong=strong)
    tenants = directory.session_tenants(door.session, crypto.token_hash(token))
    return SignIn(token, user_id, tenants[0].slug if tenants else None, methods)


def count_failure(door: Doorway, email: str, origin: Origin) -> None:
    """Count a wrong password; the failure that locks sends the holder of the address, if any, the way to unlock."""
    note_failure(door.session, email, origin.address, (origin.agent or "")[:300])
    if directory.note_login(door.session, email, good=False):
        mails.request(door, "unlock", email, user_id=None, client=origin.address)


def sign_out(door: Doorway, token: str) -> None:
    """End the session of `token`."""
    directory.close_session(door.session, crypto.token_hash(token))


def open_session_for(
    door: Doorway,
    user_id: UUID,
    origin: Origin,
    *,
    methods: tuple[str, ...] = ("password",),
    strong: bool = False,
    sso_tenant_id: UUID | None = None,
) -> str:
    """Open a session for a person who proved who they are by `methods`; return its token.

    `strong` where a second factor or a passkey was among them, `sso_tenant_id` where a tenant's provider said so.
    """
    token = crypto.new_token()
    directory.open_session(
        door.session,
        crypto.token_hash(token),
        new_id(),
        user_id,
        lasts=SESSION_LASTS,
        idle=SESSION_IDLE,
        address=origin.address,
        agent=(origin.agent or "")[:300],
        methods=methods,
        strong=strong,
        sso_tenant_id=sso_tenant_id,
    )
    return token
