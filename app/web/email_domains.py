"""E-mail domains: added, proven by a DNS record, taken off."""

from datetime import datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from flask import flash, redirect, render_template, url_for
from werkzeug.wrappers import Response
from wtforms import StringField

from app.core.errors import Conflict, Invalid
from app.core.permissions import Permission
from app.db.units import Home, Unit
from app.models.connections import EmailDomain
from app.scanners.ownership import challenge_name, challenge_value
from app.services import domain_looks, email_domains
from app.serving.forms import Form
from app.serving.live import live
from app.web.repeats import RepeatForm
from app.web.routing import tenant_blueprint, tenant_page

blueprint = tenant_blueprint("email_domains", __name__)


class DomainForm(Form):
    """What stands behind the @ of people's addresses."""

    domain = StringField("Domain")


class NameForm(RepeatForm):
    """The name typed once more."""

    name = StringField("Domain")


@tenant_page(blueprint, "/sign-in/domains", Permission.SIGN_IN_READ, home=Home.ACCOUNT)
def index(unit: Unit) -> str:
    return render_template("email_domains/index.html", **_shown(unit))


@tenant_page(blueprint, "/sign-in/domains/state", Permission.SIGN_IN_READ, home=Home.ACCOUNT)
def state(unit: Unit) -> Response:
    """Answer what the last checks saw."""
    return live("email_domains/_state.html", **_shown(unit))


@tenant_page(
    blueprint, "/sign-in/domains", Permission.SIGN_IN_WRITE, home=Home.ACCOUNT, methods=("POST",), confirmed=True
)
def create(unit: Unit) -> Response | tuple[str, int]:
    """Add a domain and show the record that proves it."""
    form = DomainForm()
    try:
        if form.validate():
            email_domains.add_domain(unit, form.domain.data or "")
            return redirect(url_for("email_domains.index"), 303)
    except (Invalid, Conflict) as error:
        form.blame(error)
    return render_template("email_domains/index.html", **_shown(unit, form)), 422


@tenant_page(
    blueprint, "/sign-in/domains/<uuid:domain_id>/check", Permission.SIGN_IN_WRITE, home=Home.ACCOUNT, methods=("POST",)
)
def check(unit: Unit, domain_id: UUID) -> Response:
    """Have the record looked for."""
    email_domains.request_check(unit, domain_id)
    return redirect(url_for("email_domains.index"), 303)


@tenant_page(
    blueprint, "/sign-in/domains/<uuid:domain_id>/removal", Permission.SIGN_IN_WRITE, home=Home.ACCOUNT, confirmed=True
)
def removal(unit: Unit, domain_id: UUID) -> str:
    return _confirm(unit, domain_id, NameForm(formdata=None))


@tenant_page(
    blueprint,
    "/sign-in/domains/<uuid:domain_id>/removal",
    Permission.SIGN_IN_WRITE,
    home=Home.ACCOUNT,
    methods=("POST",),
    confirmed=True,
)
def remove(unit: Unit, domain_id: UUID) -> Response | tuple[str, int]:
    """Take the domain off, once its name was typed."""
    form = NameForm()
    found = email_domains.get_domain(unit, domain_id)
    if not form.repeats(found.domain, "take it off"):
        return _confirm(unit, domain_id, form), 422
    email_domains.remove_domain(unit, domain_id)
    flash(f"{found.domain} was taken off.", "good")
    return redirect(url_for("email_domains.index"), 303)


def _confirm(unit: Unit, domain_id: UUID, form: NameForm) -> str:
    return render_template("email_domains/removal.html", row=_row(email_domains.get_domain(unit, domain_id)), form=form)


def _shown(unit: Unit, form: DomainForm | None = None) -> dict[str, Any]:
    rows = [_row(found) for found in email_domains.list_domains(unit)]
    given = form or DomainForm(formdata=None)
    offered = email_domains.are_offered(unit)
    return {"domains": rows, "form": given, "checking": any(row.checking for row in rows), "offered": offered}


def _state(found: EmailDomain) -> str:
    if found.verified_at is None:
        return "unproven" if found.lapsed_at is None else "lapsed"
    return "proven" if found.missing_since is None else "missing"


def _ends_at(missing_since: datetime, warned_at: datetime | None) -> datetime:
    """Return when a domain is proven no longer at the earliest, if its record stays away."""
    end = missing_since + domain_looks.LAPSE_AFTER
    return end if warned_at is None else max(end, warned_at + domain_looks.LAPSE_AFTER - domain_looks.WARN_AFTER)


def _row(found: EmailDomain) -> SimpleNamespace:
    waits = found.requested_at is not None and (found.checked_at is None or found.checked_at < found.requested_at)
    return SimpleNamespace(
        id=found.id,
        domain=found.domain,
        state=_state(found),
        verified_at=found.verified_at,
        missing_since=found.missing_since,
        ends_at=None if found.missing_since is None else _ends_at(found.missing_since, found.warned_at),
        lapsed_at=found.lapsed_at,
        checked_at=found.checked_at,
        checking=waits,
        name=challenge_name(found.domain),
        value=challenge_value(found.token),
        attempts=found.attempts,
    )
