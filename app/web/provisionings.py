"""Provisioning by SCIM: where the identity provider sends, whom it has sent, which group gives which role."""

from types import SimpleNamespace
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import StringField

from app.core.errors import Conflict, FeatureMissing, Invalid
from app.core.permissions import Permission
from app.db.units import Home, Unit
from app.services import provisioned_groups, provisionings, scim_tokens
from app.services.email_domains import count_proven
from app.services.group_roles import MAPPED
from app.serving.runtimes import runtime
from app.web.listings import ROWS, listing
from app.web.repeats import RepeatForm
from app.web.routing import tenant_blueprint, tenant_page

blueprint = tenant_blueprint("provisionings", __name__)
PLACE = "/sign-in/provisioning"


class HintForm(RepeatForm):
    """The beginning of the token typed once more."""

    name = StringField("Beginning of the token")


@tenant_page(blueprint, PLACE, Permission.SIGN_IN_READ, home=Home.ACCOUNT)
def show(unit: Unit) -> str:
    page = provisionings.list_groups(unit, cursor=request.args.get("after"), size=ROWS)
    members = provisioned_groups.count_members(unit, [group.id for group in page.rows])
    groups = [
        SimpleNamespace(id=group.id, name=group.display_name, role=group.role or "", members=members.get(group.id, 0))
        for group in page.rows
    ]
    return render_template(
        "provisionings/show.html",
        **listing(groups, page, ()),
        standing=provisionings.standing(unit),
        address=f"{runtime().settings.base_url}/scim/v2",
        roles=[str(role) for role in MAPPED],
        domains=count_proven(unit),
    )


@tenant_page(blueprint, f"{PLACE}/people", Permission.SIGN_IN_READ, home=Home.ACCOUNT)
def people(unit: Unit) -> str:
    page = provisionings.list_people(unit, cursor=request.args.get("after"), size=ROWS)
    rows = [
        SimpleNamespace(
            id=row.person.id,
            user_name=row.person.user_name,
            address=row.person.address,
            external_id=row.person.external_id,
            changed_at=row.person.changed_at,
            role=row.role,
        )
        for row in page.rows
    ]
    return render_template("provisionings/people.html", **listing(rows, page, ()))


@tenant_page(
    blueprint, f"{PLACE}/tokens", Permission.SIGN_IN_WRITE, home=Home.ACCOUNT, methods=("POST",), confirmed=True
)
def issue(unit: Unit) -> Response | str:
    """Issue a token and show it, this once: hence no redirect."""
    try:
        issued = scim_tokens.issue_token(unit, pepper=runtime().pepper)
    except (Conflict, FeatureMissing) as error:
        flash(error.detail, "warn")
        return redirect(url_for("provisionings.show"), 303)
    address = f"{runtime().settings.base_url}/scim/v2"
    curl = f"curl '{address}/Users?count=1' \\\n  -H 'Authorization: Bearer {issued.secret}'"
    return render_template("provisionings/created.html", address=address, secret=issued.secret, curl=curl)


@tenant_page(blueprint, f"{PLACE}/tokens/<uuid:scim_token_id>", Permission.SIGN_IN_WRITE, home=Home.ACCOUNT)
def revocation(unit: Unit, scim_token_id: UUID) -> str:
    return _confirm(unit, scim_token_id, HintForm())


@tenant_page(
    blueprint,
    f"{PLACE}/tokens/<uuid:scim_token_id>",
    Permission.SIGN_IN_WRITE,
    home=Home.ACCOUNT,
    methods=("POST",),
    confirmed=True,
)
def revoke(unit: Unit, scim_token_id: UUID) -> Response | tuple[str, int]:
    """Revoke the token whose beginning was typed."""
    form = HintForm()
    token = scim_tokens.get_token(unit, scim_token_id)
    if not form.repeats(token.hint, "revoke it"):
        return _confirm(unit, scim_token_id, form), 422
    scim_tokens.revoke_token(unit, scim_token_id)
    flash(f"{token.hint}… was revoked.", "good")
    return redirect(url_for("provisionings.show"), 303)


def _confirm(unit: Unit, token_id: UUID, form: HintForm) -> str:
    return render_template("provisionings/revocation.html", token=scim_tokens.get_token(unit, token_id), form=form)


@tenant_page(
    blueprint,
    f"{PLACE}/groups/<uuid:scim_group_id>",
    Permission.SIGN_IN_WRITE,
    home=Home.ACCOUNT,
    methods=("POST",),
    confirmed=True,
)
def map_role(unit: Unit, scim_group_id: UUID) -> Response:
    """Let a group give another role, or none."""
    role = request.form.get("role", "") or None
    group = provisioned_groups.get(unit, scim_group_id)
    try:
        changed = provisioned_groups.map_role(unit, scim_group_id, role)
    except Invalid as error:
        flash("; ".join(error.fields.values()), "bad")
        return redirect(url_for("provisionings.show"), 303)
    gives = f"gives the role {role}" if role else "gives no role"
    flash(f"{group.display_name} {gives}. Roles that changed: {changed:,}.", "good")
    return redirect(url_for("provisionings.show"), 303)
