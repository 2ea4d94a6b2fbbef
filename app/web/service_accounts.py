"""Service accounts: listed, made, changed, disabled, enabled, deleted."""

from types import SimpleNamespace
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import SelectMultipleField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.widgets import CheckboxInput, ListWidget

from app.core.errors import Invalid, PermissionDenied
from app.core.permissions import KEY_SCOPES, Permission
from app.db.units import Home, Unit
from app.models.accounts import ServiceAccount
from app.services import service_accounts
from app.serving.forms import Form
from app.web.key_views import shown
from app.web.keys import NOTES
from app.web.listings import ROWS
from app.web.presentation import scope
from app.web.repeats import RepeatForm
from app.web.routing import tenant_blueprint, tenant_page

blueprint = tenant_blueprint("service_accounts", __name__)
PLACE = "/service-accounts/<uuid:account_id>"
WRITE = Permission.KEYS_WRITE


class AccountForm(Form):
    """What a service account is called and what bounds its keys."""

    name = StringField("Name")
    permissions = SelectMultipleField(
        "Permissions",
        choices=[SelectChoice(str(each), scope(each)) for each in KEY_SCOPES],
        widget=ListWidget(),
        option_widget=CheckboxInput(),
    )


class NameForm(RepeatForm):
    """The name typed once more."""

    name = StringField("Name of the service account")


@tenant_page(blueprint, "/service-accounts", Permission.KEYS_READ, home=Home.ACCOUNT)
def index(unit: Unit) -> str:
    page = service_accounts.list_accounts(unit, cursor=request.args.get("after"), size=ROWS)
    keys = service_accounts.keys_in_force(unit, [account.id for account in page.rows])
    rows = [_shown(account, keys.get(account.id, 0)) for account in page.rows]
    return render_template("service_accounts/index.html", rows=rows, older=page.next_cursor)


def _shown(account: ServiceAccount, keys: int) -> SimpleNamespace:
    names = ("id", "name", "permissions", "maker_label", "created_at", "disabled_at")
    state = "disabled" if account.disabled_at else "active"
    return SimpleNamespace(**{name: getattr(account, name) for name in names}, state=state, keys=keys)


@tenant_page(blueprint, "/service-accounts/new", WRITE, home=Home.ACCOUNT, confirmed=True)
def new(_unit: Unit) -> str:
    return render_template("service_accounts/new.html", form=AccountForm(), notes=NOTES)


@tenant_page(blueprint, "/service-accounts", WRITE, home=Home.ACCOUNT, methods=("POST",), confirmed=True)
def create(unit: Unit) -> Response | tuple[str, int]:
    form = AccountForm()
    if not form.validate():
        return render_template("service_accounts/new.html", form=form, notes=NOTES), 422
    try:
        made = service_accounts.create_account(unit, name=form.name.data or "", permissions=form.permissions.data or [])
    except (Invalid, PermissionDenied) as error:
        form.blame(error)
        return render_template("service_accounts/new.html", form=form, notes=NOTES), error.status
    flash(f"{made.name} was made. Issue a key for it next.", "good")
    return redirect(url_for("service_accounts.show", account_id=made.id), 303)


@tenant_page(blueprint, PLACE, Permission.KEYS_READ, home=Home.ACCOUNT)
def show(unit: Unit, account_id: UUID) -> str:
    account = service_accounts.get_account(unit, account_id)
    return _page(unit, account, AccountForm(name=account.name, permissions=account.permissions))


@tenant_page(blueprint, PLACE, WRITE, home=Home.ACCOUNT, methods=("POST",))
def change(unit: Unit, account_id: UUID) -> Response | tuple[str, int]:
    """Give the account another name and other permissions."""
    form = AccountForm()
    account = service_accounts.get_account(unit, account_id)
    if not form.validate():
        return _page(unit, account, form), 422
    try:
        service_accounts.change_account(
            unit, account_id, name=form.name.data or "", permissions=form.permissions.data or []
        )
    except (Invalid, PermissionDenied) as error:
        form.blame(error)
        return _page(unit, account, form), error.status
    flash(f"{account.name} was changed. It holds for its keys from the next call on.", "good")
    return redirect(url_for("service_accounts.show", account_id=account_id), 303)


def _page(unit: Unit, account: ServiceAccount, form: AccountForm) -> str:
    number = service_accounts.keys_in_force(unit, [account.id]).get(account.id, 0)
    keys = shown(unit, service_accounts.keys_of_account(unit, account.id))
    return render_template(
        "service_accounts/show.html", account=_shown(account, number), keys=keys, form=form, notes=NOTES
    )


@tenant_page(blueprint, PLACE + "/disabling", WRITE, home=Home.ACCOUNT, methods=("POST",))
def disable(unit: Unit, account_id: UUID) -> Response:
    account = service_accounts.disable_account(unit, account_id)
    flash(f"{account.name} is disabled: its keys are refused until you enable it.", "good")
    return redirect(url_for("service_accounts.show", account_id=account_id), 303)


@tenant_page(blueprint, PLACE + "/enabling", WRITE, home=Home.ACCOUNT, methods=("POST",))
def enable(unit: Unit, account_id: UUID) -> Response:
    account = service_accounts.enable_account(unit, account_id)
    flash(f"{account.name} is enabled: its keys work again.", "good")
    return redirect(url_for("service_accounts.show", account_id=account_id), 303)


@tenant_page(blueprint, PLACE + "/deletion", WRITE, home=Home.ACCOUNT, confirmed=True)
def deletion(unit: Unit, account_id: UUID) -> str:
    return _confirm(unit, account_id, NameForm())


@tenant_page(blueprint, PLACE + "/deletion", WRITE, home=Home.ACCOUNT, methods=("POST",), confirmed=True)
def delete(unit: Unit, account_id: UUID) -> Response | tuple[str, int]:
    """Delete the account whose name was typed."""
    form = NameForm()
    account = service_accounts.get_account(unit, account_id)
    if not form.repeats(account.name, "delete it"):
        return _confirm(unit, account_id, form), 422
    ended = service_accounts.delete_account(unit, account_id)
    flash(f"{account.name} was deleted; {ended} of its keys {'was' if ended == 1 else 'were'} revoked.", "good")
    return redirect(url_for("service_accounts.index"), 303)


def _confirm(unit: Unit, account_id: UUID, form: NameForm) -> str:
    account = service_accounts.get_account(unit, account_id)
    number = service_accounts.keys_in_force(unit, [account.id]).get(account.id, 0)
    return render_template("service_accounts/deletion.html", account=_shown(account, number), form=form)
