"""The application's routes: which need no permission and why, and what the names in their addresses mean."""

import re
from typing import Any
from uuid import UUID

from flask import Flask
from werkzeug.routing import Rule

PUBLIC = {
    "api_references.document": "describes the API, the same for everybody",
    "api_references.page": "describes the API, the same for everybody",
    "api_references.scim_document": "describes SCIM, the same for everybody",
    "confirmations.redeem": "does what the token of a mailed link is for, whoever sends it",
    "confirmations.show": "says what the token of a mailed link is for",
    "api_signups.register": "signing up; the same answer for every address",
    "api_signups.register_organization": "signing up; the same answer for every address",
    "api_tokens.jwks": "the public keys of the installation, the same for everybody",
    **dict.fromkeys(
        (
            "api_tokens.login",
            "api_tokens.login_alias",
            "api_tokens.logout",
            "api_tokens.logout_alias",
            "api_tokens.refresh",
            "api_tokens.refresh_alias",
        ),
        "signing in and out, by what the body holds alone",
    ),
    **dict.fromkeys(
        ("acceptances.accept", "acceptances.change", "acceptances.join", "acceptances.show"),
        "an invitation, by the token of a mailed link",
    ),
    "audit_keys.show": "the public key of the installation, the same for everybody",
    "health.health": "whether the process runs",
    "health.metrics": "sums over all tenants; asks for a token outside development",
    "health.ready": "which parts answer",
    "landings.scans": "explains our scans to whoever is scanned",
    "landings.show": "what Sentinel is",
    "login_factors.create": "the second step of signing in, by the token of a sign-in that waits",
    "login_factors.new": "the second step of signing in, by the token of a sign-in that waits",
    **dict.fromkeys(
        (
            "login_passkeys.challenge",
            "login_passkeys.create",
            "login_passkeys.factor_challenge",
            "login_passkeys.finish",
        ),
        "signing in with a passkey, which answers a challenge of this browser's",
    ),
    "logins.create": "signing in",
    "logins.end": "signing out",
    "logins.new": "signing in",
    "mailboxes.index": "the mail of a development installation; elsewhere not found",
    "mailboxes.show": "the mail of a development installation; elsewhere not found",
    **dict.fromkeys(
        (
            "factors.codes",
            "factors.create",
            "factors.new",
            "factors.removal",
            "factors.remove",
            "factors.renew_codes",
            "own_data.delete",
            "own_data.deletion",
            "own_data.download",
            "passkeys.challenge",
            "passkeys.create",
            "passkeys.new",
            "passkeys.removal",
            "passkeys.remove",
            "provider_step_ups.begin",
            "step_ups.challenge",
            "step_ups.confirm",
            "step_ups.confirm_by_passkey",
            "step_ups.show",
            "profiles.change_email",
            "profiles.change_password",
            "profiles.email",
            "profiles.end_others",
            "profiles.end_session",
            "profiles.keep_email",
            "profiles.name",
            "profiles.password",
            "profiles.rename",
            "profiles.show",
        ),
        "one's own account, by the session alone",
    ),
    "resets.create": "a forgotten password; the same answer for every address",
    "resets.edit": "a forgotten password, by the token of a mailed link",
    "resets.new": "a forgotten password",
    "resets.update": "a forgotten password, by the token of a mailed link",
    "sign_ons.begin": "leads to the platform's own provider, the same for everybody",
    "sign_ons.platform_callback": "coming back from a provider, by the state that this browser began with",
    "sign_ons.callback": "coming back from a provider, by the state that this browser began with",
    "mailed_links.create": "a mail to an account's address, by the link that waits in this browser",
    "mailed_links.show": "says what a mailed link does",
    "mailed_links.redeem": "a mailed link, by the link that waits in this browser",
    "sign_ons.confirm_link": "an account's password, by the link that waits in this browser",
    "sign_ons.create": "leads to the provider of an address's domain",
    "sign_ons.link": "an account's password, by the link that waits in this browser",
    "sign_ons.new": "asks for the address whose provider is meant",
    "sign_ons.signed_out": "back from the provider, the same for everybody",
    "signups.create": "signing up",
    "verifications.create": "confirms an address, by the token of a mailed link and the password",
    "verifications.show": "says what the token of a mailed link is for",
    "signups.new": "signing up",
    "signups.slug": "tells whether a slug is free, as signing up itself does",
    **dict.fromkeys(
        (
            "scim.resource_type",
            "scim.resource_types",
            "scim.schema",
            "scim.schemas",
            "scim.service_provider_config",
        ),
        "describes the SCIM service, the same for everybody",
    ),
    **dict.fromkeys(("scim.bulk", "scim.me", "scim.search_all"), "says that the SCIM service does not do that"),
    "statics.show": "the kit's files, the same for everybody",
    "tenants.index": "lists the tenants of whoever is signed in, by the session alone",
}
KEYED = {
    "api_tenants.current": "tells a key of its own tenant, whatever its scopes",
    "api_tokens.me": "tells whoever holds an access token who they are",
    "api_tokens.me_alias": "tells whoever holds an access token who they are",
    "api_tenants.current_alias": "tells a key of its own tenant, whatever its scopes",
}

# Which table a name in an address means.
TABLES = {
    "account_id": "account.service_accounts",
    "asset_id": "shared.assets",
    "domain_id": "account.email_domains",
    "extra_id": "account.extra_permissions",
    "finding_id": "shared.findings",
    "invitation_id": "account.invitations",
    "key_id": "account.api_keys",
    "request_id": "account.plan_requests",
    "scan_id": "shared.scans",
    "scim_group_id": "account.provisioned_groups",
    "scim_person_id": "account.provisioned_people",
    "scim_token_id": "account.scim_tokens",
    "user_id": "account.memberships",
    "workspace_id": "account.workspaces",
}
# What else may stand in an address: of no tenant, and here of nobody.
OF_NO_TENANT: dict[str, object] = {
    "connection_id": UUID(int=3),
    "mail_id": UUID(int=1),
    "passkey_id": UUID(int=3),
    "purpose": "verification",
    "scim_name": "User",
    "session_id": UUID(int=2),
    "token": "0" * 43,
}
PLACE = re.compile(r"<(?:[^<>]*:)?(\w+)>")


def every_rule(app: Flask) -> list[Rule]:
    """Return every route, those that take a thing away last."""
    return sorted(
        app.url_map.iter_rules(), key=lambda rule: ("DELETE" in (rule.methods or ()), rule.rule, rule.endpoint)
    )


def methods(rule: Rule) -> list[str]:
    """Return the methods of a route that are its own."""
    return sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})


def with_id(app: Flask) -> list[Rule]:
    """Return the routes whose address names a thing of a tenant."""
    return [rule for rule in every_rule(app) if rule.arguments & TABLES.keys()]


def path_of(rule: Rule, slug: str, ids: dict[str, Any]) -> str:
    """Return a route's path with its places filled in."""
    return PLACE.sub(lambda place: str({"slug": slug, **OF_NO_TENANT, **ids}[place.group(1)]), rule.rule)
