"""docs/permissions.md says what the application does."""

from itertools import pairwise

from app.core.permissions import GRANTS, Permission, Role
from tests.meta.permissions import PAGE, application, page


def test_the_page_is_the_application() -> None:
    """The tables of roles and routes are what the running application has (python -m tests.meta.permissions)."""
    assert PAGE.read_text("utf-8") == page(application())


def test_every_permission_is_somebodys_and_is_asked_for() -> None:
    """Each permission is granted by a role, and some route or service needs it."""
    assert set(Permission) == set().union(*GRANTS.values())
    app = application()
    asked = set()
    for view in app.view_functions.values():
        asked |= set(getattr(getattr(view, "operation", None), "permissions", ()))
        asked.add(getattr(view, "permission", None))
    assert set(Permission) - asked == set()


def test_roles_are_steps() -> None:
    """Each role but auditor includes the ones after it; the auditor changes nothing."""
    steps = [Role.OWNER, Role.ADMIN, Role.OPERATOR, Role.VIEWER]
    for above, below in pairwise(steps):
        assert GRANTS[above] >= GRANTS[below]
    assert not [permission for permission in GRANTS[Role.AUDITOR] if permission.endswith((":write", ":process"))]
