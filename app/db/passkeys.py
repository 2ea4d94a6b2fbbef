"""People's passkeys in the directory, and the challenges that they answer; each a SECURITY DEFINER function."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.core.ids import new_id
from app.db.directory import one_row


@dataclass(frozen=True, slots=True)
class Passkey:
    """A passkey as its owner sees it; `synced` where its maker keeps copies, `suspect_at` where one was misused."""

    id: UUID
    credential_id: bytes
    name: str
    synced: bool
    transports: tuple[str, ...]
    created_at: datetime
    used_at: datetime | None
    suspect_at: datetime | None


@dataclass(frozen=True, slots=True)
class KnownPasskey:
    """What an answer is checked against."""

    user_id: UUID
    email: str
    public_key: bytes
    sign_count: int
    suspect: bool


@dataclass(frozen=True, slots=True)
class NewPasskey:
    """A passkey that was just made."""

    credential_id: bytes
    name: str
    public_key: bytes
    sign_count: int
    synced: bool
    transports: tuple[str, ...]


def passkeys_of(session: Session, user_id: UUID) -> list[Passkey]:
    """Return the person's passkeys, the oldest first."""
    rows = session.execute(text("SELECT * FROM auth.passkeys_of(:user)"), {"user": user_id})
    return [Passkey(**{**row._mapping, "transports": tuple(row.transports)}) for row in rows]


def find_passkey(session: Session, credential_id: bytes) -> KnownPasskey | None:
    """Return the passkey of this id, whoever owns it."""
    row = one_row(session, "SELECT * FROM auth.find_passkey(:id)", id=credential_id)
    return None if row is None else KnownPasskey(**row._mapping)


def add_passkey(session: Session, user_id: UUID, made: NewPasskey, *, most: int) -> bool:
    """Keep a passkey; False where the person has `most`, or where the id is known already."""
    call = text("SELECT auth.add_passkey(:id, :user, :credential, :name, :key, :count, :synced, :transports, :most)")
    values = {
        "id": new_id(),
        "user": user_id,
        "credential": made.credential_id,
        "name": made.name,
        "key": made.public_key,
        "count": made.sign_count,
        "synced": made.synced,
        "transports": list(made.transports),
        "most": most,
    }
    return bool(session.execute(call, values).scalar_one())


def use_passkey(session: Session, credential_id: bytes, old_count: int, new_count: int) -> bool:
    """Note a use, if the counter is still the one that was checked; False where another use came between."""
    call = text("SELECT auth.use_passkey(:id, :old, :new)")
    return bool(session.execute(call, {"id": credential_id, "old": old_count, "new": new_count}).scalar_one())


def suspect_passkey(session: Session, credential_id: bytes) -> None:
    """Accept the passkey no more: there seem to be two of it."""
    session.execute(text("SELECT auth.suspect_passkey(:id)"), {"id": credential_id})


def drop_passkey(session: Session, user_id: UUID, passkey_id: UUID) -> bool:
    """Forget one of the person's passkeys; False where it is none of theirs."""
    call = text("SELECT auth.drop_passkey(:user, :id)")
    return bool(session.execute(call, {"user": user_id, "id": passkey_id}).scalar_one())


def keep_challenge(
    session: Session, handle_hash: bytes, purpose: str, bound: bytes, challenge: bytes, lasts: timedelta
) -> None:
    """Keep a challenge for one purpose, and for whoever is told by `bound`."""
    call = text("SELECT auth.keep_challenge(:hash, :purpose, :bound, :challenge, :lasts)")
    values = {"hash": handle_hash, "purpose": purpose, "bound": bound, "challenge": challenge, "lasts": lasts}
    session.execute(call, values)


def take_challenge(session: Session, handle_hash: bytes, purpose: str, bound: bytes) -> bytes | None:
    """Return a challenge, this once; None where it is over, or for another purpose or somebody else."""
    call = text("SELECT auth.take_challenge(:hash, :purpose, :bound)")
    values = {"hash": handle_hash, "purpose": purpose, "bound": bound}
    found: bytes | None = session.execute(call, values).scalar_one()
    return found
