"""Settings, sign-in: asking members for a second factor, or no more."""

from flask import flash, redirect, render_template, url_for
from werkzeug.wrappers import Response
from wtforms import HiddenField

from app.core.permissions import Permission
from app.db.units import Home, Unit
from app.services import policies
from app.serving.forms import Form
from app.web.routing import tenant_blueprint, tenant_page
from app.web.sessions import visitor

blueprint = tenant_blueprint("policies", __name__)


class FactorForm(Form):
    """Whether a second factor is asked for: yes or no."""

    required = HiddenField()


@tenant_page(blueprint, "/sign-in/factor", Permission.SIGN_IN_WRITE, home=Home.ACCOUNT, confirmed=True)
def factor(unit: Unit) -> str:
    """Say what the change does."""
    required = policies.get_policy(unit).mfa_required
    form = FactorForm(required="no" if required else "yes")
    return render_template("policies/factor.html", form=form, required=required, people=policies.conformity(unit))


@tenant_page(
    blueprint, "/sign-in/factor", Permission.SIGN_IN_WRITE, home=Home.ACCOUNT, methods=("POST",), confirmed=True
)
def ask_factor(unit: Unit) -> Response:
    """Ask for a second factor from now on, or no more."""
    wanted = FactorForm().required.data == "yes"
    ended = policies.require_factor(unit, wanted, conforms=_conforms(unit))
    if wanted:
        flash(f"A second factor is asked for from now on. {ended} session{'' if ended == 1 else 's'} ended.", "good")
    else:
        flash("A second factor is no longer asked for.", "warn")
    return redirect(url_for("sign_ins.show"), 303)


def _conforms(unit: Unit) -> bool:
    who = visitor()
    return who is not None and (who.proof.strong_at is not None or who.proof.sso_tenant_id == unit.tenant_id)
