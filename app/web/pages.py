"""The list of all pages: one blueprint a noun."""

from importlib import import_module

from flask import Flask

NOUNS: tuple[str, ...] = (
    "landings",
    "signups",
    "logins",
    "login_factors",
    "step_ups",
    "provider_step_ups",
    "factors",
    "own_data",
    "passkeys",
    "login_passkeys",
    "policies",
    "sign_ons",
    "mailed_links",
    "resets",
    "confirmations",
    "verifications",
    "profiles",
    "mailboxes",
    "tenants",
    "closures",
    "exports",
    "overviews",
    "settings",
    "people",
    "invitations",
    "acceptances",
    "ownerships",
    "sign_ins",
    "connections",
    "email_domains",
    "provisionings",
    "keys",
    "key_rotations",
    "service_accounts",
    "key_hygiene",
    "key_ceilings",
    "assets",
    "documents",
    "scans",
    "findings",
    "graphs",
    "guards",
    "plans",
    "workspaces",
    "workspace_settings",
    "usages",
    "audits",
    "audit_keys",
)


def register_pages(app: Flask) -> None:
    """Serve every noun's pages."""
    for noun in NOUNS:
        app.register_blueprint(import_module(f"app.web.{noun}").blueprint)
