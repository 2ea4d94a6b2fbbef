"""People's second factors in the directory, and sign-ins that wait for one; each a SECURITY DEFINER function."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.db.directory import one_row


@dataclass(frozen=True, slots=True)
class Factors:
    """What a person can show beside the password: since when an authenticator app, and how many of the others."""

    totp_at: datetime | None
    passkeys: int
    codes_left: int

    @property
    def any(self) -> bool:
        """Whether the person has a second factor: from then on, every sign-in asks for it."""
        return self.totp_at is not None or self.passkeys > 0

    @property
    def names(self) -> tuple[str, ...]:
        """Which factors a sign-in takes: totp, passkey, recovery."""
        held = (("totp", self.totp_at is not None), ("passkey", self.passkeys > 0), ("recovery", self.codes_left > 0))
        return tuple(name for name, has in held if has)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A sign-in whose password was right, or another first proof, and that waits for a second factor."""

    user_id: UUID
    email: str
    methods: tuple[str, ...]


def factors_of(session: Session, user_id: UUID) -> Factors:
    """Return what the person can show beside the password."""
    row = session.execute(text("SELECT * FROM auth.factors_of(:user)"), {"user": user_id}).one()
    return Factors(row.totp_at, row.passkeys, row.codes_left)


def add_totp(session: Session, user_id: UUID, sealed: bytes, step: int) -> bool:
    """Keep an authenticator app's secret, with the time step of the code that showed it; False where there is one."""
    call = text("SELECT auth.add_totp(:user, :sealed, :step)")
    return bool(session.execute(call, {"user": user_id, "sealed": sealed, "step": step}).scalar_one())


def totp_of(session: Session, user_id: UUID) -> bytes | None:
    """Return the sealed secret of the person's authenticator app."""
    found: bytes | None = session.execute(text("SELECT auth.totp_of(:user)"), {"user": user_id}).scalar_one()
    return found


def use_totp(session: Session, user_id: UUID, step: int) -> bool:
    """Take the code of a time step; False where that one, or a later one, was taken before."""
    call = text("SELECT auth.use_totp(:user, :step)")
    return bool(session.execute(call, {"user": user_id, "step": step}).scalar_one())


def drop_totp(session: Session, user_id: UUID) -> bool:
    """Forget the person's authenticator app; False where there is none."""
    return bool(session.execute(text("SELECT auth.drop_totp(:user)"), {"user": user_id}).scalar_one())


def keep_recovery_codes(session: Session, user_id: UUID, hashes: list[bytes]) -> None:
    """Keep these recovery codes in place of all earlier ones."""
    call = text("SELECT auth.keep_recovery_codes(:user, :hashes)")
    session.execute(call, {"user": user_id, "hashes": hashes})


def use_recovery_code(session: Session, user_id: UUID, code_hash: bytes) -> bool:
    """Take a recovery code; False where it is none, or was taken before."""
    call = text("SELECT auth.use_recovery_code(:user, :hash)")
    return bool(session.execute(call, {"user": user_id, "hash": code_hash}).scalar_one())


def begin_sign_in(
    session: Session, token_hash: bytes, user_id: UUID, methods: tuple[str, ...], lasts: timedelta
) -> None:
    """Keep a sign-in that waits for a second factor."""
    call = text("SELECT auth.begin_sign_in(:hash, :user, :methods, :lasts)")
    session.execute(call, {"hash": token_hash, "user": user_id, "methods": list(methods), "lasts": lasts})


def pending_sign_in(session: Session, token_hash: bytes, most: int) -> Waiting | None:
    """Return the sign-in that waits under this token, while it lasts and was tried fewer than `most` times."""
    return _waiting(session, "SELECT * FROM auth.pending_sign_in(:hash, :most)", token_hash, most)


def try_sign_in(session: Session, token_hash: bytes, most: int) -> Waiting | None:
    """Count a try of the sign-in that waits under this token; None where it is over. Others wait meanwhile."""
    return _waiting(session, "SELECT * FROM auth.try_sign_in(:hash, :most)", token_hash, most)


def _waiting(session: Session, call: str, token_hash: bytes, most: int) -> Waiting | None:
    row = one_row(session, call, hash=token_hash, most=most)
    return None if row is None else Waiting(row.user_id, row.email, tuple(row.methods))


def end_sign_in(session: Session, token_hash: bytes) -> None:
    """Forget the sign-in that waits under this token."""
    session.execute(text("SELECT auth.end_sign_in(:hash)"), {"hash": token_hash})


def renew_session(session: Session, old: bytes, new: bytes, methods: tuple[str, ...], *, strong: bool) -> bool:
    """Put a session under the hash of a new token, as proved just now by `methods` too; False where it has ended."""
    call = text("SELECT auth.renew_session(:old, :new, :methods, :strong)")
    values = {"old": old, "new": new, "methods": list(methods), "strong": strong}
    return bool(session.execute(call, values).scalar_one())


def members_with_factor(session: Session) -> set[UUID]:
    """Return the members of the present tenant who have a second factor."""
    return set(session.scalars(text("SELECT auth.members_with_factor()")))


def end_weak_sessions(session: Session) -> int:
    """End the sessions of the present tenant's members that showed no second factor; return how many."""
    return int(session.execute(text("SELECT auth.end_weak_sessions()")).scalar_one())


def sweep_factors(session: Session) -> None:
    """Remove challenges and waiting sign-ins that are over. The worker's."""
    session.execute(text("SELECT auth.sweep_factors()"))
