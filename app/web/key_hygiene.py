"""Key hygiene: what is amiss with the tenant's keys, and several revoked at once."""

from types import SimpleNamespace
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import HiddenField, StringField

from app.core.errors import MalformedRequest
from app.core.ids import parse_id
from app.core.permissions import Permission
from app.db.units import Home, Unit
from app.services import api_keys, key_hygiene
from app.services.key_hygiene import Remark, Trait
from app.web.key_views import shown
from app.web.presentation import scope
from app.web.repeats import RepeatForm
from app.web.routing import tenant_blueprint, tenant_page

blueprint = tenant_blueprint("key_hygiene", __name__)
SHOWN = 12  # of each kind, so that the page stays light

TITLES = {
    Trait.OVERLAP: ("Old secret still in use", "Rotated, but somebody has called with the old secret since."),
    Trait.NEVER_USED: ("Never used", "Issued more than a week ago, and no call yet."),
    Trait.IDLE: ("Idle for 90 days", "Used once, but not within the last 90 days."),
    Trait.UNUSED_SCOPES: ("Unused scopes", "In use, but never for these scopes. Issue a narrower key in its place."),
    Trait.OVER_CEILING: (
        "Beyond the ceiling",
        "Lasts longer than keys may here. A rotation brings it beneath.",
    ),
    Trait.NO_EXPIRY: ("No expiry", "Works until somebody revokes it."),
}


class RevocationsForm(RepeatForm):
    """The words typed, and the ids of the keys, separated by spaces."""

    name = StringField("Words")
    chosen = HiddenField()


@tenant_page(blueprint, "/keys/hygiene", Permission.KEYS_READ, home=Home.ACCOUNT)
def index(unit: Unit) -> str:
    found = key_hygiene.look_over_keys(unit)
    groups = [_group(trait, remarks) for trait, remarks in found.remarks.items() if remarks]
    return render_template("key_hygiene/index.html", groups=groups, looked_at=found.looked_at, more=found.more)


def _group(trait: Trait, remarks: list[Remark]) -> SimpleNamespace:
    title, note = TITLES[trait]
    rows = [
        SimpleNamespace(
            id=remark.key.id,
            name=remark.key.name,
            created_at=remark.key.created_at,
            expires_at=remark.key.expires_at,
            last_used_at=remark.last_used_at,
            detail=", ".join(scope(each) for each in remark.scopes) if trait is Trait.UNUSED_SCOPES else "",
            old_used_at=remark.old_used_at if trait is Trait.OVERLAP else None,
        )
        for remark in remarks[:SHOWN]
    ]
    return SimpleNamespace(name=str(trait), title=title, note=note, rows=rows, count=len(remarks))


@tenant_page(blueprint, "/keys/revocations", Permission.KEYS_WRITE, home=Home.ACCOUNT, confirmed=True)
def revocations(unit: Unit) -> str | Response:
    """Ask whether the chosen keys shall be revoked."""
    ids = _ids(request.args.getlist("key"))
    if not ids:
        flash("Choose the keys first.", "note")
        return redirect(url_for("key_hygiene.index"), 303)
    form = RevocationsForm(formdata=None, chosen=" ".join(str(key_id) for key_id in ids))
    return _confirm(unit, ids, form)


@tenant_page(
    blueprint, "/keys/revocations", Permission.KEYS_WRITE, home=Home.ACCOUNT, methods=("POST",), confirmed=True
)
def revoke(unit: Unit) -> Response | tuple[str, int]:
    """Revoke all of the keys, once the words were typed."""
    form = RevocationsForm()
    ids = _ids((form.chosen.data or "").split())
    if not ids:
        raise MalformedRequest("No keys were chosen.")
    if not form.repeats(_words(ids), "revoke them"):
        return _confirm(unit, ids, form), 422
    revoked = key_hygiene.revoke_keys(unit, ids)
    flash(f"{len(revoked)} key{'' if len(revoked) == 1 else 's'} revoked.", "good")
    return redirect(url_for("key_hygiene.index"), 303)


def _ids(texts: list[str]) -> list[UUID]:
    found = [parse_id(text) for text in texts[: key_hygiene.MOST_REVOKED]]
    if None in found:
        raise MalformedRequest("That is not the id of a key.")
    return list(dict.fromkeys(each for each in found if each is not None))


def _words(ids: list[UUID]) -> str:
    return f"revoke {len(ids)}"


def _confirm(unit: Unit, ids: list[UUID], form: RevocationsForm) -> str:
    keys = shown(unit, [api_keys.get_key(unit, key_id) for key_id in ids])
    return render_template("key_hygiene/revocations.html", keys=keys, form=form, words=_words(ids))
