"""Settings of how a tenant's people sign in."""

from flask import render_template

from app.core.permissions import Permission
from app.db.units import Home, Unit
from app.services import connections, email_domains, policies, provisionings
from app.services.plans import Feature, has_feature
from app.web.routing import tenant_blueprint, tenant_page

blueprint = tenant_blueprint("sign_ins", __name__)


@tenant_page(blueprint, "/sign-in", Permission.SIGN_IN_READ, home=Home.ACCOUNT)
def show(unit: Unit) -> str:
    return render_template(
        "sign_ins/show.html",
        connection=connections.find_connection(unit),
        domains=email_domains.list_domains(unit),
        sso_required=connections.sso_is_required(unit),
        policy=policies.get_policy(unit),
        people=policies.conformity(unit),
        offered=has_feature(unit, Feature.SSO),
        provisioning=provisionings.standing(unit),
    )
