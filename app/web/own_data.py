"""One's own data as a file, and the end of one's account."""

import json

from flask import Blueprint, flash, redirect, render_template, url_for
from werkzeug.wrappers import Response
from wtforms import StringField

from app.core.errors import Conflict, Invalid
from app.db.people import Account
from app.services import own_data, profiles
from app.serving.forms import Form
from app.serving.requests import origin
from app.web import sessions
from app.web.routing import Doorway, personal_page

blueprint = Blueprint("own_data", __name__)


class AddressForm(Form):
    """The account's address, typed once more."""

    name = StringField("Your address")


@personal_page(blueprint, "/account/data", confirmed=True)
def download(door: Doorway) -> Response:
    """Answer all that is kept about the person, as a file."""
    token = sessions.token()
    told = own_data.export(door, token, profiles.account_of(door, token))
    answer = Response(json.dumps(told, indent=1, ensure_ascii=False) + "\n", mimetype="application/json")
    answer.headers["Content-Disposition"] = 'attachment; filename="sentinel-my-data.json"'
    return answer


@personal_page(blueprint, "/account/deletion", confirmed=True)
def deletion(door: Doorway) -> str:
    return _page(door, profiles.account_of(door, sessions.token()), AddressForm())


@personal_page(blueprint, "/account/deletion", methods=("POST",), confirmed=True)
def delete(door: Doorway) -> Response | tuple[str, int]:
    """Delete the account whose address was typed."""
    form = AddressForm()
    account = profiles.account_of(door, sessions.token())
    try:
        if form.validate():
            own_data.erase(door, account, form.name.data or "", origin=origin())
            sessions.end()
            flash("Your account was deleted.", "good")
            return redirect(url_for("logins.new"), 303)
    except (Invalid, Conflict) as error:
        form.blame(error)
    return _page(door, account, form), 422


def _page(door: Doorway, account: Account, form: AddressForm) -> str:
    tenants = own_data.belongings(door, account, origin=origin())
    held = [one for one in tenants if one.held]
    return render_template("own_data/deletion.html", account=account, form=form, tenants=tenants, held=held)
