"""Signing in through a provider: the address typed, the way there, the way back, the password that links an account."""

from uuid import UUID

from flask import Blueprint, make_response, redirect, render_template, request, session, url_for
from flask_login import current_user
from werkzeug.wrappers import Response
from wtforms import HiddenField, PasswordField, StringField

from app.core.errors import (
    AppError,
    Invalid,
    NotFound,
    SessionConfined,
    SignInRefused,
    SsoRequired,
    TooManyRequests,
    Unauthenticated,
)
from app.services import accounts, sign_on_links, sign_ons
from app.services.accounts import PendingSignIn, SignIn
from app.services.openid import ProviderFault, leave
from app.services.sign_ons import Opened, Return, Waiting, Way
from app.serving import returns
from app.serving.errors import problem, wants_json
from app.serving.forms import Form
from app.serving.requests import origin
from app.serving.runtimes import runtime
from app.web import provider_step_ups, sessions, trials
from app.web.departures import browser, depart, own_client, reach
from app.web.routing import Doorway, public_page

blueprint = Blueprint("sign_ons", __name__)


class AddressForm(Form):
    """The address that tells the company; `next` is the page that was asked for."""

    email = StringField("Work e-mail")
    next = HiddenField()


class LinkForm(Form):
    """The password of the account that has the address, and a code where it has a second factor."""

    password = PasswordField("Password")
    code = StringField("Code")


@public_page(blueprint, "/sso")
def new(_door: Doorway) -> str:
    form = AddressForm(email=request.args.get("email", ""), next=request.args.get("next", ""))
    return render_template("sign_ons/new.html", form=form)


@public_page(blueprint, "/sso", methods=("POST",))
def create(door: Doorway) -> Response | tuple[str, int]:
    """Go to the provider of the company whose domain the address has."""
    form = AddressForm()
    email = (form.email.data or "").strip()
    base_url = runtime().settings.base_url
    try:
        if not form.validate():
            return render_template("sign_ons/new.html", form=form), 422
        with runtime().units.identify() as early:
            way = sign_ons.way_for(early, email, base_url)
        provider = reach(way.client.issuer)
        target = returns.within(form.next.data)
        url = sign_ons.begin(door, way, provider, browser=browser(), target=target, hint=email)
    except (NotFound, ProviderFault) as error:
        form.form_errors = [*form.form_errors, str(error)]
        return render_template("sign_ons/new.html", form=form), 422
    return depart(url, way.name)


@public_page(blueprint, "/sso/platform", methods=("POST",))
def begin(door: Doorway) -> Response | tuple[str, int]:
    """Go to the platform's own provider."""
    own, name = own_client(), runtime().settings.platform_oidc_name
    if own is None or name is None:
        raise NotFound()
    way = Way(None, None, None, name, own)
    try:
        provider = reach(own.issuer)
    except ProviderFault as error:
        return render_template("sign_ons/refused.html", reason=str(error)), 503
    target = returns.within(request.form.get("next"))
    return depart(sign_ons.begin(door, way, provider, browser=browser(), target=target), name)


@public_page(blueprint, "/sso/platform/callback")
def platform_callback(door: Doorway) -> Response | tuple[str, int]:
    """Come back from the platform's own provider."""
    return _come_back(door, None)


@public_page(blueprint, "/sso/<uuid:connection_id>/callback")
def callback(door: Doorway, connection_id: UUID) -> Response | tuple[str, int]:
    """Come back from a tenant's provider."""
    return _come_back(door, connection_id)


def _come_back(door: Doorway, connection_id: UUID | None) -> Response | tuple[str, int]:
    token = sessions.token() if current_user.is_authenticated else None
    door.commit()  # none stays open while the provider is asked
    state, base_url = request.args.get("state", ""), runtime().settings.base_url
    try:
        if token is not None and (asked := provider_step_ups.taken(token, connection_id, state)) is not None:
            return provider_step_ups.come_back(door, token, asked)
        with runtime().units.identify() as early:
            back = sign_ons.take(early, connection_id, state, browser(), base_url=base_url, own=own_client())
            early.commit()
        if back.flow.purpose == sign_ons.TRIAL:
            return trials.come_back(door, back)
        return _arrive(door, back)
    except (SignInRefused, ProviderFault, NotFound) as error:
        return render_template("sign_ons/refused.html", reason=str(error)), 403


def _arrive(door: Doorway, back: Return) -> Response:
    """Ask the provider with no transaction open, then open the session."""
    providers, client = runtime().providers, back.way.client
    answer = sign_ons.ask(back, providers, request.args, runtime().units.clock.now())
    home = runtime().settings.base_url + url_for("sign_ons.signed_out")
    farewell = leave(client, providers.provider(client.issuer), id_token=answer.id_token, back=home)
    found = sign_ons.finish(
        door,
        back,
        answer,
        browser=browser(),
        farewell=farewell,
        origin=origin(),
        present=sessions.visitor(),
    )
    if isinstance(found, Waiting):
        session["link"] = found.link_token
        return redirect(url_for("sign_ons.link"), 303)
    return begin_session(door, found, back.flow.next)


def begin_session(door: Doorway, opened: Opened | PendingSignIn, wanted: str | None) -> Response:
    """Let the browser go on with what a provider opened, in place of whatever session it had."""
    old = sessions.end()
    if old:
        accounts.sign_out(door, old)
    if isinstance(opened, PendingSignIn):
        sessions.wait(opened, wanted)
        return redirect(url_for("login_factors.new"), 303)
    sessions.begin(SignIn(opened.token, opened.user_id, opened.slug))
    home = url_for("landings.show") if opened.slug is None else url_for("overviews.show", slug=opened.slug)
    return redirect(opened.next or home, 303)


@public_page(blueprint, "/sso/link")
def link(door: Doorway) -> str | tuple[str, int]:
    """Ask for the password of the account that has the address."""
    try:
        pending = sign_on_links.waiting_link(door, session.get("link", ""), browser())
    except SignInRefused as error:
        return render_template("sign_ons/refused.html", reason=str(error)), 403
    return render_template("sign_ons/link.html", form=LinkForm(), pending=pending)


@public_page(blueprint, "/sso/link", methods=("POST",))
def confirm_link(door: Doorway) -> Response | tuple[str, int]:
    """Link the account by its password, and sign in."""
    form = LinkForm()
    try:
        token = session.get("link", "")
        pending = sign_on_links.waiting_link(door, token, browser())
        if not form.validate():
            return render_template("sign_ons/link.html", form=form, pending=pending), 422
        base_url = runtime().settings.base_url
        opened = sign_on_links.by_password(
            door,
            token,
            form.password.data or "",
            form.code.data or "",
            browser=browser(),
            base_url=base_url,
            own=own_client(),
            master_key=runtime().master_key,
            origin=origin(),
        )
    except (Unauthenticated, Invalid, TooManyRequests) as error:
        door.commit()
        form.blame(error)
        return render_template("sign_ons/link.html", form=form, pending=pending), 422
    except SignInRefused as error:
        return render_template("sign_ons/refused.html", reason=str(error)), 403
    return begin_session(door, opened, pending.next)


@public_page(blueprint, "/sso/signed-out")
def signed_out(_door: Doorway) -> str:
    return render_template("sign_ons/signed_out.html")


@blueprint.app_errorhandler(SsoRequired)
@blueprint.app_errorhandler(SessionConfined)
def _lead_on(error: AppError) -> Response:
    """Show a page's visitor the way that the tenant asks for; programs get the problem."""
    if wants_json():
        return problem(error)
    who = sessions.visitor()
    template = "sign_ons/required.html" if isinstance(error, SsoRequired) else "sign_ons/confined.html"
    form = AddressForm(formdata=None, email=who.email if who else "", next=returns.present())
    return make_response(render_template(template, error=error, form=form), error.status)
