"""Checkpoints: the heads of both logs, mailed once a day to owners who asked, so that they are kept elsewhere."""

from datetime import UTC

from sqlalchemy import or_, select

from app.core.permissions import Permission, Role
from app.db.units import Unit
from app.models.accounts import CheckpointRequest, Membership
from app.models.tenants import Tenant
from app.services import audit
from app.services.access import require
from app.services.audit_seals import SealedLog, last_heads
from app.services.notices import tell_member
from app.tenancy.actors import ActorKind


def may_ask(unit: Unit) -> bool:
    """Tell whether the actor is a person who may have checkpoints mailed."""
    return unit.actor.kind is ActorKind.USER and Permission.OWNERSHIP_WRITE in unit.actor.permissions


def is_asked(unit: Unit) -> bool:
    """Tell whether the actor has checkpoints mailed."""
    return _own(unit) is not None


def ask(unit: Unit) -> None:
    """Have checkpoints mailed to the actor from now on. Needs tenant:ownership:write; done twice it changes nothing."""
    require(unit, Permission.OWNERSHIP_WRITE)
    if _own(unit) is None and unit.actor.id is not None:
        unit.session.add(CheckpointRequest(user_id=unit.actor.id, created_at=unit.now(), sent_on=None, heads=None))
        audit.record(unit, "checkpoint.ask", "person", unit.actor.id)


def end(unit: Unit) -> None:
    """Have no more checkpoints mailed to the actor. Needs tenant:ownership:write; done twice it changes nothing."""
    require(unit, Permission.OWNERSHIP_WRITE)
    asked = _own(unit)
    if asked is not None:
        unit.session.delete(asked)
        audit.record(unit, "checkpoint.end", "person", unit.actor.id)


def send_due(unit: Unit) -> int:
    """Ask for the mails that are due today (UTC), of the account home's unit; return how many. For the worker.

    The mark of the day is in the mail's own transaction: each owner gets one a day however often this is killed, and
    none while there is no seal that the last one did not tell of.
    """
    heads = last_heads(unit)
    told, today = " ".join(one.head for one in heads), unit.now().astimezone(UTC).date()
    due = (
        select(CheckpointRequest, Membership)
        .join(Membership, Membership.user_id == CheckpointRequest.user_id)
        .where(
            Membership.role == Role.OWNER, or_(CheckpointRequest.sent_on.is_(None), CheckpointRequest.sent_on < today)
        )
        .with_for_update(of=CheckpointRequest)
    )
    sent = 0
    for asked, member in unit.session.execute(due).all() if heads else []:
        if asked.heads == told:
            continue
        _send(unit, member, heads)
        asked.sent_on, asked.heads = today, told
        sent += 1
    return sent


def _send(unit: Unit, member: Membership, heads: list[SealedLog]) -> None:
    tenant = unit.session.get_one(Tenant, unit.tenant_id)
    day = f"{unit.now().astimezone(UTC):%-d %B %Y}"
    lines = [f"The audit log of {tenant.name} is sealed up to here, as of {day} (UTC):"]
    lines += [
        f"{one.log}: seal {one.number:,} of {one.at.astimezone(UTC):%-d %B %Y, %H:%M:%S} UTC, head {one.head}"
        for one in heads
    ]
    lines += [
        "Keep this mail: whoever shortens or rewrites the log cannot make it fit these heads.",
        "To check, export the sealed log and the public key on the page below, then run:",
    ]
    given = " ".join(f"--head {one.head}" for one in heads)
    command = f"python -m app.cli audit verify audit.sealed.ndjson --key sentinel-audit-key.pem {given}"
    tell_member(
        unit, member, f"{tenant.name}: audit checkpoint of {day}", lines, f"/t/{tenant.slug}/audit", code=[command]
    )


def _own(unit: Unit) -> CheckpointRequest | None:
    return unit.session.scalar(select(CheckpointRequest).where(CheckpointRequest.user_id == unit.actor.id))
