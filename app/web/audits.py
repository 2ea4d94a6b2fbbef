"""The audit log."""

from flask import render_template, request

from app.core.permissions import Permission
from app.db.units import Unit
from app.services import audit
from app.web.listings import ROWS, listing
from app.web.routing import tenant_blueprint, tenant_page

blueprint = tenant_blueprint("audits", __name__)


@tenant_page(blueprint, "/audit", Permission.AUDIT_READ)
def index(unit: Unit) -> str:
    page = audit.list_events(unit, cursor=request.args.get("after"), size=ROWS)
    return render_template("audits/index.html", **listing(page.rows, page, ()))
