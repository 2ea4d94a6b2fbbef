"""What the tenants' templates call beside the kit: permissions, the navigation, names of tools and actions."""

from dataclasses import dataclass

from flask import Flask, current_app, g, request, url_for

from app.core.permissions import Permission
from app.scanners.catalogue import TOOLS
from app.services.entrances import OPEN
from app.serving.kit import register_kit
from app.serving.words import words
from app.web.charts import shares, swatch


@dataclass(frozen=True)
class Destination:
    """One line of the side navigation."""

    label: str
    icon: str
    endpoint: str
    permission: Permission


NAVIGATION: tuple[tuple[str, tuple[Destination, ...]], ...] = (
    ("", (Destination("Overview", "home", "overviews.show", Permission.OVERVIEW_READ),)),
    (
        "Scanning",
        (
            Destination("Scans", "radar-2", "scans.index", Permission.SCANS_READ),
            Destination("Findings", "shield-half", "findings.index", Permission.FINDINGS_READ),
            Destination("Assets", "server", "assets.index", Permission.ASSETS_READ),
            Destination("Graph", "affiliate", "graphs.show", Permission.GRAPH_READ),
        ),
    ),
    ("Guard", (Destination("Try it", "message-search", "guards.show", Permission.GUARD_PROCESS),)),
    (
        "Settings",
        (
            Destination("General", "settings", "settings.show", Permission.SETTINGS_READ),
            Destination("People", "users", "people.index", Permission.PEOPLE_READ),
            Destination("Sign-in", "lock", "sign_ins.show", Permission.SIGN_IN_READ),
            Destination("API keys", "key", "keys.index", Permission.KEYS_READ),
            Destination("Workspaces", "folders", "workspaces.index", Permission.WORKSPACES_READ),
            Destination("Plan and usage", "chart-bar", "plans.show", Permission.PLAN_READ),
            Destination("Audit log", "history", "audits.index", Permission.AUDIT_READ),
        ),
    ),
)


# Nouns without a line of their own in the navigation, and whose they are.
PART_OF = dict.fromkeys(("key_rotations", "service_accounts", "key_hygiene", "key_ceilings"), "keys")
PART_OF["exports"] = "settings"


def register_presentation(app: Flask) -> None:
    """Give the application's templates all that they call."""
    register_kit(app)
    app.jinja_env.filters.update(tool=tool, scope=scope, account_action=account_action, proof=proof)
    app.jinja_env.globals.update(
        may=may,
        navigation=navigation,
        here=here,
        shares=shares,
        swatch=swatch,
        mailbox=mailbox,
        platform_provider=platform_provider,
    )


def may(permission: str) -> bool:
    """Tell whether whoever looks at the page holds `permission`, in a closed tenant none; the scope may be left out."""
    actor = None if closed() else g.get("actor")
    held = actor.permissions if actor else frozenset()
    return permission in held or f"tenant:{permission}" in held


def closed() -> bool:
    """Tell whether the page's tenant is suspended or deleted: of its pages few can be opened."""
    tenant = g.get("tenant")
    return tenant is not None and tenant.status not in OPEN


def mailbox() -> str | None:
    """Return the address of the development mailbox, where there is one."""
    return url_for("mailboxes.index") if current_app.config.get("MAILBOX") else None


def platform_provider() -> str | None:
    """Return what the provider is called that everybody may sign in through, where there is one."""
    found: str | None = current_app.config.get("PLATFORM_PROVIDER")
    return found


def navigation() -> list[tuple[str, list[Destination]]]:
    """Return the groups of destinations that exist and that one may open."""
    groups = [(name, [each for each in group if _opens(each)]) for name, group in NAVIGATION]
    return [(name, group) for name, group in groups if group]


def _opens(place: Destination) -> bool:
    view = current_app.view_functions.get(place.endpoint)
    return view is not None and (getattr(view, "closed", False) if closed() else may(place.permission))


def here(endpoint: str) -> bool:
    """Tell whether the present page belongs to `endpoint`'s noun, or to a part of it."""
    noun = (request.endpoint or "").split(".")[0]
    return PART_OF.get(noun, noun) == endpoint.split(".", maxsplit=1)[0]


def tool(name: str) -> str:
    """Return the name of a scanner as people read it."""
    return TOOLS[name].title if name in TOOLS else words(name)


def scope(permission: str) -> str:
    """Return a permission as people read it: `tenant:scans:write` is "scans: write"."""
    return permission.removeprefix("tenant:").replace(":", ": ")


_ACCOUNT_ACTIONS = {
    "email.change": "The e-mail address was changed",
    "email.keep": "A change of address was given up",
    "email.request": "A change of address was asked for",
    "email.verify": "The e-mail address was confirmed",
    "identity.link": "A provider's sign-in was linked",
    "name.change": "The name was changed",
    "passkey.add": "A passkey was added",
    "passkey.remove": "A passkey was removed",
    "passkey.suspect": "A passkey was refused: it seems to have been copied",
    "password.change": "The password was changed",
    "password.reset": "A new password was set by a mailed link",
    "recovery.renew": "New recovery codes were made",
    "recovery.use": "A recovery code was used",
    "session.confirm": "Whose session it is was confirmed at the company's sign-in",
    "session.confirm-refused": "A confirmation at the company's sign-in was refused",
    "session.end": "A session was ended",
    "session.end-others": "All other sessions were ended",
    "token.reuse": "A spent refresh token was shown: its program was signed out",
    "sign-in.unlock": "Sign-in was unlocked by a mailed link",
    "totp.add": "An authenticator app was set up",
    "totp.remove": "The authenticator app was removed",
}


def account_action(name: str) -> str:
    """Return what was done to an account as people read it."""
    return _ACCOUNT_ACTIONS.get(name, words(name))


_PROOFS = {"sso": "company sign-in", "totp": "authenticator app", "recovery": "recovery code"}


def proof(method: str) -> str:
    """Return a way of proving who one is as people read it."""
    return _PROOFS.get(method, method)
