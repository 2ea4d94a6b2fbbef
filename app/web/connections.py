"""Setting up single sign-on: what to copy where, a check and a test in place, roles, on and off."""

from collections.abc import Callable

from flask import flash, g, redirect, render_template, url_for
from werkzeug.wrappers import Response
from wtforms import PasswordField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice

from app.core.errors import Conflict, Invalid, PermissionDenied
from app.core.permissions import Permission
from app.db.units import Home, Unit
from app.models.connections import Connection
from app.services import connections, email_domains, role_maps, sign_ons, trials
from app.services.openid import ProviderFault, check_issuer
from app.services.sign_ons import Way
from app.services.trials import Trial
from app.serving.forms import Form
from app.serving.runtimes import runtime
from app.web.departures import browser, depart, reach
from app.web.repeats import RepeatForm
from app.web.routing import View, afresh, give_up, tenant_blueprint, tenant_page

blueprint = tenant_blueprint("connections", __name__)


def _act(rule: str) -> Callable[[View], View]:
    """Serve a form of one button that changes how people sign in: by whoever proved a moment ago who they are."""
    where = f"/sign-in/connection/{rule}"
    return tenant_page(blueprint, where, Permission.SIGN_IN_WRITE, home=Home.ACCOUNT, methods=("POST",), confirmed=True)


class ConnectionForm(Form):
    """What the provider gave."""

    issuer = StringField("Issuer")
    client_id = StringField("Client ID")
    secret = PasswordField("Client secret")


class RolesForm(Form):
    """Which claim means which role."""

    claim = StringField("Claim")
    roles = TextAreaField("Roles")
    default = SelectField(
        "Everybody else",
        choices=[
            *(SelectChoice(str(role), f"becomes {role}") for role in reversed(role_maps.MAPPED)),
            SelectChoice("", "is refused"),
        ],
    )


class NameForm(RepeatForm):
    """The name typed once more."""

    name = StringField("Short name of the tenant")


@tenant_page(blueprint, "/sign-in/connection", Permission.SIGN_IN_READ, home=Home.ACCOUNT)
def show(unit: Unit) -> Response | str:
    if connections.find_connection(unit) is None:
        return redirect(url_for("sign_ins.show"), 303)
    return _page(unit)


@_act("start")
def start(unit: Unit) -> Response:
    """Make an empty connection: its address is what the provider asks for first."""
    connections.start_connection(unit)
    return redirect(url_for("connections.show"), 303)


@tenant_page(
    blueprint, "/sign-in/connection", Permission.SIGN_IN_WRITE, home=Home.ACCOUNT, methods=("POST",), confirmed=True
)
def save(unit: Unit) -> Response | tuple[str, int]:
    """Ask the provider whether it is what it is called, then keep issuer, client and secret."""
    form = ConnectionForm()
    if not form.validate():
        return _page(unit, form=form), 422
    connections.get_connection(unit)
    give_up(unit)
    try:
        issuer = _checked_issuer(form.issuer.data or "")
        with afresh(unit) as again:
            connections.save_connection(
                again, issuer=issuer, client_id=(form.client_id.data or "").strip(), secret=form.secret.data or ""
            )
            again.commit()
    except (Invalid, Conflict) as error:
        form.blame(error)
        with afresh(unit) as again:
            return _page(again, form=form), error.status
    flash("The provider answers as it should. Try a test sign-in now.", "good")
    return redirect(url_for("connections.show", _anchor="test"), 303)


def _checked_issuer(text: str) -> str:
    if not text.strip():
        raise Invalid(fields={"issuer": "is needed"})
    try:
        issuer = check_issuer(text, runtime().providers.policy)
        reach(issuer, anew=True)
    except ProviderFault as fault:
        raise Invalid(fields={"issuer": str(fault)}) from None
    return issuer


@_act("roles")
def save_roles(unit: Unit) -> Response | tuple[str, int]:
    """Keep which claim means which role."""
    form = RolesForm()
    try:
        if not form.validate():
            return _page(unit, roles=form), 422
        try:
            pairs = role_maps.read_lines(form.roles.data or "")
        except ValueError as error:
            raise Invalid(fields={"roles": str(error)}) from error
        role_maps.save_roles(unit, claim=form.claim.data or "", pairs=pairs, default=form.default.data or None)
    except (Invalid, PermissionDenied) as error:
        form.blame(error)
        return _page(unit, roles=form), error.status
    flash("The roles are saved. They hold from the next sign-in on.", "good")
    return redirect(url_for("connections.show", _anchor="who"), 303)


@_act("trial")
def try_out(unit: Unit) -> Response:
    """Go to the provider and come back with what it tells; nobody is signed in by it."""
    found = connections.get_connection(unit)
    if not found.secret:
        raise Conflict("Enter what the provider gave you first.")
    client = connections.client_of(unit, found, runtime().settings.base_url, trial=True)
    way = Way(found.id, unit.tenant_id, g.tenant.slug, "your provider", client)
    give_up(unit)
    try:
        provider = reach(client.issuer, anew=True)
    except ProviderFault as fault:
        return _not_tried(unit, str(fault))
    with afresh(unit) as again:
        who, kind = unit.actor, sign_ons.TRIAL
        url = sign_ons.begin(again, way, provider, browser=browser(), purpose=kind, user_id=who.id, hint=who.label)
        again.commit()
    return depart(url, way.name)


def _not_tried(unit: Unit, why: str) -> Response:
    """Keep what came in the way of a test sign-in, and show it."""
    with afresh(unit) as again:
        trials.note_trial(again, Trial(why))
        again.commit()
    return redirect(url_for("connections.show", _anchor="test"), 303)


def _switched(act: Callable[[], object], done: str) -> Response:
    try:
        act()
    except Conflict as error:
        flash(error.detail, "bad")
    else:
        flash(done, "good")
    return redirect(url_for("connections.show", _anchor="switch"), 303)


@_act("activation")
def switch_on(unit: Unit) -> Response:
    """Let people in by the connection."""
    return _switched(lambda: connections.switch_on(unit), "Single sign-on is on.")


@_act("deactivation")
def switch_off(unit: Unit) -> Response:
    """Let nobody in by the connection."""
    said = "Single sign-on is off. Whoever came in by it alone was signed out."
    return _switched(lambda: connections.switch_off(unit), said)


@_act("requirement")
def require(unit: Unit) -> Response:
    """Let people in by the connection alone."""
    said = "From now on people come in by single sign-on alone."
    return _switched(lambda: connections.require_sso(unit, on=True), said)


@_act("requirement/withdrawal")
def allow(unit: Unit) -> Response:
    """Let people in by their passwords too."""
    return _switched(lambda: connections.require_sso(unit, on=False), "Passwords are taken again.")


@tenant_page(blueprint, "/sign-in/connection/removal", Permission.SIGN_IN_WRITE, home=Home.ACCOUNT, confirmed=True)
def removal(unit: Unit) -> str:
    return _confirm(unit, NameForm())


@tenant_page(
    blueprint,
    "/sign-in/connection/removal",
    Permission.SIGN_IN_WRITE,
    home=Home.ACCOUNT,
    methods=("POST",),
    confirmed=True,
)
def remove(unit: Unit) -> Response | tuple[str, int]:
    """Take the connection away, once the tenant's name was typed."""
    form = NameForm()
    if not form.repeats(g.tenant.slug, "remove the connection"):
        return _confirm(unit, form), 422
    connections.remove_connection(unit)
    flash("The connection was removed. People sign in with their passwords.", "good")
    return redirect(url_for("sign_ins.show"), 303)


def _confirm(unit: Unit, form: NameForm) -> str:
    return render_template("connections/removal.html", connection=connections.get_connection(unit), form=form)


def _page(unit: Unit, *, form: Form | None = None, roles: Form | None = None) -> str:
    found = connections.get_connection(unit)
    base_url = runtime().settings.base_url
    return render_template(
        "connections/show.html",
        connection=found,
        redirect_uri=connections.redirect_uri(base_url, found.id),
        signed_out_uri=f"{base_url}{url_for('sign_ons.signed_out')}",
        form=form or ConnectionForm(formdata=None, issuer=found.issuer, client_id=found.client_id),
        roles=roles or _roles(found),
        trial=trials.last_trial(unit, found),
        sso_required=connections.sso_is_required(unit),
        mine=found.tested_by == unit.actor.id,
        domains=email_domains.list_domains(unit),
    )


def _roles(found: Connection) -> RolesForm:
    lines = "\n".join(f"{value} = {role}" for value, role in found.role_map)
    return RolesForm(formdata=None, claim=found.role_claim, roles=lines, default=found.default_role or "")
