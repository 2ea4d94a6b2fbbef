"""Tenants as staff see them: searched, looked at, suspended, resumed, given another plan, deleted, restored."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import SelectField, StringField

from app.core.errors import Conflict, Invalid, NotFound
from app.db import staff as directory
from app.db.staff import TenantRow, TenantSearch
from app.db.units import Doorway
from app.platform.routing import member, staff_page
from app.services import staff
from app.services.lifecycles import PLANS
from app.services.staff import Wish
from app.serving.forms import Form
from app.serving.requests import origin

blueprint = Blueprint("tenants", __name__)
SIZE = 50
STATUSES = ("trial", "active", "suspended", "deleted", "purged")


@dataclass(frozen=True)
class Act:
    """Something that staff can have done to a tenant: its name in addresses, its words, and when it can be."""

    action: str
    title: str
    verb: str
    consequence: str
    statuses: tuple[str, ...]
    danger: bool = False


ACTS = {
    "suspension": Act(
        "tenant.suspend",
        "Suspend",
        "Suspend the tenant",
        "Its pages and API keys are refused from now on, its scans are cancelled. Its people see the reason.",
        ("trial", "active"),
        danger=True,
    ),
    "resumption": Act(
        "tenant.resume", "Resume", "Resume the tenant", "Its people and keys come in again.", ("suspended",)
    ),
    "plan": Act(
        "tenant.change-plan",
        "Change plan",
        "Change the plan",
        "The new plan’s limits hold from now on. A trial ends with it.",
        ("trial", "active", "suspended"),
    ),
    "deletion": Act(
        "tenant.delete",
        "Delete",
        "Delete the tenant",
        "Its pages and API keys are refused from now on. It can be restored for 30 days.",
        ("trial", "active", "suspended"),
        danger=True,
    ),
    "restoration": Act(
        "tenant.restore", "Restore", "Restore the tenant", "Everything comes back as it was.", ("deleted",)
    ),
}


class ActForm(Form):
    """Why, and what the act needs besides."""

    reason = StringField("Reason")
    plan = SelectField("Plan", choices=[(plan, plan.capitalize()) for plan in PLANS])
    slug = StringField("Slug of the tenant")


@staff_page(blueprint, "/")
def start(_door: Doorway) -> Response:
    return redirect(url_for("tenants.index"), 303)


@staff_page(blueprint, "/tenants")
def index(door: Doorway) -> str:
    """List tenants by name, with figures over all."""
    given = request.args
    wanted = TenantSearch(
        given.get("search", "").replace("\0", "").strip()[:100],
        _one_of(given.get("plan"), PLANS),
        _one_of(given.get("status"), STATUSES),
    )
    rows = directory.tenants(door.session, wanted, after=_after(given), most=SIZE + 1)
    following = None
    if len(rows) > SIZE:
        rows = rows[:SIZE]
        last = rows[-1]
        following = url_for(
            "tenants.index",
            search=wanted.words or None,
            plan=wanted.plan or None,
            status=wanted.status or None,
            after=last.name,
            after_id=last.tenant_id,
        )
    return render_template(
        "platform/tenants.html",
        rows=rows,
        wanted=wanted,
        following=following,
        figures=directory.figures(door.session),
        plans=[(plan, plan.capitalize()) for plan in PLANS],
        statuses=[(status, status.capitalize()) for status in STATUSES],
    )


@staff_page(blueprint, "/tenants/<uuid:tenant_id>")
def show(door: Doorway, tenant_id: UUID) -> str:
    row = find_tenant(door, tenant_id)
    acts = {name: act for name, act in ACTS.items() if row.status in act.statuses}
    history = directory.log(door.session, tenant_id=tenant_id, most=30)
    overrides = directory.overrides(door.session, tenant_id)
    return render_template("platform/tenant.html", row=row, acts=acts, history=history, overrides=overrides)


@staff_page(blueprint, "/tenants/<uuid:tenant_id>/<any(suspension, resumption, plan, deletion, restoration):name>")
def ask(door: Doorway, tenant_id: UUID, name: str) -> str:
    row = find_tenant(door, tenant_id)
    return render_template("platform/act.html", row=row, name=name, act=ACTS[name], form=ActForm(plan=row.plan))


@staff_page(
    blueprint,
    "/tenants/<uuid:tenant_id>/<any(suspension, resumption, plan, deletion, restoration):name>",
    methods=("POST",),
)
def act(door: Doorway, tenant_id: UUID, name: str) -> Response | tuple[str, int]:
    """Put the order on record; the worker carries it out."""
    row = find_tenant(door, tenant_id)
    form, chosen = ActForm(), ACTS[name]
    try:
        if not form.validate() and name == "plan":
            raise Invalid("There is no such plan.", fields={"plan": "choose one of the plans"})
        wish = Wish(tenant_id, chosen.action, form.reason.data or "", _detail(name, form, row))
        staff.order(door, member(), wish, origin=origin())
    except (Invalid, Conflict) as error:
        form.blame(error)
        return render_template("platform/act.html", row=row, name=name, act=chosen, form=form), error.status
    flash(f"{chosen.title}: on record, and carried out within seconds.", "good")
    return redirect(url_for("tenants.show", tenant_id=tenant_id), 303)


def _detail(name: str, form: ActForm, row: TenantRow) -> dict[str, str]:
    if name == "plan":
        return {"plan": form.plan.data}
    if name == "deletion":
        if (form.slug.data or "").strip() != row.slug:
            raise Invalid("The tenant was not deleted.", fields={"slug": f"type {row.slug} to delete it"})
        return {"slug": row.slug}
    return {}


def find_tenant(door: Doorway, tenant_id: UUID) -> TenantRow:
    """Return the tenant. Raises NotFound."""
    row = directory.tenant(door.session, tenant_id)
    if row is None:
        raise NotFound()
    return row


def _one_of(given: str | None, known: tuple[str, ...]) -> str:
    return given if given in known else ""


def _after(given: Mapping[str, str]) -> tuple[str, UUID] | None:
    try:
        return given["after"].replace("\0", ""), UUID(given["after_id"])
    except (KeyError, ValueError):
        return None
