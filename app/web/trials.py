"""Coming back from a test sign-in: what the provider told stands on the set-up page, and nobody is signed in by it."""

from flask import redirect, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from app.core.errors import SignInRefused
from app.db.units import Home
from app.services import entrances, sign_ons, trials
from app.services.openid import Answer, ProviderFault
from app.services.sign_ons import Return
from app.services.trials import Trial
from app.serving.requests import origin
from app.serving.runtimes import runtime
from app.web import sessions
from app.web.routing import Doorway


def come_back(door: Doorway, back: Return) -> Response:
    """Keep what the test told, as whoever began it. Raises SignInRefused for anybody else."""
    told: Answer | str
    try:
        told = sign_ons.ask(back, runtime().providers, request.args, runtime().units.clock.now())
    except ProviderFault as fault:
        told = str(fault)
    if not current_user.is_authenticated:
        raise SignInRefused(sign_ons.GONE)
    who = entrances.by_session(door, sessions.token(), back.way.slug)
    if who is None or who.user_id != back.flow.user_id:
        raise SignInRefused(sign_ons.GONE)
    unit = entrances.enter_tenant(door, who, Home.ACCOUNT, origin=origin())
    trials.note_trial(unit, Trial(told) if isinstance(told, str) else trials.judge(unit, told))
    unit.commit()
    return redirect(url_for("connections.show", slug=back.way.slug, _anchor="test"), 303)
