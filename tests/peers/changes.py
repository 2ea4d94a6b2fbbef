"""Every route that changes something, with a request that does: by endpoint, in an order in which each one works."""

from collections.abc import Callable
from uuid import UUID

from werkzeug.test import TestResponse

from app.core.permissions import Role
from app.db.units import Home
from app.models.accounts import ExtraPermission
from app.services import email_domains, extras, plan_requests, trials
from app.services.trials import Trial
from tests.peers.federations import come_in, find_record, mailed_link
from tests.peers.members import make_person, user_of
from tests.peers.programs import make_workspace
from tests.peers.stages import SOMEBODY_NEW, Stage, mark
from tests.peers.tenants import make_tenant

Drive = Callable[[Stage], TestResponse]
NEW_PASSWORD = "an orchard behind the old harbour"


def _site(s: Stage) -> dict[str, object]:
    return {"name": "Site", "address": f"https://{mark()}.example.com/"}


def _domain(s: Stage) -> tuple[UUID, str]:
    with s.made.unit(Home.ACCOUNT) as unit:
        added = email_domains.add_domain(unit, f"{mark()}.example")
        unit.commit()
        return added.id, added.domain


def _rotated(s: Stage) -> UUID:
    key_id = s.key()
    assert s.page(f"/keys/{key_id}/rotation", overlap="24").status_code == 200
    return key_id


def _extra(s: Stage) -> str:
    member = s.member()
    with s.made.unit(Home.ACCOUNT) as unit:
        extra: ExtraPermission = extras.grant_extra(unit, user_of(member), "tenant:audit:read", reason="tests")
        unit.commit()
        return f"/people/{user_of(member)}/extras/{extra.id}"


def _grant(s: Stage) -> TestResponse:
    where = f"/people/{user_of(s.member())}/extras"
    return s.page(where, permission="tenant:audit:read", reason="tests")


def _remove(s: Stage) -> TestResponse:
    member = s.member()
    return s.page(f"/people/{user_of(member)}/removal", name=member.email, reason="tests")


def _offer(s: Stage) -> TestResponse:
    taker = s.member(Role.ADMIN)
    return s.page(f"/people/{user_of(taker)}/ownership", name=taker.email, after="owner")


def _tested(s: Stage) -> TestResponse:
    with s.made.unit(Home.ACCOUNT) as unit:
        domain_id = email_domains.add_domain(unit, s.made.email.partition("@")[2]).id
        trials.note_trial(unit, Trial(None, email=s.made.email))
        unit.commit()
    find_record(s.made, s.worker_units, domain_id)
    return s.page("/sign-in/connection/activation")


def _link(s: Stage) -> TestResponse:
    person = s.kept["linked"] = s.stranger()
    assert come_in(person, s.peer, "sub-owner", s.made.email).location == "/sso/link"
    person.get("/sso/link")
    s.actor = s.made.actor.id
    answer = s.own("/sso/link", person, password=s.made.password)
    person.get(f"/t/{s.made.slug}/sign-in")
    return answer


def _mailed_link(s: Stage) -> TestResponse:
    made, person = make_tenant(s.made.units, email=f"{mark()}@{s.made.email.partition('@')[2]}"), s.stranger()
    assert come_in(person, s.peer, f"sub-{made.slug}", made.email).location == "/sso/link"
    path, s.actor = mailed_link(person, s.worker_units, made.email), made.actor.id
    person.get(path)
    return person.post(path)


def _allowed(s: Stage) -> TestResponse:
    return s.page("/sign-in/connection/requirement/withdrawal", s.kept["linked"])


def _joined(s: Stage) -> TestResponse:
    path, person = s.invitation_link(f"{mark()}@example.com"), s.stranger()
    person.get(path)
    s.actor = SOMEBODY_NEW
    return person.post(f"{path}/account", {"name": "Nina", "password": NEW_PASSWORD})


def _accepted(s: Stage) -> TestResponse:
    made = make_person(s.made)
    path, person = s.invitation_link(made.email), s.sign_in(made)
    person.get(path)
    return person.post(path)


def _linked(s: Stage, purpose: str, **form: object) -> TestResponse:
    person, path = s.stranger(), s.link(purpose, s.member())
    person.get(path)
    return person.post(path, form)


def _verified(s: Stage) -> TestResponse:
    made, person = s.member(), s.stranger()
    path = s.link("verification", made)
    person.get(path)
    return person.post(path, {"password": made.password})


def _signed_up(s: Stage) -> TestResponse:
    person, slug = s.stranger(), mark()
    person.get("/signup")
    form = {"company": "New", "slug": slug, "name": "Nora", "email": f"{slug}@example.com", "password": NEW_PASSWORD}
    return _new_tenant(s, slug, person.post("/signup", dict(form)))


def _registered(s: Stage) -> TestResponse:
    slug = mark()
    user = {"email": f"{slug}@example.com", "name": "Nora", "password": NEW_PASSWORD}
    told = {"user": user, "tenant": {"name": "New", "slug": slug}}
    return _new_tenant(s, slug, s.public("/api/v1/auth/register", **told))


def _registered_organization(s: Stage) -> TestResponse:
    slug = mark()
    told = {"email": f"{slug}@example.com", "full_name": "Nora", "org_name": "New", "org_slug": slug}
    return _new_tenant(s, slug, s.public("/auth/register", **told, password=NEW_PASSWORD))


def _new_tenant(s: Stage, slug: str, answer: TestResponse) -> TestResponse:
    """Look for the event in the log of the tenant that was just made."""
    row = s.outside.execute("SELECT tenant_id FROM auth.tenants WHERE slug = %s", [slug]).fetchone()
    assert row is not None, answer.text
    s.tenant, s.actor = row[0], SOMEBODY_NEW
    return answer


def _issued(s: Stage) -> TestResponse:
    pair = s.public("/auth/login", email=s.made.email, password=s.made.password, tenant=s.made.slug).json or {}
    s.actor, told = s.made.actor.id, {"name": "CI", "scopes": ["tenant:scans:read"]}
    headers = {"Authorization": f"Bearer {pair['access_token']}"}
    return s.program.ask("POST", "/api/v1/api-keys", headers=headers, json=told)


def _program_in(s: Stage, path: str) -> TestResponse:
    s.actor = s.made.actor.id
    return s.public(path, email=s.made.email, password=s.made.password, tenant=s.made.slug)


def _program_out(s: Stage, path: str) -> TestResponse:
    token = (s.public("/auth/login", email=s.made.email, password=s.made.password, tenant=s.made.slug).json or {})[
        "refresh_token"
    ]
    s.actor = s.made.actor.id
    return s.public(path, refresh_token=token)


def _changed_password(s: Stage) -> TestResponse:
    member = s.member()
    person = s.sign_in(member)
    return s.own("/account/password", person, current=member.password, new=NEW_PASSWORD)


def _changing_email(s: Stage) -> TestResponse:
    return s.own("/account/email", email=f"{mark()}@example.com", password=s.made.password)


def _end_session(s: Stage) -> TestResponse:
    s.sign_in(s.made)
    other = s.one("SELECT id FROM auth.sessions WHERE user_id = %s ORDER BY created_at DESC LIMIT 1")
    return s.own(f"/account/sessions/{other}/end")


def _end_sessions(s: Stage) -> TestResponse:
    s.sign_in(s.made)
    return s.own("/account/sessions/end")


def _remove_passkey(s: Stage) -> TestResponse:
    passkey = s.one("SELECT id FROM auth.passkeys WHERE user_id = %s")
    return s.own(f"/account/passkeys/{passkey}/removal")


def _deleted(s: Stage) -> TestResponse:
    member = s.member()
    return s.own("/account/deletion", s.sign_in(member), name=member.email)


def _left(s: Stage) -> TestResponse:
    return s.page("/leave", s.sign_in(s.member()), name=s.made.slug)


def _request_id(s: Stage) -> UUID:
    with s.made.unit(Home.ACCOUNT) as unit:
        made = plan_requests.pending_request(unit) or plan_requests.request_plan(unit, "custom")
        unit.commit()
        return made.id


def _alike(one: str, other: str, drive: Callable[[Stage, str], TestResponse], *paths: str) -> dict[str, Drive]:
    """Return the two routes of a resource that has an alias."""
    return {
        name: lambda s, path=path: drive(s, path)  # type: ignore[misc]
        for name, path in zip((one, other), paths, strict=True)
    }


SETTING = {"scans-seconds-from": "own", "scans-seconds": "30"}

PAGES: dict[str, Drive] = {
    "assets.create": lambda s: s.page("/assets", **_site(s)),
    "assets.demonstrate": lambda s: s.page("/assets/demonstration"),
    "documents.create": lambda s: s.page("/documents", name="Letter", text="hello"),
    "scans.create": lambda s: s.page("/scans", asset_id=s.ids["document_id"], tool="text"),
    "scans.cancel": lambda s: s.page(f"/scans/{s.scan()}/cancellation"),
    "scans.retry": lambda s: s.page(f"/scans/{s.ids['scan_id']}/retry"),
    "findings.triage": lambda s: s.page(f"/findings/{s.ids['finding_id']}/status", status="accepted"),
    "exports.create": lambda s: s.page("/settings/export"),
    "audits.export": lambda s: s.page("/audit/export", format="csv"),
    "audits.ask_checkpoints": lambda s: s.page("/audit/checkpoints"),
    "audits.end_checkpoints": lambda s: s.page("/audit/checkpoints/end"),
    "settings.rename": lambda s: s.page("/settings", name="Renamed"),
    "plans.withdraw": lambda s: s.page(f"/plan/requests/{_request_id(s)}/withdrawal"),
    "plans.create": lambda s: s.page("/plan/request", plan="custom", note=""),
    "workspaces.create": lambda s: s.page("/workspaces", name=mark()),
    "workspaces.rename": lambda s: s.page(f"/workspaces/{make_workspace(s.made, mark())}", name=mark()),
    "workspaces.archive": lambda s: s.page(
        f"/workspaces/{s.kept.setdefault('workspace', make_workspace(s.made, 'Old'))}/archive", name="Old"
    ),
    "workspaces.restore": lambda s: s.page(f"/workspaces/{s.kept['workspace']}/restoration"),
    "workspace_settings.change": lambda s: s.page(f"/workspaces/{make_workspace(s.made, mark())}/settings", **SETTING),
    "workspace_settings.change_defaults": lambda s: s.page("/workspaces/defaults", **SETTING),
    "keys.create": lambda s: s.page("/keys", name="CI", scopes=["tenant:scans:read"], lifetime=""),
    "keys.change": lambda s: s.page(f"/keys/{s.key()}", name="other", networks=""),
    "keys.revoke": lambda s: s.page(f"/keys/{s.key()}/revocation", name="tests"),
    "key_hygiene.revoke": lambda s: s.page("/keys/revocations", chosen=s.key(), name="revoke 1"),
    "key_rotations.create": lambda s: s.page(f"/keys/{s.key()}/rotation", overlap="24"),
    "key_rotations.end": lambda s: s.page(f"/keys/{_rotated(s)}/overlap", name="tests"),
    "service_accounts.create": lambda s: s.page("/service-accounts", name=mark(), permissions=["tenant:scans:read"]),
    "service_accounts.change": lambda s: s.page(
        f"/service-accounts/{s.ids['account_id']}", name="robot", permissions=["tenant:scans:read"]
    ),
    "service_accounts.disable": lambda s: s.page(f"/service-accounts/{s.ids['account_id']}/disabling"),
    "service_accounts.enable": lambda s: s.page(f"/service-accounts/{s.ids['account_id']}/enabling"),
    "service_accounts.delete": lambda s: s.page(f"/service-accounts/{s.ids['account_id']}/deletion", name="robot"),
    "invitations.create": lambda s: s.page("/people/invitations", addresses=f"{mark()}@example.com", role="viewer"),
    "invitations.resend": lambda s: s.page(f"/people/invitations/{s.invitation()}/resend"),
    "invitations.revoke": lambda s: s.page(f"/people/invitations/{s.invitation()}/revocation"),
    "people.change_role": lambda s: s.page(f"/people/{user_of(s.member())}/role", role="auditor"),
    "people.grant": _grant,
    "people.take": lambda s: s.page(f"{_extra(s)}/end"),
    "people.remove": _remove,
    "people.leave": _left,
    "ownerships.create": _offer,
    "ownerships.withdraw": lambda s: s.page("/ownership/withdrawal"),
    "ownerships.refuse": lambda s: s.page("/ownership/refusal", s.offered()),
    "ownerships.accept": lambda s: s.page("/ownership/acceptance", s.offered()),
    "email_domains.create": lambda s: s.page("/sign-in/domains", domain=f"{mark()}.example"),
    "email_domains.remove": lambda s: (lambda it: s.page(f"/sign-in/domains/{it[0]}/removal", name=it[1]))(_domain(s)),
    "provisionings.issue": lambda s: s.page("/sign-in/provisioning/tokens"),
    "provisionings.map_role": lambda s: s.page(f"/sign-in/provisioning/groups/{s.ids['scim_group_id']}", role="viewer"),
    "connections.start": lambda s: s.page("/sign-in/connection/start"),
    "connections.save": lambda s: s.page(
        "/sign-in/connection", issuer=s.peer.issuer, client_id="client-1", secret=s.peer.secrets["client-1"]
    ),
    "connections.save_roles": lambda s: s.page(
        "/sign-in/connection/roles", claim="groups", roles="staff = viewer", default="viewer"
    ),
    "connections.switch_on": _tested,
    "connections.require": lambda s: s.page("/sign-in/connection/requirement"),
    "sign_ons.confirm_link": _link,
    "mailed_links.redeem": _mailed_link,
    "connections.allow": _allowed,
    "connections.switch_off": lambda s: s.page("/sign-in/connection/deactivation"),
    "connections.remove": lambda s: s.page("/sign-in/connection/removal", name=s.made.slug),
}

PERSONAL: dict[str, Drive] = {
    "profiles.rename": lambda s: s.own("/account/name", name="Olive Other"),
    "profiles.change_password": _changed_password,
    "profiles.change_email": _changing_email,
    "profiles.keep_email": lambda s: s.own("/account/email/withdrawal"),
    "profiles.end_session": _end_session,
    "profiles.end_others": _end_sessions,
    "own_data.delete": _deleted,
    "factors.create": lambda s: s.add_app(),
    "policies.ask_factor": lambda s: s.page("/sign-in/factor", required="yes"),
    "factors.renew_codes": lambda s: s.own("/account/recovery-codes"),
    "passkeys.create": lambda s: s.add_passkey(),
    "passkeys.remove": _remove_passkey,
    "factors.remove": lambda s: s.own("/account/authenticator/removal"),
}

PUBLIC: dict[str, Drive] = {
    "signups.create": _signed_up,
    "api_signups.register": _registered,
    "api_signups.register_organization": _registered_organization,
    "api_tokens.login": lambda s: _program_in(s, "/api/v1/auth/login"),
    "api_tokens.login_alias": lambda s: _program_in(s, "/auth/login"),
    "api_tokens.logout": lambda s: _program_out(s, "/api/v1/auth/logout"),
    "api_tokens.logout_alias": lambda s: _program_out(s, "/auth/logout"),
    "acceptances.join": _joined,
    "acceptances.accept": _accepted,
    "verifications.create": _verified,
    "confirmations.redeem": lambda s: _linked(s, "unlock"),
    "resets.update": lambda s: _linked(s, "reset", password=NEW_PASSWORD),
}

RESOURCES: dict[str, Drive] = {
    "api_assets.add": lambda s: s.api("POST", "/api/v1/assets", **_site(s)),
    "api_assets.change": lambda s: s.api("PATCH", f"/api/v1/assets/{s.ids['asset_id']}", name="Other"),
    "api_assets.archive": lambda s: s.api("DELETE", f"/api/v1/assets/{s.ids['asset_id']}"),
    "api_findings.triage": lambda s: s.api("PATCH", f"/api/v1/findings/{s.ids['finding_id']}", status="open"),
    "api_scans.start": lambda s: s.api("POST", "/api/v1/scans", asset_id=str(s.ids["document_id"]), tool="text"),
    "api_scans.cancel": lambda s: s.api("POST", f"/api/v1/scans/{s.scan()}/cancellation"),
    "api_keys.create": _issued,
    "api_keys.revoke": lambda s: s.api("DELETE", f"/api/v1/api-keys/{s.key()}"),
    "api_invitations.resend": lambda s: s.api("POST", f"/api/v1/invitations/{s.invitation()}/resend"),
    "api_invitations.revoke": lambda s: s.api("DELETE", f"/api/v1/invitations/{s.invitation()}"),
    **_alike(
        "api_invitations.invite",
        "api_invitations.invite_alias",
        lambda s, path: s.api("POST", path, email=f"{mark()}@example.com", role="viewer"),
        "/api/v1/invitations",
        "/orgs/me/users/invite",
    ),
    **_alike(
        "api_tenants.change",
        "api_tenants.change_alias",
        lambda s, path: s.api("PATCH", path, name=mark()),
        "/api/v1/tenants/current",
        "/orgs/me",
    ),
    **_alike(
        "api_users.change",
        "api_users.change_alias",
        lambda s, path: s.api("PATCH", f"{path}/{user_of(s.member())}", role="operator"),
        "/api/v1/users",
        "/orgs/me/users",
    ),
    **_alike(
        "api_users.remove",
        "api_users.remove_alias",
        lambda s, path: s.api("DELETE", f"{path}/{user_of(s.member())}"),
        "/api/v1/users",
        "/orgs/me/users",
    ),
    **_alike(
        "api_workspaces.create",
        "api_workspaces.create_alias",
        lambda s, path: s.api("POST", path, name=mark()),
        "/api/v1/workspaces",
        "/workspaces",
    ),
    **_alike(
        "api_workspaces.change",
        "api_workspaces.change_alias",
        lambda s, path: s.api("PATCH", f"{path}/{make_workspace(s.made, mark())}", name=mark()),
        "/api/v1/workspaces",
        "/workspaces",
    ),
    **_alike(
        "api_workspaces.archive",
        "api_workspaces.archive_alias",
        lambda s, path: s.api("DELETE", f"{path}/{make_workspace(s.made, mark())}"),
        "/api/v1/workspaces",
        "/workspaces",
    ),
}

PROVISIONING: dict[str, Drive] = {
    "scim.create_user": lambda s: s.scim("POST", "/Users"),
    "scim.patch_user": lambda s: s.scim("PATCH", f"/Users/{s.ids['scim_person_id']}"),
    "scim.replace_user": lambda s: s.scim("PUT", f"/Users/{s.ids['scim_person_id']}"),
    "scim.delete_user": lambda s: s.scim("DELETE", f"/Users/{s.ids['scim_person_id']}"),
    "scim.create_group": lambda s: s.scim("POST", "/Groups"),
    "scim.patch_group": lambda s: s.scim("PATCH", f"/Groups/{s.ids['scim_group_id']}"),
    "scim.replace_group": lambda s: s.scim("PUT", f"/Groups/{s.ids['scim_group_id']}"),
    "scim.delete_group": lambda s: s.scim("DELETE", f"/Groups/{s.ids['scim_group_id']}"),
    "provisionings.revoke": lambda s: s.page(
        f"/sign-in/provisioning/tokens/{s.ids['scim_token_id']}", name=s.kept["hint"]
    ),
}

LAST: dict[str, Drive] = {
    "key_ceilings.update": lambda s: s.page("/keys/ceiling", most_days="900"),
    "closures.create": lambda s: s.page("/settings/deletion", name=s.made.slug),
    "closures.end": lambda s: s.page("/restoration"),
}

CHANGES: dict[str, Drive] = {**PAGES, **PUBLIC, **RESOURCES, **PROVISIONING, **PERSONAL, **LAST}
