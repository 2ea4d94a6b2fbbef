"""Test sign-ins: what the provider told and which role it means, for the set-up page; nobody is signed in by one."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from app.core.errors import SignInRefused
from app.core.permissions import Permission
from app.db.units import Unit
from app.models.connections import Connection
from app.services import audit, connections
from app.services.access import require
from app.services.email_domains import domain_of, is_proven
from app.services.openid import Answer
from app.services.role_maps import role_of
from app.services.sign_ons import vouched_address

MOST_CLAIMS = 60
LONGEST_CLAIM = 300
# Of the protocol, not of the person.
_PROTOCOL = frozenset({"at_hash", "aud", "azp", "c_hash", "exp", "iat", "nonce", "s_hash", "sid"})


@dataclass(frozen=True, slots=True)
class Trial:
    """What a test sign-in told: the claims, the address and the role they mean, or the problem.

    A `warning` is what would keep this person out for now, though the provider is set up well.
    """

    problem: str | None
    warning: str | None = None
    email: str | None = None
    role: str | None = None
    claims: Mapping[str, str] | None = None


def judge(unit: Unit, answer: Answer) -> Trial:
    """Return what the answer means here. Needs tenant:sign-in:read."""
    claims = {name: _shown(value) for name, value in sorted(answer.claims.items()) if name not in _PROTOCOL}
    claims = dict(list(claims.items())[:MOST_CLAIMS])
    try:
        email = vouched_address(answer.claims, verified=False)
    except SignInRefused as refusal:
        return Trial(str(refusal), claims=claims)
    role = role_of(connections.get_connection(unit), answer.claims)
    warning = None
    if not is_proven(unit, domain_of(email)):
        warning = f"{domain_of(email)} is none of your proven domains yet: prove it, so that this address comes in."
    elif role is None:
        warning = "These claims map to no role: whoever has no membership yet would be refused."
    return Trial(None, warning, email, None if role is None else str(role), claims)


def note_trial(unit: Unit, trial: Trial) -> Connection:
    """Keep what a test sign-in told; a good one makes the connection ready, and a waiting secret the one in use.

    Needs tenant:sign-in:write.
    """
    require(unit, Permission.SIGN_IN_WRITE)
    found = connections.get_connection(unit)
    found.test = connections.seal(unit, found.id, "test", json.dumps(asdict(trial)))
    if trial.problem is not None:
        audit.record(unit, "connection.test", "connection", found.id, after={"problem": trial.problem})
        return found
    found.tested_at, found.tested_by = unit.now(), unit.actor.id
    if found.status == "draft":
        found.status = "tested"
    after = {"role": trial.role, "status": found.status}
    if found.next_secret is not None:
        found.secret, found.next_secret = found.next_secret, None
        after |= {"secret": "replaced"}
    audit.record(unit, "connection.test", "connection", found.id, after=after)
    return found


def last_trial(unit: Unit, connection: Connection) -> Trial | None:
    """Return what the last test sign-in told. Needs tenant:sign-in:read."""
    require(unit, Permission.SIGN_IN_READ)
    if connection.test is None:
        return None
    return Trial(**json.loads(connections.unseal(unit, connection.id, "test", connection.test)))


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_CLAIM else text[:LONGEST_CLAIM] + "…"
