"""An owner deletes the tenant by typing its slug, and restores it; nobody else does either."""

from collections.abc import Callable

from app.db.units import Home
from app.models.tenants import Tenant
from tests.peers.tenants import Made
from tests.peers.visitors import Person
from tests.services.test_entrances import demote


def test_deleted_and_restored(newcomer: Callable[[], Person]) -> None:
    """The slug must be right; then every page is refused and says so; restored, everything is as it was."""
    owner = newcomer().sign_up()
    asked = owner.get(owner.at("/settings/deletion"))
    assert "The plan keeps it for 365 days: until" in asked.text and "1 person loses access" in asked.text
    wrong = owner.post(owner.at("/settings/deletion"), {"name": "something-else"})
    assert wrong.status_code == 422
    assert f"Type {owner.slug} to delete it" in wrong.text or f"type {owner.slug} to delete it" in wrong.text
    assert owner.post(owner.at("/settings/deletion"), {"name": owner.slug}).status_code == 303
    refused = owner.get(owner.at("/"))
    assert refused.status_code == 403
    assert "Restore it" in refused.text
    listed = owner.get("/tenants")
    assert f"/t/{owner.slug}/restoration" in listed.text
    assert owner.get(f"/t/{owner.slug}/restoration").status_code == 200
    assert owner.post(f"/t/{owner.slug}/restoration").status_code == 303
    assert owner.get(owner.at("/")).status_code == 200
    assert owner.post(f"/t/{owner.slug}/restoration").status_code == 409


def test_a_stranger(newcomer: Callable[[], Person]) -> None:
    """Whoever is no member finds nothing, before and after."""
    owner, stranger = newcomer().sign_up(), newcomer().sign_up()
    stranger.get(stranger.at("/"))
    assert stranger.get(f"/t/{owner.slug}/restoration").status_code == 404
    owner.get(owner.at("/settings/deletion"))
    assert owner.post(owner.at("/settings/deletion"), {"name": owner.slug}).status_code == 303
    assert stranger.get(f"/t/{owner.slug}/restoration").status_code == 404
    assert stranger.post(f"/t/{owner.slug}/restoration").status_code == 404


def test_a_member_who_is_no_owner(newcomer: Callable[[], Person], tenant: Made) -> None:
    """An administrator can neither delete the tenant nor restore it."""
    admin = newcomer().sign_in(tenant)
    demote(tenant)
    assert admin.get(admin.at("/settings/deletion")).status_code == 403
    with tenant.unit(Home.ACCOUNT) as unit:
        unit.session.get_one(Tenant, tenant.id).status = "deleted"
        unit.commit()
    assert admin.get(admin.at("/")).status_code == 403
    assert admin.get(f"/t/{tenant.slug}/restoration").status_code == 403
