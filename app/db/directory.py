"""The directory: what is asked before a tenant is known, each a SECURITY DEFINER function of the schema `auth`."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from app.tenancy.placements import Isolation, Placement


@dataclass(frozen=True, slots=True)
class Login:
    """What a sign-in is checked against; without a person for an unknown address, which is counted all the same."""

    user_id: UUID | None
    name: str | None
    password_hash: str | None
    locked: bool
    verified: bool


@dataclass(frozen=True, slots=True)
class TenantView:
    """A tenant as the directory knows it; `trial_ends_at` is told to a signed-in person alone.

    `overrides`, told with a key, is what was agreed on in place of the plan's figures: kind, name and value of each.
    """

    id: UUID
    slug: str
    name: str
    plan: str
    status: str
    status_reason: str | None
    placement: Placement
    trial_ends_at: datetime | None = None
    overrides: tuple[tuple[str, str, int | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Proof:
    """How whoever holds a session proved who they are.

    `methods`: password, passkey, totp, recovery, sso; `sso_tenant_id`: whose provider said so; `strong_at`: when a
    second factor or a passkey was last shown; `confirmed_at`: when any proof was last given.
    """

    methods: tuple[str, ...]
    sso_tenant_id: UUID | None
    strong_at: datetime | None
    confirmed_at: datetime


@dataclass(frozen=True, slots=True)
class Policy:
    """What a tenant asks of its people."""

    mfa_required: bool
    sso_required: bool


@dataclass(frozen=True, slots=True)
class Visitor:
    """A signed-in person, and the tenant of the address, with its policy, if the person is a member of it.

    `beyond_plan`: the tenant's plan has no seat for them, so that they read only.
    """

    session_id: UUID
    user_id: UUID
    email: str
    name: str
    tenant: TenantView | None
    role: str | None
    extra_permissions: tuple[str, ...]
    verified: bool
    proof: Proof
    policy: Policy | None
    beyond_plan: bool = False


@dataclass(frozen=True, slots=True)
class KeyAccount:
    """The service account that a key belongs to, and what bounds its keys."""

    id: UUID
    name: str
    active: bool
    permissions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """An API key as it was found by one of its secrets; what ended is for the caller to refuse.

    `secret_ended`: the secret was replaced and its overlap is over; `pepper`: the mark of what it is hashed under;
    `calls_per_minute`: the key's own limit (None: the plan's); `account`: whose key it is, if no person's;
    `workspace_id`: what it is kept to; `beyond_plan`: the quota that it, its workspace or its maker is beyond, if any.
    """

    key_id: UUID
    name: str
    scopes: tuple[str, ...]
    expired: bool
    revoked_at: datetime | None
    maker_id: UUID
    maker_role: str | None
    maker_permissions: tuple[str, ...]
    tenant: TenantView
    networks: tuple[str, ...]
    secret_id: UUID
    secret_ended: bool
    pepper: str
    calls_per_minute: int | None
    account: KeyAccount | None
    workspace_id: UUID
    workspace_archived: bool
    beyond_plan: str | None = None


@dataclass(frozen=True, slots=True)
class ScimHolder:
    """A SCIM token as it was found; `revoked` is for the caller to refuse."""

    token_id: UUID
    hint: str
    revoked: bool
    tenant: TenantView


@dataclass(frozen=True, slots=True)
class TenantChoice:
    """One of the tenants that a person belongs to."""

    slug: str
    name: str
    role: str
    status: str


class ExpiredAnswers(NamedTuple):
    """A tenant whose kept answers of one home have expired up to a moment."""

    tenant_id: UUID
    home: str
    up_to: datetime


class UnsealedLog(NamedTuple):
    """An audit log with events that can be sealed."""

    tenant_id: UUID
    home: str


def one_row(session: Session, call: str, **values: object) -> "Row[Any] | None":
    """Return the row that a call tells, if there is one."""
    return session.execute(text(call), values).one_or_none()


def slug_taken(session: Session, slug: str) -> bool:
    """Tell whether any tenant has this slug."""
    return bool(session.execute(text("SELECT auth.slug_taken(:slug)"), {"slug": slug}).scalar_one())


def register_user(
    session: Session, user_id: UUID, email: str, name: str, password_hash: str, *, verified: bool = False
) -> bool:
    """Add a person; False where the address is registered already."""
    return bool(
        session.execute(
            text("SELECT auth.register_user(:id, :email, :name, :hash, :verified)"),
            {"id": user_id, "email": email, "name": name, "hash": password_hash, "verified": verified},
        ).scalar_one()
    )


def find_login(session: Session, email: str) -> Login:
    """Return what a sign-in with this address is checked against."""
    row = session.execute(text("SELECT * FROM auth.find_login(:email)"), {"email": email}).one()
    return Login(row.user_id, row.name, row.password_hash, row.locked, row.verified)


def note_login(session: Session, email: str, *, good: bool) -> bool:
    """Count a sign-in; the fifth failure in a row locks for 30 seconds, each further one for twice as long.

    True where this failure was the one that locked.
    """
    call = text("SELECT auth.note_login(:email, :good)")
    return bool(session.execute(call, {"email": email, "good": good}).scalar_one())


def replace_hash(session: Session, user_id: UUID, old: str, new: str) -> None:
    """Put a stronger hash of the same password in place of `old`."""
    session.execute(text("SELECT auth.replace_hash(:id, :old, :new)"), {"id": user_id, "old": old, "new": new})


def open_session(
    session: Session,
    token_hash: bytes,
    session_id: UUID,
    user_id: UUID,
    *,
    lasts: timedelta,
    idle: timedelta,
    address: str | None,
    agent: str | None,
    methods: tuple[str, ...] = ("password",),
    strong: bool = False,
    sso_tenant_id: UUID | None = None,
) -> None:
    """Keep a sign-in under the hash of its token, with an absolute and an idle limit, and how it was proved."""
    session.execute(
        text(
            "SELECT auth.open_session(:hash, :id, :user, :lasts, :idle, :address, :agent, :methods, :strong, :tenant)"
        ),
        {
            "hash": token_hash,
            "id": session_id,
            "user": user_id,
            "lasts": lasts,
            "idle": idle,
            "address": address,
            "agent": agent,
            "methods": list(methods),
            "strong": strong,
            "tenant": sso_tenant_id,
        },
    )


def close_session(session: Session, token_hash: bytes) -> None:
    """End a sign-in."""
    session.execute(text("SELECT auth.close_session(:hash)"), {"hash": token_hash})


def session_tenants(session: Session, token_hash: bytes) -> list[TenantChoice]:
    """Return the tenants of whoever is signed in with this token, by name."""
    rows = session.execute(text("SELECT * FROM auth.session_tenants(:hash)"), {"hash": token_hash})
    return [TenantChoice(row.slug, row.name, row.role, row.status) for row in rows]


def begin_session(session: Session, token_hash: bytes, slug: str | None) -> Visitor | None:
    """Return who is signed in, and set the tenant that `slug` names if the person is a member of it."""
    return find_visitor(session, "SELECT * FROM auth.begin_session(:hash, :slug)", hash=token_hash, slug=slug)


def find_visitor(session: Session, call: str, **values: object) -> Visitor | None:
    """Return the visitor whom begin_session, or a function with the same columns, tells of."""
    row = one_row(session, call, **values)
    if row is None:
        return None
    return Visitor(
        row.session_id,
        row.user_id,
        row.email,
        row.user_name,
        None if row.tenant_id is None else _tenant(row),
        row.role,
        tuple(row.permissions or ()),
        row.verified,
        Proof(tuple(row.methods), row.sso_tenant_id, row.strong_at, row.confirmed_at),
        None if row.tenant_id is None else Policy(row.mfa_required, row.sso_required),
        bool(row.beyond_plan),
    )


def begin_api_key(session: Session, hashes: list[bytes]) -> KeyHolder | None:
    """Return the key that one of `hashes` opens, and set its tenant if it is in force: one round trip.

    `hashes` are one secret's, under each pepper in use.
    """
    row = one_row(session, "SELECT * FROM auth.begin_api_key(:hashes)", hashes=hashes)
    if row is None:
        return None
    return KeyHolder(
        row.key_id,
        row.key_name,
        tuple(row.scopes),
        row.expired,
        row.revoked_at,
        row.maker_id,
        row.maker_role,
        tuple(row.maker_permissions or ()),
        _tenant(row),
        tuple(row.networks),
        row.secret_id,
        row.secret_ended,
        row.pepper,
        row.calls_per_minute,
        _account(row),
        row.workspace_id,
        row.workspace_archived,
        row.beyond_plan,
    )


def _account(row: Row[Any]) -> KeyAccount | None:
    if row.account_id is None:
        return None
    return KeyAccount(row.account_id, row.account_name or "", row.account_active, tuple(row.account_permissions or ()))


def begin_scim(session: Session, hashes: list[bytes]) -> ScimHolder | None:
    """Return the SCIM token that has one of `hashes`, and set its tenant if it is in force: one round trip."""
    row = one_row(session, "SELECT * FROM auth.begin_scim(:hashes)", hashes=hashes)
    return None if row is None else ScimHolder(row.token_id, row.hint, row.revoked, _tenant(row))


def _tenant(row: "object") -> TenantView:
    get = row._mapping  # type: ignore[attr-defined]
    level, schema, database = Isolation(get["level"]), get["schema_name"], get["database_name"]
    placement = Placement(get["tenant_id"], level, schema, database, get["epoch"])
    status, reason, ends_at = get["status"], get["status_reason"], get.get("trial_ends_at")
    overrides = tuple((kind, name, value) for kind, name, value in get.get("overrides", ()))
    return TenantView(
        get["tenant_id"], get["slug"], get["tenant_name"], get["plan"], status, reason, placement, ends_at, overrides
    )


def book_target(session: Session, endpoint: str, *, most: int, span: timedelta) -> bool:
    """Count a scan of `endpoint` (host:port) by any tenant; False where there were `most` within `span` already."""
    return bool(
        session.execute(
            text("SELECT auth.book_target(:endpoint, :most, :span)"), {"endpoint": endpoint, "most": most, "span": span}
        ).scalar_one()
    )


def audit_public_key(session: Session) -> bytes | None:
    """Return the key by which seals of audit logs are checked, or None before it was made."""
    found: bytes | None = session.execute(text("SELECT auth.audit_public_key()")).scalar_one()
    return found


def audit_key(session: Session) -> bytes | None:
    """Return the wrapped key that signs seals, or None before it was made."""
    found: bytes | None = session.execute(text("SELECT auth.audit_key()")).scalar_one()
    return found


def keep_audit_key(session: Session, wrapped: bytes, public: bytes) -> None:
    """Keep the key that signs seals, unless there is one already."""
    session.execute(text("SELECT auth.keep_audit_key(:wrapped, :public)"), {"wrapped": wrapped, "public": public})


def logs_unsealed(session: Session, most: int) -> list[UnsealedLog]:
    """Return at most `most` audit logs with events that no open transaction can still precede."""
    rows = session.execute(text("SELECT * FROM auth.logs_unsealed(:most)"), {"most": most})
    return [UnsealedLog(row.tenant_id, row.home) for row in rows]


def note_sealed(session: Session, home: str, up_to: int) -> None:
    """Take the present tenant's log off the list of those to be sealed, up to that transaction."""
    session.execute(text("SELECT auth.note_sealed(:home, :up_to)"), {"home": home, "up_to": up_to})


def answers_expired(session: Session, most: int) -> list[ExpiredAnswers]:
    """Return at most `most` tenants and homes whose kept answers have expired."""
    rows = session.execute(text("SELECT * FROM auth.answers_expired(:most)"), {"most": most})
    return [ExpiredAnswers(row.tenant_id, row.home, row.up_to) for row in rows]


def note_answers_swept(session: Session, home: str, up_to: datetime) -> None:
    """Take the present tenant's answers off the list of those to be swept, up to that moment."""
    session.execute(text("SELECT auth.note_answers_swept(:home, :up_to)"), {"home": home, "up_to": up_to})
