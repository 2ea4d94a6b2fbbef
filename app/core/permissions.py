"""Who may do what: permissions `scope:resource:action`, and the roles that grant them.

A role is a named set of permissions. An API key carries a set of its own (its scopes); what it may do is the
intersection of those with the present permissions of whoever made it.
"""

from enum import StrEnum


class Permission(StrEnum):
    """Every permission there is, in alphabetical order."""

    ASSETS_READ = "tenant:assets:read"
    ASSETS_WRITE = "tenant:assets:write"
    AUDIT_READ = "tenant:audit:read"
    FINDINGS_READ = "tenant:findings:read"
    FINDINGS_WRITE = "tenant:findings:write"
    GRAPH_READ = "tenant:graph:read"
    GUARD_PROCESS = "tenant:guard:process"
    KEYS_READ = "tenant:keys:read"
    KEYS_WRITE = "tenant:keys:write"
    OVERVIEW_READ = "tenant:overview:read"
    SCANS_READ = "tenant:scans:read"
    SCANS_WRITE = "tenant:scans:write"
    USAGE_READ = "tenant:usage:read"


class Role(StrEnum):
    """What a membership is; each role but auditor includes the ones after it."""

    OWNER = "owner"
    ADMIN = "admin"
    OPERATOR = "operator"
    VIEWER = "viewer"
    AUDITOR = "auditor"


_VIEWER = frozenset(
    {
        Permission.ASSETS_READ,
        Permission.FINDINGS_READ,
        Permission.GRAPH_READ,
        Permission.OVERVIEW_READ,
        Permission.SCANS_READ,
        Permission.USAGE_READ,
    }
)
_OPERATOR = _VIEWER | {
    Permission.ASSETS_WRITE,
    Permission.FINDINGS_WRITE,
    Permission.GUARD_PROCESS,
    Permission.SCANS_WRITE,
}
_ADMIN = _OPERATOR | {Permission.AUDIT_READ, Permission.KEYS_READ, Permission.KEYS_WRITE}

GRANTS: dict[Role, frozenset[Permission]] = {
    Role.OWNER: _ADMIN,
    Role.ADMIN: _ADMIN,
    Role.OPERATOR: _OPERATOR,
    Role.VIEWER: _VIEWER,
    Role.AUDITOR: _VIEWER | {Permission.AUDIT_READ, Permission.KEYS_READ},
}

# What an API key can be given. Keys cannot make keys.
KEY_SCOPES: tuple[Permission, ...] = (
    Permission.GUARD_PROCESS,
    Permission.SCANS_READ,
    Permission.SCANS_WRITE,
    Permission.FINDINGS_READ,
    Permission.FINDINGS_WRITE,
    Permission.ASSETS_READ,
    Permission.ASSETS_WRITE,
    Permission.USAGE_READ,
)


def role_named(name: str) -> Role:
    """Return the role called `name`; "member" is accepted for operator. Raises ValueError for any other."""
    return Role.OPERATOR if name == "member" else Role(name)


def permissions_of(role: Role) -> frozenset[Permission]:
    """Return what `role` grants."""
    return GRANTS[role]
