"""Proving once more who one is at the provider that opened the session, and back to where one was."""

from uuid import UUID

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from app.core.errors import NotFound, SignInRefused
from app.services import profiles, provider_step_ups, sign_ons
from app.services.openid import ProviderFault
from app.services.provider_step_ups import Asked
from app.services.sign_ons import Way
from app.serving import returns
from app.serving.requests import origin
from app.serving.runtimes import runtime
from app.web import sessions
from app.web.departures import browser, depart, own_client, reach
from app.web.routing import Doorway, personal_page

blueprint = Blueprint("provider_step_ups", __name__)


def way(door: Doorway, token: str) -> Way | None:
    """Return the way to the provider at which this person proves who they are; None where they show something else."""
    return provider_step_ups.way_of(door, token, runtime().settings.base_url, own_client())


def name_of(found: Way) -> str:
    """Return what people call the provider's company."""
    return found.name or runtime().settings.platform_oidc_name or "your provider"


@personal_page(blueprint, "/account/confirmation/provider", methods=("POST",))
def begin(door: Doorway) -> Response | tuple[str, int]:
    """Go to the provider, which is to let the person sign in anew."""
    token, target = sessions.token(), returns.within(request.form.get("next"))
    found, account = way(door, token), profiles.account_of(door, token)
    if found is None:
        raise NotFound()
    door.commit()  # none stays open while the provider is asked
    try:
        provider = reach(found.client.issuer)
    except ProviderFault as fault:
        return _refused(str(fault), target)
    url = provider_step_ups.begin(door, token, found, provider, account, browser=browser(), target=target)
    return depart(url, name_of(found))


def taken(token: str, connection_id: UUID | None, state: str) -> Asked | None:
    """Return the step-up that comes back under this state, if it is one: in a transaction of its own."""
    base_url = runtime().settings.base_url
    with runtime().units.identify() as early:
        asked = provider_step_ups.take(early, token, connection_id, state, browser(), base_url, own_client())
        early.commit()
    return asked


def come_back(door: Doorway, token: str, asked: Asked) -> Response | tuple[str, int]:
    """Ask the provider with no transaction open; then the session goes on under a new token, where one was."""
    target = asked.step_up.next
    try:
        answer = sign_ons.ask(asked.back, runtime().providers, request.args, runtime().units.clock.now())
        sessions.renew(provider_step_ups.finish(door, token, asked, answer, origin()))
    except (SignInRefused, ProviderFault) as error:
        door.commit()
        return _refused(str(error), target)
    return redirect(target or url_for("profiles.show"), 303)


def _refused(reason: str, target: str | None) -> tuple[str, int]:
    return render_template("step_ups/refused.html", reason=reason, next=target or ""), 403
