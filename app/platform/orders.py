"""What the forms of orders share: the order is put on record, or the form is shown again with what is wrong."""

from collections.abc import Callable

from flask import flash, redirect
from werkzeug.wrappers import Response
from wtforms import StringField

from app.core.errors import Conflict, Invalid
from app.db.units import Doorway
from app.platform.routing import member
from app.services import staff
from app.services.staff import Wish
from app.serving.forms import Form
from app.serving.requests import origin


class ReasonForm(Form):
    """Why; orders that need more add to it."""

    reason = StringField("Reason")


def give(
    door: Doorway, form: ReasonForm, wish: Callable[[], Wish], again: Callable[[], str], *, told: str, back: str
) -> Response | tuple[str, int]:
    """Order what the form asks for and go `back`; `again` is its page, where `wish` or the services refuse it."""
    try:
        staff.order(door, member(), wish(), origin=origin())
    except (Invalid, Conflict) as error:
        form.blame(error)
        return again(), error.status
    flash(told, "good")
    return redirect(back, 303)
