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
    OWNERSHIP_WRITE = "tenant:ownership:write"
    PEOPLE_READ = "tenant:people:read"
    PEOPLE_WRITE = "tenant:people:write"
    PLAN_READ = "tenant:plan:read"
    PLAN_WRITE = "tenant:plan:write"
    SCANS_READ = "tenant:scans:read"
    SCANS_WRITE = "tenant:scans:write"
    SETTINGS_READ = "tenant:settings:read"
    SETTINGS_WRITE = "tenant:settings:write"
    SIGN_IN_READ = "tenant:sign-in:read"
    SIGN_IN_WRITE = "tenant:sign-in:write"
    USAGE_READ = "tenant:usage:read"
    WORKSPACES_READ = "tenant:workspaces:read"
    WORKSPACES_WRITE = "tenant:workspaces:write"


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
        Permission.PLAN_READ,
        Permission.SCANS_READ,
        Permission.USAGE_READ,
        Permission.WORKSPACES_READ,
    }
)
_OPERATOR = _VIEWER | {
    Permission.ASSETS_WRITE,
    Permission.FINDINGS_WRITE,
    Permission.GUARD_PROCESS,
    Permission.SCANS_WRITE,
}
_AUDITOR = _VIEWER | {
    Permission.AUDIT_READ,
    Permission.KEYS_READ,
    Permission.PEOPLE_READ,
    Permission.SETTINGS_READ,
    Permission.SIGN_IN_READ,
}
_ADMIN = (
    _OPERATOR
    | _AUDITOR
    | {
        Permission.KEYS_WRITE,
        Permission.PEOPLE_WRITE,
        Permission.SETTINGS_WRITE,
        Permission.SIGN_IN_WRITE,
        Permission.WORKSPACES_WRITE,
    }
)

GRANTS: dict[Role, frozenset[Permission]] = {
    Role.OWNER: _ADMIN | {Permission.OWNERSHIP_WRITE, Permission.PLAN_WRITE},
    Role.ADMIN: _ADMIN,
    Role.OPERATOR: _OPERATOR,
    Role.VIEWER: _VIEWER,
    Role.AUDITOR: _AUDITOR,
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
    Permission.PEOPLE_READ,
    Permission.PEOPLE_WRITE,
    Permission.WORKSPACES_READ,
    Permission.WORKSPACES_WRITE,
    Permission.SETTINGS_READ,
    Permission.SETTINGS_WRITE,
    Permission.AUDIT_READ,
    Permission.KEYS_READ,
    Permission.KEYS_WRITE,
    Permission.PLAN_READ,
)

# What reaches no further than one workspace. The rest is the tenant's: only keys of its default workspace hold it.
WITHIN_WORKSPACE = frozenset(
    {
        Permission.ASSETS_READ,
        Permission.ASSETS_WRITE,
        Permission.FINDINGS_READ,
        Permission.FINDINGS_WRITE,
        Permission.GUARD_PROCESS,
        Permission.SCANS_READ,
        Permission.SCANS_WRITE,
        Permission.USAGE_READ,
        Permission.WORKSPACES_READ,
    }
)


def role_named(name: str) -> Role:
    """Return the role called `name`; "member" is accepted for operator. Raises ValueError for any other."""
    return Role.OPERATOR if name == "member" else Role(name)


def permissions_of(role: Role) -> frozenset[Permission]:
    """Return what `role` grants."""
    return GRANTS[role]
