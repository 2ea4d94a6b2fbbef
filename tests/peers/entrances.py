"""Every entrance to a tenant, from the application's own routes, and whether an answer says that it is closed."""

from collections.abc import Iterator

from flask import Flask
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from tests.peers.routes import PUBLIC, every_rule, methods

# Routes without a credential of the tenant's. A noun that may lead into a tenant all the same is tried by hand.
LEADS_IN = {
    "acceptances": "an invitation's link",
    "api_tokens": "signing in, and the refresh token",
    "mailed_links": "a mail that links an account to the tenant's own provider",
    "sign_ons": "the tenant's own provider, there and back",
}
LEADS_ELSEWHERE = {
    "api_references": "describes the API",
    "api_signups": "makes another tenant",
    "audit_keys": "the installation's public key",
    "confirmations": "one's own account",
    "factors": "one's own account",
    "health": "of the process",
    "landings": "what Sentinel is",
    "login_factors": "one's own account",
    "login_passkeys": "one's own account",
    "logins": "one's own account",
    "mailboxes": "the mail of a development installation",
    "own_data": "one's own account",
    "passkeys": "one's own account",
    "profiles": "one's own account",
    "provider_step_ups": "one's own account",
    "resets": "one's own account",
    "scim": "describes the SCIM service",
    "signups": "makes another tenant",
    "statics": "the kit's files",
    "step_ups": "one's own account",
    "tenants": "the list of one's tenants, with their status",
    "verifications": "one's own account",
}


def entrances(app: Flask) -> Iterator[tuple[Rule, str]]:
    """Yield every route that a credential of the tenant's opens, with each of its methods."""
    for rule in every_rule(app):
        if rule.endpoint not in PUBLIC:
            yield from ((rule, method) for method in methods(rule))


def stays_open(app: Flask, rule: Rule) -> bool:
    """Tell whether the route is one of those that an owner still reaches."""
    return bool(getattr(app.view_functions[rule.endpoint], "closed", False))


def was_refused(answer: TestResponse) -> bool:
    """Tell whether the answer says that the tenant is closed, in the form of its kind."""
    if answer.status_code != 403:
        return False
    if answer.mimetype == "application/problem+json":
        return str((answer.json or {})["type"]).endswith("/tenant-closed")
    return "is suspended" in answer.text
