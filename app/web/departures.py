"""The way to a provider: who we are there, what this browser is known by, the page that leads on."""

from flask import make_response, render_template, session, url_for
from werkzeug.wrappers import Response

from app.core import crypto
from app.services.openid import Client, Provider
from app.serving.runtimes import runtime


def own_client() -> Client | None:
    """Return who we are at the platform's own provider, if it has one."""
    given = runtime().settings
    if given.platform_oidc_issuer is None or given.platform_oidc_client_secret is None:
        return None
    secret = given.platform_oidc_client_secret.get_secret_value()
    back = given.base_url + url_for("sign_ons.platform_callback")
    return Client(given.platform_oidc_issuer, given.platform_oidc_client_id or "", secret, back)


def reach(issuer: str, *, anew: bool = False) -> Provider:
    """Return a provider's metadata, asked for where it is not known. Raises ProviderFault."""
    with runtime().providers.turn(issuer):
        return runtime().providers.provider(issuer, anew=anew)


def browser() -> str:
    """Return the random value that this browser's signed cookie carries, made when it is first asked for."""
    if "browser" not in session:
        session["browser"] = crypto.new_token()
    return str(session["browser"])


def depart(url: str, name: str) -> Response:
    """Lead to another site by a page of ours: a redirect after a form is what our own policy (form-action) refuses."""
    response = make_response(render_template("sign_ons/departure.html", url=url, name=name))
    response.headers["Refresh"] = f"0; url={url}"
    return response
