"""Invitations: sent to one or many, listed while open, sent again, revoked."""

from types import SimpleNamespace
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from flask_wtf.file import FileField
from werkzeug.wrappers import Response
from wtforms import SelectField, TextAreaField

from app.core.errors import Conflict, Invalid, TooManyRequests
from app.core.permissions import Permission, Role
from app.db.units import Home, Unit
from app.models.accounts import Invitation
from app.services import authorities, invitations
from app.serving.forms import Form
from app.web.listings import ROWS, listing
from app.web.people import role_choices
from app.web.routing import tenant_blueprint, tenant_page

blueprint = tenant_blueprint("invitations", __name__)
LARGEST_FILE = 64 * 1024


class InvitationForm(Form):
    """Whom to invite, and to what."""

    addresses = TextAreaField("E-mail addresses")
    file = FileField("CSV file")
    role = SelectField("Role", default=str(Role.VIEWER))


@tenant_page(blueprint, "/people/invitations", Permission.PEOPLE_READ, home=Home.ACCOUNT)
def index(unit: Unit) -> str:
    page = invitations.list_invitations(unit, cursor=request.args.get("after"), size=ROWS)
    rows = [_row(unit, invitation) for invitation in page.rows]
    return render_template("invitations/index.html", **listing(rows, page, ()))


def _row(unit: Unit, invitation: Invitation) -> SimpleNamespace:
    names = ("id", "email", "role", "inviter_label", "sent_at", "expires_at")
    state = "expired" if invitation.expires_at <= unit.now() else "pending"
    manageable = authorities.may_manage(unit, invitation.role)
    return SimpleNamespace(**{n: getattr(invitation, n) for n in names}, state=state, manageable=manageable)


@tenant_page(blueprint, "/people/invitations/new", Permission.PEOPLE_WRITE, home=Home.ACCOUNT)
def new(unit: Unit) -> str:
    return render_template("invitations/new.html", form=_form(unit), most=invitations.MOST_AT_ONCE)


def _form(unit: Unit) -> InvitationForm:
    form = InvitationForm()
    form.role.choices = role_choices(authorities.givable_roles(unit))
    return form


@tenant_page(blueprint, "/people/invitations", Permission.PEOPLE_WRITE, home=Home.ACCOUNT, methods=("POST",))
def create(unit: Unit) -> str | tuple[str, int]:
    """Invite all that are named, and show what became of each."""
    form = _form(unit)
    try:
        if form.validate():
            text = (form.addresses.data or "") + "\n" + _file(form)
            fates = invitations.invite_many(unit, text, Role(form.role.data))
            sent = sum(1 for fate in fates if fate.invitation)
            return render_template("invitations/fates.html", fates=fates, sent=sent)
    except Invalid as error:
        form.blame(error)
    return render_template("invitations/new.html", form=form, most=invitations.MOST_AT_ONCE), 422


def _file(form: InvitationForm) -> str:
    given = form.file.data
    if not given:
        return ""
    sent: bytes = given.read(LARGEST_FILE + 1)
    if len(sent) > LARGEST_FILE:
        raise Invalid(fields={"file": "at most 64 KB"})
    try:
        return sent.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Invalid(fields={"file": "save it as UTF-8 text"}) from None


@tenant_page(
    blueprint,
    "/people/invitations/<uuid:invitation_id>/resend",
    Permission.PEOPLE_WRITE,
    home=Home.ACCOUNT,
    methods=("POST",),
)
def resend(unit: Unit, invitation_id: UUID) -> Response:
    """Mail another link."""
    try:
        invitation = invitations.resend_invitation(unit, invitation_id)
        flash(f"Another link is on its way to {invitation.email}. The one before is void.", "good")
    except (Conflict, TooManyRequests) as error:
        flash(error.detail, "warn")
    return redirect(url_for("invitations.index"), 303)


@tenant_page(
    blueprint,
    "/people/invitations/<uuid:invitation_id>/revocation",
    Permission.PEOPLE_WRITE,
    home=Home.ACCOUNT,
    methods=("POST",),
)
def revoke(unit: Unit, invitation_id: UUID) -> Response:
    """Void an invitation."""
    try:
        invitation = invitations.revoke_invitation(unit, invitation_id)
        flash(f"The invitation of {invitation.email} was revoked; its link opens nothing.", "good")
    except Conflict as error:
        flash(error.detail, "warn")
    return redirect(url_for("invitations.index"), 303)
