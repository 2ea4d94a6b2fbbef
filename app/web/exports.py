"""Export everything: an owner takes out all that the tenant has, also while it is closed."""

from flask import Response, render_template, url_for

from app.core.errors import Conflict
from app.core.permissions import Permission
from app.db.units import Home, Unit
from app.services import exports
from app.services.export_tables import COLUMNS_LEFT_OUT, TABLES_LEFT_OUT
from app.serving.runtimes import runtime
from app.web.routing import tenant_blueprint, tenant_page

blueprint = tenant_blueprint("exports", __name__)
RULE = "/settings/export"


@tenant_page(blueprint, RULE, Permission.OWNERSHIP_WRITE, home=Home.ACCOUNT, confirmed=True, closed=True)
def show(unit: Unit) -> str:
    return _page(unit)


@tenant_page(
    blueprint, RULE, Permission.OWNERSHIP_WRITE, home=Home.ACCOUNT, methods=("POST",), confirmed=True, closed=True
)
def create(unit: Unit) -> Response | tuple[str, int]:
    """Send the archive while it is being made."""
    try:
        order = exports.begin_export(unit)
    except Conflict as error:
        return _page(unit, error), error.status
    key = runtime().settings.base_url.rstrip("/") + url_for("audit_keys.show")
    answer = Response(exports.stream(runtime().units, order, runtime().graph, key), content_type="application/zip")
    name = f"sentinel-{order.tenant['slug']}-{order.at:%Y%m%d-%H%M%S}.zip"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _page(unit: Unit, refused: Conflict | None = None) -> str:
    rows = exports.list_exports(unit)
    left_out = sorted(
        {*TABLES_LEFT_OUT.values(), *(why for each in COLUMNS_LEFT_OUT.values() for why in each.values())}
    )
    return render_template("exports/show.html", rows=rows, refused=refused, left_out=left_out)
