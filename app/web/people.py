"""People: who belongs to the tenant, in which role, what each may do and why; removing somebody, leaving."""

from types import SimpleNamespace
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import DateField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import Optional

from app.core.errors import Conflict, Invalid, MalformedRequest
from app.core.permissions import Permission, Role
from app.db.units import Home, Unit
from app.models.accounts import Membership
from app.services import authorities, explanations, extras, invitations, memberships
from app.services.access import may
from app.serving.forms import Form
from app.serving.words import words
from app.web.listings import ROWS, listing
from app.web.presentation import scope
from app.web.repeats import RepeatForm
from app.web.routing import tenant_blueprint, tenant_page

blueprint = tenant_blueprint("people", __name__)
FILTERS = ("q", "role")
SUMMARIES = {
    Role.OWNER: "everything, ownership and plan included",
    Role.ADMIN: "everything but ownership and plan",
    Role.OPERATOR: "scans, findings and assets",
    Role.VIEWER: "sees, changes nothing",
    Role.AUDITOR: "sees all, with the audit log; changes nothing",
}


class RoleForm(Form):
    """A member's role."""

    role = SelectField("Role")


class ExtraForm(Form):
    """A permission beside the role's."""

    permission = SelectField("Permission")
    last_day = DateField("Last day", [Optional()])
    reason = StringField("Reason")


class RemovalForm(RepeatForm):
    """The address typed once more, and why."""

    name = StringField("E-mail address of the member")
    reason = StringField("Reason")


class LeaveForm(RepeatForm):
    """The tenant's short name, typed."""

    name = StringField("Short name of the tenant")


def role_choices(roles: list[Role]) -> list[SelectChoice]:
    """Return roles as a form offers them, the least first."""
    return [SelectChoice(str(role), f"{words(role)}: {SUMMARIES[role]}") for role in reversed(roles)]


@tenant_page(blueprint, "/people", Permission.PEOPLE_READ, home=Home.ACCOUNT)
def index(unit: Unit) -> str:
    search, given = (request.args.get("q") or "").strip()[:100], request.args.get("role")
    if given and given not in set(Role):
        raise MalformedRequest("role must be one of " + ", ".join(Role))
    role = Role(given) if given else None
    page = memberships.list_members(unit, search=search or None, role=role, cursor=request.args.get("after"), size=ROWS)
    seen = memberships.last_seen(unit, [member.user_id for member in page.rows])
    rows = [_row(unit, member, seen.get(member.user_id)) for member in page.rows]
    shown = listing(rows, page, FILTERS)
    return render_template("people/index.html", **shown, roles=_roles(), invited=invitations.count_open(unit))


def _roles() -> list[tuple[str, str]]:
    return [(str(role), words(role)) for role in Role]


def _row(unit: Unit, member: Membership, seen: object) -> SimpleNamespace:
    names = ("user_id", "email", "name", "role", "created_at", "beyond_plan")
    own = unit.actor.id == member.user_id
    return SimpleNamespace(**{name: getattr(member, name) for name in names}, seen_at=seen, own=own)


@tenant_page(blueprint, "/people/<uuid:user_id>", Permission.PEOPLE_READ, home=Home.ACCOUNT)
def show(unit: Unit, user_id: UUID) -> str:
    member = memberships.get_member(unit, user_id)
    return _page(unit, member)


def _page(
    unit: Unit, member: Membership, *, role_form: RoleForm | None = None, extra_form: ExtraForm | None = None
) -> str:
    seen = memberships.last_seen(unit, [member.user_id]).get(member.user_id)
    own = unit.actor.id == member.user_id
    manages = may(unit, Permission.PEOPLE_WRITE) and not own and authorities.may_manage(unit, member.role)
    source = explanations.source_of(unit, member.user_id)
    ruled = source is not None and source.group is not None
    return render_template(
        "people/show.html",
        member=_row(unit, member, seen),
        manages=manages,
        source=source,
        ending=memberships.what_ends(unit, member.user_id),
        extras=extras.list_extras(unit, member.user_id),
        explained=explanations.explain(unit, member.user_id),
        now=unit.now(),
        role_form=(role_form or _role_form(unit, member)) if manages and (role_form or not ruled) else None,
        extra_form=(extra_form or _extra_form(unit, member)) if manages else None,
    )


def _role_form(unit: Unit, member: Membership) -> RoleForm:
    """Return the form with what the actor may give; ownership is offered elsewhere."""
    form = RoleForm(role=member.role)
    givable = [role for role in authorities.givable_roles(unit) if role is not Role.OWNER or member.role == role]
    form.role.choices = role_choices(givable)
    return form


def _extra_form(unit: Unit, member: Membership) -> ExtraForm:
    form = ExtraForm()
    form.permission.choices = [SelectChoice(str(one), scope(one)) for one in extras.grantable(unit, member)]
    return form


@tenant_page(
    blueprint,
    "/people/<uuid:user_id>/role",
    Permission.PEOPLE_WRITE,
    home=Home.ACCOUNT,
    methods=("POST",),
    confirmed=True,
)
def change_role(unit: Unit, user_id: UUID) -> Response | tuple[str, int]:
    """Give the member another role."""
    member = memberships.get_member(unit, user_id)
    form = _role_form(unit, member)
    try:
        if not form.validate():
            return _page(unit, member, role_form=form), 422
        memberships.change_role(unit, user_id, Role(form.role.data))
    except Conflict as error:
        form.blame(error)
        return _page(unit, member, role_form=form), error.status
    flash(f"{member.name} is {words(member.role).lower()} now. It holds from their next click on.", "good")
    return redirect(url_for("people.show", user_id=user_id), 303)


@tenant_page(
    blueprint,
    "/people/<uuid:user_id>/extras",
    Permission.PEOPLE_WRITE,
    home=Home.ACCOUNT,
    methods=("POST",),
    confirmed=True,
)
def grant(unit: Unit, user_id: UUID) -> Response | tuple[str, int]:
    """Grant the member a permission beside their role's."""
    member = memberships.get_member(unit, user_id)
    form = _extra_form(unit, member)
    wanted = form.permission.data or ""
    try:
        if not form.validate():
            return _page(unit, member, extra_form=form), 422
        extras.grant_extra(unit, user_id, wanted, reason=form.reason.data or "", last_day=form.last_day.data)
    except (Invalid, Conflict) as error:
        form.blame(error)
        return _page(unit, member, extra_form=form), error.status
    flash(f"{member.name} has {scope(wanted)} now.", "good")
    return redirect(url_for("people.show", user_id=user_id), 303)


@tenant_page(
    blueprint,
    "/people/<uuid:user_id>/extras/<uuid:extra_id>/end",
    Permission.PEOPLE_WRITE,
    home=Home.ACCOUNT,
    methods=("POST",),
)
def take(unit: Unit, user_id: UUID, extra_id: UUID) -> Response:
    """Take an extra permission away."""
    extra = extras.end_extra(unit, user_id, extra_id)
    flash(f"The extra permission {scope(extra.permission)} has ended.", "good")
    return redirect(url_for("people.show", user_id=user_id), 303)


@tenant_page(blueprint, "/people/<uuid:user_id>/removal", Permission.PEOPLE_WRITE, home=Home.ACCOUNT)
def removal(unit: Unit, user_id: UUID) -> str:
    return _confirm(unit, memberships.get_member(unit, user_id), RemovalForm())


@tenant_page(blueprint, "/people/<uuid:user_id>/removal", Permission.PEOPLE_WRITE, home=Home.ACCOUNT, methods=("POST",))
def remove(unit: Unit, user_id: UUID) -> Response | tuple[str, int]:
    """End the membership of the member whose address was typed."""
    member, form = memberships.get_member(unit, user_id), RemovalForm()
    try:
        if not form.repeats(member.email, f"remove {member.name}", folded=True):
            return _confirm(unit, member, form), 422
        memberships.end_membership(unit, user_id, reason=(form.reason.data or "").strip())
    except (Invalid, Conflict) as error:
        form.blame(error)
        return _confirm(unit, member, form), error.status
    flash(f"{member.name} is no longer a member.", "good")
    return redirect(url_for("people.index"), 303)


def _confirm(unit: Unit, member: Membership, form: RemovalForm) -> str:
    ending = memberships.what_ends(unit, member.user_id)
    return render_template("people/removal.html", member=member, ending=ending, form=form)


@tenant_page(blueprint, "/leave", Permission.OVERVIEW_READ, home=Home.ACCOUNT)
def departure(unit: Unit) -> str:
    return _confirm_leaving(unit, LeaveForm())


@tenant_page(blueprint, "/leave", Permission.OVERVIEW_READ, home=Home.ACCOUNT, methods=("POST",))
def leave(unit: Unit) -> Response | tuple[str, int]:
    """End one's own membership, the tenant's short name being typed."""
    form, slug = LeaveForm(), str((request.view_args or {}).get("slug"))
    own = memberships.own_membership(unit)
    try:
        if not form.repeats(slug, "leave"):
            return _confirm_leaving(unit, form), 422
        memberships.end_membership(unit, own.user_id, reason="left")
    except (Invalid, Conflict) as error:
        form.blame(error)
        return _confirm_leaving(unit, form), error.status
    flash(f"You left {slug}.", "good")
    return redirect(url_for("tenants.index"), 303)


def _confirm_leaving(unit: Unit, form: LeaveForm) -> str:
    own = memberships.own_membership(unit)
    return render_template("people/leave.html", member=own, ending=memberships.what_ends(unit, own.user_id), form=form)
