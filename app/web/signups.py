"""Signing up: a person and a tenant in one go."""

from flask import Blueprint, render_template, request
from wtforms import PasswordField, StringField

from app.core.errors import Invalid
from app.services import accounts, tokens
from app.services.accounts import Signup
from app.serving.forms import Form
from app.serving.requests import origin
from app.serving.runtimes import runtime
from app.serving.timing import level_off
from app.web.routing import Doorway, public_page

blueprint = Blueprint("signups", __name__)


class SignupForm(Form):
    """Who one is, and what the tenant is called."""

    company = StringField("Company")
    slug = StringField("Short name")
    name = StringField("Your name")
    email = StringField("E-mail")
    password = PasswordField("Password")


@public_page(blueprint, "/signup")
def new(_door: Doorway) -> str:
    return _form(SignupForm())


@public_page(blueprint, "/signup", methods=("POST",))
def create(door: Doorway) -> tuple[str, int]:
    """Make the tenant and mail the link that leads into it, or tell the holder of an address that has an account.

    Both are answered alike, and neither sooner than the other.
    """
    form = SignupForm()
    if not form.validate():
        return _form(form), 422
    typed = Signup(*(form[n].data or "" for n in ("company", "slug", "name", "email", "password")))
    try:
        unit = tokens.register(door, typed, master_key=runtime().master_key, origin=origin())
    except Invalid as error:
        form.blame(error)
        return _form(form), 422
    (unit or door).commit()
    level_off()
    return render_template("signups/sent.html"), 202


@public_page(blueprint, "/signup/slug")
def slug(door: Doorway) -> str:
    """Tell whether a slug can be had, as it is typed."""
    return render_template("signups/_slug.html", slug_state=_slug_state(door, request.args.get("slug", "")))


def _slug_state(door: Doorway, typed: str) -> str | None:
    if not typed:
        return None
    problem = accounts.check_slug(door, typed)
    return {None: "free", "already taken": "taken"}.get(problem, problem)


def _form(form: SignupForm) -> str:
    return render_template("signups/new.html", form=form, slug_state=None)
