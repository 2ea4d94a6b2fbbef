"""My account: the file of one's own data, and the end of the account."""

import psycopg

from tests.peers.visitors import Person
from tests.plugins.servers import Database


def leave(database: Database, person: Person) -> None:
    """Close the person's tenant for good, as the purge does."""
    with psycopg.connect(database.superuser, autocommit=True) as connection:
        connection.execute("UPDATE control.tenants SET status = 'purged' WHERE slug = %s", [person.slug])
        connection.execute(
            "DELETE FROM auth.memberships m USING auth.users u WHERE u.id = m.user_id AND u.email = %s", [person.email]
        )


def test_ones_data_is_a_file(owner: Person) -> None:
    """It is downloaded, kept by no cache, and holds the person's own address."""
    answer = owner.get("/account/data")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="sentinel-my-data.json"'
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json is not None and answer.json["account"]["email"] == owner.email


def test_a_last_owner_sees_what_holds_them(owner: Person) -> None:
    """The page names the tenant and offers no form; a form that is sent all the same deletes nothing."""
    page = owner.get("/account/deletion").text
    assert "would be left without an owner" in page and owner.at("/") in page and "Delete account" not in page
    owner.get(owner.at("/"))
    assert owner.post("/account/deletion", {"name": owner.email}).status_code == 422
    assert owner.get(owner.at("/")).status_code == 200


def test_an_account_is_deleted_by_its_address(owner: Person, postgres_server: Database) -> None:
    """Another address comes back with the error; the right one signs out for good."""
    leave(postgres_server, owner)
    owner.get("/account/deletion")
    wrong = owner.post("/account/deletion", {"name": "x@example.com"})
    assert wrong.status_code == 422 and "to delete the account" in wrong.text
    assert owner.post("/account/deletion", {"name": owner.email.upper()}).location == "/login"
    assert "Your account was deleted." in owner.get("/login").text
    refused = owner.post("/login", {"email": owner.email, "password": owner.password})
    assert refused.status_code == 422
    assert owner.get("/account").status_code == 303
