"""Tenants as staff see them: searched, looked at, suspended, resumed, given another plan, deleted, restored."""

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import SelectField, StringField

from app.core.errors import Invalid, NotFound
from app.db import erasures, oversight
from app.db.oversight import EventSearch, TenantRow, TenantSearch
from app.db.units import Doorway
from app.platform import orders
from app.platform.acts import ACTS, NAMES, PLAN_CHOICES
from app.platform.orders import ReasonForm
from app.platform.pages import page
from app.platform.routing import staff_page
from app.services.lifecycles import PLANS
from app.services.plans import FEATURE_NAMES, QUOTA_NAMES, RATE_NAMES
from app.services.staff import Wish
from app.services.standings import other_plans, standing_of
from app.serving.live import live
from app.serving.words import CAP
from app.tenancy.placements import Isolation

blueprint = Blueprint("tenants", __name__)
RECENT = 30
STATUSES = ("trial", "active", "suspended", "deleted")
LEVELS = tuple(str(level) for level in Isolation)
ENDING = {"3": timedelta(days=3), "7": timedelta(days=7)}
QUOTAS = {str(quota): name for quota, name in QUOTA_NAMES.items()}
FIGURES = {
    **{f"quota:{quota}": name for quota, name in QUOTA_NAMES.items()},
    **{f"rate:{rate}": name for rate, name in RATE_NAMES.items()},
    **{f"feature:{feature}": name for feature, name in FEATURE_NAMES.items()},
}


class ActForm(ReasonForm):
    """Why, and what the act needs besides."""

    plan = SelectField("Plan", choices=PLAN_CHOICES)
    slug = StringField("Slug of the tenant")


@staff_page(blueprint, "/")
def start(_door: Doorway) -> Response:
    return redirect(url_for("tenants.index"), 303)


@staff_page(blueprint, "/tenants")
def index(door: Doorway) -> str:
    """List tenants by name, with figures over all."""
    wanted, filters = _wanted(request.args)
    read = partial(oversight.tenants, door.session, wanted, after=_after(request.args))
    rows, following = page(read, "tenants.index", "after", lambda row: (row.name, row.tenant_id), **filters)
    return render_template(
        "platform/tenants.html",
        rows=rows,
        filters=filters,
        first=url_for("tenants.index", **filters) if request.args.get("after_id") else None,
        following=following,
        count=oversight.count_tenants(door.session, wanted, most=CAP + 1),
        figures=oversight.figures(door.session),
        plans=PLAN_CHOICES,
        levels=[(level, level.capitalize()) for level in LEVELS],
        statuses=[(status, status.capitalize()) for status in STATUSES],
        quotas=QUOTAS,
    )


@staff_page(blueprint, "/tenants/<uuid:tenant_id>")
def show(door: Doorway, tenant_id: UUID) -> str | Response:
    if erasures.begun(door.session, tenant_id):
        return redirect(url_for("erasures.show", tenant_id=tenant_id), 303)
    return render_template("platform/tenant.html", **_told(door, tenant_id, erasing=False))


@staff_page(blueprint, "/tenants/<uuid:tenant_id>/live")
def follow(door: Doorway, tenant_id: UUID) -> Response:
    """Answer the page's content again while an order waits."""
    return live("platform/_tenant.html", **_told(door, tenant_id, erasing=erasures.begun(door.session, tenant_id)))


def _told(door: Doorway, tenant_id: UUID, *, erasing: bool) -> dict[str, Any]:
    row = find_tenant(door, tenant_id)
    history = oversight.log(door.session, EventSearch(tenant_id), most=RECENT)
    return {
        "row": row,
        "erasing": erasing,
        "acts": {name: act for name, act in ACTS.items() if row.status in act.statuses and not erasing},
        "waiting": [event for event in history if event.waiting],
        "history": history,
        "more": url_for("records.log", tenant=tenant_id) if len(history) == RECENT else None,
        "standing": standing_of(oversight.usage(door.session, tenant_id)),
        "requests": oversight.requests(door.session, tenant_id=tenant_id),
        "overrides": oversight.overrides(door.session, tenant_id),
        "figures": FIGURES,
    }


@staff_page(blueprint, f"/tenants/<uuid:tenant_id>/<{NAMES}:name>")
def ask(door: Doorway, tenant_id: UUID, name: str) -> str:
    row = find_tenant(door, tenant_id)
    return _ask(door, row, name, ActForm(plan=row.plan))


@staff_page(blueprint, f"/tenants/<uuid:tenant_id>/<{NAMES}:name>", methods=("POST",))
def act(door: Doorway, tenant_id: UUID, name: str) -> Response | tuple[str, int]:
    """Put the order on record; the worker carries it out."""
    row = find_tenant(door, tenant_id)
    form, chosen = ActForm(), ACTS[name]
    fits = form.validate()

    def wish() -> Wish:
        if not fits and chosen.asks == "plan":
            raise Invalid("There is no such plan.", fields={"plan": "choose one of the plans"})
        return Wish(tenant_id, chosen.action, form.reason.data or "", _detail(chosen.asks, form, row))

    return orders.give(
        door,
        form,
        wish,
        lambda: _ask(door, row, name, form),
        told=f"{chosen.title}: on record, and carried out within seconds.",
        back=url_for("tenants.show", tenant_id=tenant_id),
    )


def _ask(door: Doorway, row: TenantRow, name: str, form: ActForm) -> str:
    chosen, shown = ACTS[name], {}
    if chosen.asks == "plan":
        standing = standing_of(oversight.usage(door.session, row.tenant_id))
        overrides = oversight.overrides(door.session, row.tenant_id)
        shown = {"standing": standing, "consequences": other_plans(standing, row.plan, overrides)}
    return render_template("platform/act.html", row=row, name=name, act=chosen, form=form, **shown)


def _detail(asks: str | None, form: ActForm, row: TenantRow) -> dict[str, str]:
    if asks == "plan":
        return {"plan": form.plan.data}
    if asks == "slug":
        if (form.slug.data or "").strip() != row.slug:
            raise Invalid("Nothing was ordered.", fields={"slug": f"type {row.slug} to confirm"})
        return {"slug": row.slug}
    return {}


def find_tenant(door: Doorway, tenant_id: UUID) -> TenantRow:
    """Return the tenant. Raises NotFound."""
    row = oversight.tenant(door.session, tenant_id)
    if row is None:
        raise NotFound()
    return row


def _wanted(given: Mapping[str, str]) -> tuple[TenantSearch, dict[str, Any]]:
    """Return what the address asks for, and the same as the parts of an address."""
    words = given.get("search", "").replace("\0", "").strip()[:100]
    plan, status = _one_of(given.get("plan"), PLANS), _one_of(given.get("status"), STATUSES)
    level, ending = _one_of(given.get("level"), LEVELS), _one_of(given.get("ending"), tuple(ENDING))
    risky = given.get("risk") == "1"
    filters = {"search": words, "plan": plan, "status": status, "level": level, "ending": ending, "risk": risky and "1"}
    return (
        TenantSearch(words, plan, status, level, risky, ENDING.get(ending)),
        {name: value for name, value in filters.items() if value},
    )


def _one_of(given: str | None, known: tuple[str, ...]) -> str:
    return given if given in known else ""


def _after(given: Mapping[str, str]) -> tuple[str, UUID] | None:
    try:
        return given["after"].replace("\0", ""), UUID(given["after_id"])
    except (KeyError, ValueError):
        return None
