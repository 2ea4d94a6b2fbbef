"""Plans that tenants ask for: listed, approved, declined."""

from functools import partial
from uuid import UUID

from flask import Blueprint, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import StringField

from app.core.errors import NotFound
from app.db import oversight
from app.db.oversight import RequestRow
from app.db.units import Doorway
from app.platform import orders
from app.platform.orders import ReasonForm
from app.platform.pages import moment, page
from app.platform.routing import staff_page
from app.platform.tenants import find_tenant
from app.services import staff
from app.services.plan_requests import Consequences
from app.services.plans import PlanName
from app.services.staff import Wish
from app.services.standings import Standing, consequences_of, standing_of

blueprint = Blueprint("requests", __name__)
DECISIONS = {"approval": "plan.approve", "refusal": "plan.decline"}


class DecisionForm(ReasonForm):
    """Why, for the logs, and what the owners are told by mail."""

    answer = StringField("Answer")


@staff_page(blueprint, "/requests")
def index(door: Doorway) -> str:
    """List the plans that are asked for, the oldest first."""
    read = partial(oversight.requests, door.session, after=moment("after"))
    rows, following = page(read, "requests.index", "after", lambda row: (row.asked_at, row.id))
    first = url_for("requests.index") if request.args.get("after_id") else None
    return render_template("platform/requests.html", rows=rows, following=following, first=first)


@staff_page(blueprint, "/tenants/<uuid:tenant_id>/requests/<uuid:request_id>/<any(approval, refusal):name>")
def ask(door: Doorway, tenant_id: UUID, request_id: UUID, name: str) -> str:
    return _ask(door, _request(door, tenant_id, request_id), name, DecisionForm())


@staff_page(
    blueprint,
    "/tenants/<uuid:tenant_id>/requests/<uuid:request_id>/<any(approval, refusal):name>",
    methods=("POST",),
)
def decide(door: Doorway, tenant_id: UUID, request_id: UUID, name: str) -> Response | tuple[str, int]:
    """Put the decision on record; the worker carries it out."""
    asked, form = _request(door, tenant_id, request_id), DecisionForm()

    def wish() -> Wish:
        detail = {"request_id": str(request_id), "plan": asked.plan, "answer": staff.checked_answer(form.answer.data)}
        return Wish(tenant_id, DECISIONS[name], form.reason.data or "", detail)

    return orders.give(
        door,
        form,
        wish,
        lambda: _ask(door, asked, name, form),
        told="The decision is on record, and carried out within seconds.",
        back=url_for("tenants.show", tenant_id=tenant_id),
    )


def _ask(door: Doorway, asked: RequestRow, name: str, form: DecisionForm) -> str:
    standing = standing_of(oversight.usage(door.session, asked.tenant_id))
    return render_template(
        "platform/decision.html",
        row=find_tenant(door, asked.tenant_id),
        asked=asked,
        name=name,
        form=form,
        standing=standing,
        consequences=_consequences(door, asked, standing),
    )


def _consequences(door: Doorway, asked: RequestRow, standing: Standing | None) -> dict[PlanName, Consequences]:
    if standing is None:
        return {}
    overrides = oversight.overrides(door.session, asked.tenant_id)
    plan = PlanName(asked.plan)
    return {plan: consequences_of(standing, asked.present, overrides, plan)}


def _request(door: Doorway, tenant_id: UUID, request_id: UUID) -> RequestRow:
    for found in oversight.requests(door.session, tenant_id=tenant_id):
        if found.id == request_id:
            return found
    raise NotFound("Nobody asks for this plan any more: it was decided on or withdrawn.")
