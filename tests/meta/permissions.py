"""Writes docs/permissions.md from the running application: `python -m tests.meta.permissions`."""

from base64 import b64encode
from pathlib import Path

from flask import Flask

from app.core.permissions import GRANTS, KEY_SCOPES, Permission, Role
from app.core.settings import Settings
from app.factory import create_app

PAGE = Path(__file__).parents[2] / "docs/permissions.md"
HEAD = """# Permissions

Made from the running application by `python -m tests.meta.permissions`; a test compares. A route asks for its
permission before anything else, and the service that it calls asks again. A key may do what its scopes name, as far as
whoever made it still may.
"""


def application() -> Flask:
    """Return the application, with settings that reach nothing."""
    key = b64encode(bytes(32)).decode()
    values = {"secret_key": key, "master_key": key, "key_pepper": key}
    return create_app(
        Settings.model_validate(
            {
                "sentinel_env": "development",
                "base_url": "http://localhost:8000",
                "database_url": "postgresql://nobody@/nothing?host=/nonexistent",
                **values,
            }
        )
    )


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"


def page(app: Flask) -> str:
    """Return the page as it should read."""
    columns = [*(GRANTS[role] for role in Role), frozenset(KEY_SCOPES)]
    grants = [
        [f"`{permission}`", *("yes" if permission in column else "" for column in columns)] for permission in Permission
    ]
    routes = []
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: (rule.rule, sorted(rule.methods or ()))):
        view = app.view_functions[rule.endpoint]
        if getattr(view, "operation", None):
            needs = ", ".join(f"`{one}`" for one in view.operation.permissions) or (
                "nothing: public" if view.operation.opened else "any key or token"
            )
        else:
            permission = getattr(view, "permission", None)
            needs = f"`{permission}`" if permission else "nothing: public"
        methods = ", ".join(sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}))
        routes.append([methods, f"`{rule.rule}`", needs])
    return (
        HEAD
        + "\n## Roles\n\n"
        + table(["permission", *(str(role) for role in Role), "a key can have it"], grants)
        + "\n## Routes\n\n"
        + table(["method", "address", "needs"], routes)
    )


if __name__ == "__main__":
    PAGE.write_text(page(application()), "utf-8")
