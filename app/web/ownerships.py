"""Ownership: offered to a member from their page, accepted or refused by them, withdrawn by an owner."""

from uuid import UUID

from flask import flash, redirect, render_template, url_for
from werkzeug.wrappers import Response
from wtforms import SelectField, StringField
from wtforms.fields.choices import SelectChoice

from app.core.errors import Conflict, Invalid, TooManyRequests
from app.core.permissions import Permission
from app.db.units import Home, Unit
from app.services import memberships, ownerships
from app.web.repeats import RepeatForm
from app.web.routing import tenant_blueprint, tenant_page

blueprint = tenant_blueprint("ownerships", __name__)
OFFER = "/people/<uuid:user_id>/ownership"


class OfferForm(RepeatForm):
    """The address typed once more, and what one becomes oneself."""

    name = StringField("E-mail address of the member")
    after = SelectField(
        "Afterwards you are",
        choices=[SelectChoice("admin", "an admin: the ownership changes hands"), SelectChoice("owner", "an owner too")],
    )


@tenant_page(blueprint, "/ownership", Permission.OVERVIEW_READ, home=Home.ACCOUNT)
def show(unit: Unit) -> str:
    """Show the open offer to an owner and to whom it is made; to others, that there is none for them."""
    offer = ownerships.open_offer(unit)
    mine = offer is not None and offer.taker_id == unit.actor.id
    return render_template("ownerships/show.html", offer=offer, mine=mine)


@tenant_page(blueprint, OFFER, Permission.OWNERSHIP_WRITE, home=Home.ACCOUNT, confirmed=True)
def new(unit: Unit, user_id: UUID) -> str:
    member = memberships.get_member(unit, user_id)
    return render_template("ownerships/new.html", member=member, form=OfferForm())


@tenant_page(blueprint, OFFER, Permission.OWNERSHIP_WRITE, home=Home.ACCOUNT, methods=("POST",), confirmed=True)
def create(unit: Unit, user_id: UUID) -> Response | tuple[str, int]:
    """Make the offer and mail it."""
    member, form = memberships.get_member(unit, user_id), OfferForm()
    try:
        if not form.repeats(member.email, "offer it", folded=True):
            return render_template("ownerships/new.html", member=member, form=form), 422
        ownerships.offer_ownership(unit, user_id, steps_down=form.after.data == "admin")
    except (Invalid, Conflict, TooManyRequests) as error:
        form.blame(error)
        return render_template("ownerships/new.html", member=member, form=form), error.status
    flash(f"{member.name} was told by mail. Nothing changes until they accept.", "good")
    return redirect(url_for("ownerships.show"), 303)


@tenant_page(blueprint, "/ownership/acceptance", Permission.OVERVIEW_READ, home=Home.ACCOUNT, methods=("POST",))
def accept(unit: Unit) -> Response:
    """Become an owner."""
    try:
        ownerships.accept_ownership(unit)
        flash("You are an owner now.", "good")
    except Conflict as error:
        flash(error.detail, "warn")
    return redirect(url_for("overviews.show"), 303)


@tenant_page(blueprint, "/ownership/refusal", Permission.OVERVIEW_READ, home=Home.ACCOUNT, methods=("POST",))
def refuse(unit: Unit) -> Response:
    """Refuse what is offered."""
    ownerships.refuse_ownership(unit)
    flash("The offer was refused. Your role stays as it is.", "good")
    return redirect(url_for("overviews.show"), 303)


@tenant_page(blueprint, "/ownership/withdrawal", Permission.OWNERSHIP_WRITE, home=Home.ACCOUNT, methods=("POST",))
def withdraw(unit: Unit) -> Response:
    """Withdraw the open offer."""
    ownerships.withdraw_offer(unit)
    flash("The offer was withdrawn.", "good")
    return redirect(url_for("ownerships.show"), 303)
