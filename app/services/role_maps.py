"""Which role a provider's claims mean in a tenant."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.core.errors import Invalid, PermissionDenied
from app.core.permissions import Permission, Role, permissions_of, role_named
from app.db.units import Unit
from app.models.connections import Connection
from app.services import audit, authorities
from app.services.access import require
from app.services.connections import get_connection
from app.services.plans import Feature, require_feature

MOST_LINES = 100
LONGEST = 200
# Ownership is given by an owner, with consent, and by nobody's claim.
MAPPED = (Role.ADMIN, Role.OPERATOR, Role.VIEWER, Role.AUDITOR)


def role_of(connection: Connection, claims: Mapping[str, Any]) -> Role | None:
    """Return the role that the claims map to: the first line that fits, else the default, or None for nobody's."""
    held = held_values(claims, connection.role_claim) if connection.role_claim else set()
    for value, role in connection.role_map:
        if value in held:
            return Role(role)
    return Role(connection.default_role) if connection.default_role else None


def held_values(claims: Mapping[str, Any], name: str) -> set[str]:
    """Return the values of a claim, one or a list; `a.b` also finds b within a, as Keycloak nests its roles."""
    found: Any = claims.get(name)
    if found is None:
        found = claims
        for part in name.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
    listed = found if isinstance(found, list) else [found]
    return {value for value in listed if isinstance(value, str)}


def read_lines(text: str) -> list[tuple[str, str]]:
    """Return the pairs of value and role that lines `value = role` spell. Raises ValueError that names the line."""
    pairs: list[tuple[str, str]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        value, equals, role = (part.strip() for part in line.rpartition("="))
        try:
            named = role_named(role.lower())
        except ValueError:
            named = None
        if not equals or not value or named not in MAPPED or len(value) > LONGEST:
            allowed = ", ".join(MAPPED)
            raise ValueError(f"line {number}: write a value, = and one of {allowed}")
        pairs.append((value, str(named)))
    if len(pairs) > MOST_LINES:
        raise ValueError(f"at most {MOST_LINES} lines")
    return pairs


def save_roles(unit: Unit, *, claim: str, pairs: Sequence[tuple[str, str]], default: str | None) -> Connection:
    """Say which claim means which role, and what whoever fits none is (None: refused). Needs tenant:sign-in:write.

    Raises Invalid, FeatureMissing, and PermissionDenied for a role that grants what the actor lacks.
    """
    require(unit, Permission.SIGN_IN_WRITE)
    require_feature(unit, Feature.SSO)
    found = get_connection(unit)
    claim = claim.strip()
    problems: dict[str, str] = {}
    if len(claim) > LONGEST or not claim.isprintable():
        problems["claim"] = "a claim's name, on one line"
    if pairs and not claim:
        problems["claim"] = "name the claim that the lines are about"
    if default is not None and default not in MAPPED:
        problems["default"] = "one of " + ", ".join(MAPPED)
    if problems:
        raise Invalid("The roles were not saved.", fields=problems)
    given = {*(role for _value, role in pairs), *([default] if default else [])}
    mine = authorities.handed(unit) if given else frozenset()
    lacking = sorted(role for role in given if not permissions_of(Role(role)) <= mine)
    if lacking:
        raise PermissionDenied("Nobody maps a role above what they hold: " + ", ".join(lacking))
    before = _written(found)
    found.role_claim, found.role_map, found.default_role = claim, [list(pair) for pair in pairs], default
    if _written(found) != before:
        audit.record(unit, "connection.map-roles", "connection", found.id, before=before, after=_written(found))
    return found


def _written(connection: Connection) -> dict[str, Any]:
    return {
        "claim": connection.role_claim,
        "roles": [f"{value} = {role}" for value, role in connection.role_map],
        "default": connection.default_role,
    }
