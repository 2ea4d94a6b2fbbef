"""What staff agree on with one tenant in place of its plan's figures."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from flask import Blueprint, render_template, url_for
from werkzeug.wrappers import Response
from wtforms import DateField, SelectField, StringField
from wtforms.validators import Optional

from app.core.clock import start_of
from app.core.errors import Invalid, NotFound
from app.db import oversight
from app.db.oversight import OverrideRow, TenantRow
from app.db.units import Doorway
from app.platform import orders
from app.platform.orders import ReasonForm
from app.platform.routing import staff_page
from app.platform.tenants import FIGURES, find_tenant
from app.services.staff import Wish

blueprint = Blueprint("overrides", __name__)
LARGEST = 1_000_000_000


class OverrideForm(ReasonForm):
    """Which figure, what in its place, until when and why."""

    figure = SelectField("Figure", choices=[("", "Choose one"), *FIGURES.items()])
    value = StringField("In its place")
    until = DateField("Last day (UTC)", validators=[Optional()])


@staff_page(blueprint, "/tenants/<uuid:tenant_id>/overrides/new")
def new(door: Doorway, tenant_id: UUID) -> str:
    return render_template("platform/override.html", row=find_tenant(door, tenant_id), form=OverrideForm())


@staff_page(blueprint, "/tenants/<uuid:tenant_id>/overrides/new", methods=("POST",))
def create(door: Doorway, tenant_id: UUID) -> Response | tuple[str, int]:
    """Put the order on record."""
    row, form = find_tenant(door, tenant_id), OverrideForm()
    form.validate()
    return orders.give(
        door,
        form,
        lambda: Wish(tenant_id, "plan.override", form.reason.data or "", _detail(form)),
        lambda: render_template("platform/override.html", row=row, form=form),
        told="On record, and carried out within seconds.",
        back=url_for("tenants.show", tenant_id=tenant_id),
    )


@staff_page(blueprint, "/tenants/<uuid:tenant_id>/overrides/<uuid:override_id>/end")
def ask(door: Doorway, tenant_id: UUID, override_id: UUID) -> str:
    return _ask(find_tenant(door, tenant_id), _override(door, tenant_id, override_id), ReasonForm())


@staff_page(blueprint, "/tenants/<uuid:tenant_id>/overrides/<uuid:override_id>/end", methods=("POST",))
def end(door: Doorway, tenant_id: UUID, override_id: UUID) -> Response | tuple[str, int]:
    """Let the plan's figure hold again."""
    row, found, form = find_tenant(door, tenant_id), _override(door, tenant_id, override_id), ReasonForm()
    return orders.give(
        door,
        form,
        lambda: Wish(tenant_id, "plan.override-end", form.reason.data or "", {"override_id": str(override_id)}),
        lambda: _ask(row, found, form),
        told="On record, and carried out within seconds.",
        back=url_for("tenants.show", tenant_id=tenant_id),
    )


def _ask(row: TenantRow, found: OverrideRow, form: ReasonForm) -> str:
    return render_template("platform/override_end.html", row=row, override=found, form=form, figures=FIGURES)


def _detail(form: OverrideForm) -> dict[str, object]:
    kind, _, name = (form.figure.data or "").partition(":")
    problems: dict[str, str] = {}
    if form.figure.data not in FIGURES:
        problems["figure"] = "choose one"
    value = _value(kind, (form.value.data or "").strip().lower(), problems)
    until = _until(form.until.data, problems)
    if form.until.errors:
        problems["until"] = "a day, as year-month-day"
    if problems:
        raise Invalid("The override was not made.", fields=problems)
    return {"kind": kind, "name": name, "value": value, "until": until}


def _value(kind: str, typed: str, problems: dict[str, str]) -> int | None:
    if kind == "feature" and typed in ("yes", "no"):
        return int(typed == "yes")
    if kind == "quota" and typed == "unlimited":
        return None
    if kind in ("quota", "rate") and typed.isascii() and typed.isdigit() and int(typed) <= LARGEST:
        return int(typed)
    problems["value"] = "yes or no for a feature, a number for a quota or a rate, or unlimited for a quota"
    return None


def _until(day: date | None, problems: dict[str, str]) -> str | None:
    if day is None:
        return None
    moment = start_of(day) + timedelta(days=1)
    if moment <= datetime.now(UTC):
        problems["until"] = "today or later"
    return moment.isoformat()


def _override(door: Doorway, tenant_id: UUID, override_id: UUID) -> OverrideRow:
    for found in oversight.overrides(door.session, tenant_id):
        if found.id == override_id:
            return found
    raise NotFound()
