"""What pages with passkeys share: the challenge goes to the page's script, its handle stays in the signed cookie."""

from uuid import UUID

from flask import Response, session
from wtforms import HiddenField

from app.db.passkeys import KnownPasskey
from app.services import passkeys
from app.services.passkeys import Begun, Ceremony, Site
from app.serving.forms import Form
from app.serving.requests import origin
from app.serving.runtimes import runtime
from app.web.routing import Doorway


class PasskeyForm(Form):
    """The authenticator's answer, which the script fills in; `next` is the page that was asked for."""

    credential = HiddenField()
    next = HiddenField()


def site() -> Site:
    """Return whom passkeys are made for."""
    return passkeys.site_of(runtime().settings.base_url)


def answer(begun: Begun) -> Response:
    """Give the script its options, and the browser the handle of the challenge."""
    session["challenge"] = begun.handle
    return Response(begun.options, mimetype="application/json")


def ceremony(purpose: str, bound: str = "") -> Ceremony:
    """Return what the answer in a form is for; its challenge is spent with this."""
    return Ceremony(purpose, str(session.pop("challenge", "")), bound)


def shown(door: Doorway, given: Ceremony, form: PasskeyForm, user_id: UUID | None = None) -> KnownPasskey:
    """Return whose passkey the form shows. Raises WrongPasskey, TooManyRequests."""
    return passkeys.check(door, given, form.credential.data or "", user_id=user_id, site=site(), origin=origin())
