"""Rotating a key on its pages: the new secret shown once, who still calls with the old one, and its end."""

from collections.abc import Callable
from typing import Any

import psycopg

from tests.peers.visitors import SECRET, Person, issue_key
from tests.plugins.servers import Database


def rotated(person: Person, address: str, overlap: str = "24") -> str:
    """Rotate the key by its form; return the new secret."""
    person.get(f"{address}/rotation")
    answer = person.post(f"{address}/rotation", {"overlap": overlap})
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    found = SECRET.search(answer.text)
    assert found is not None
    return found.group(1)


def test_a_key_is_rotated_with_an_overlap(person: Person, call: Callable[..., int]) -> None:
    """The new secret is shown once; the key's page says who still calls with the old one, until it is ended by name."""
    address, old = issue_key(person)
    new = rotated(person, address)
    page = person.get(address).text
    assert new not in page and new[:13] in page
    assert "The old secret still works" in page and "Nobody has called with" in page
    assert call(person, old, "forgotten/0.9") == 200
    page = person.get(address).text
    assert "forgotten/0.9" in page and "Nobody has called with" not in page
    page = person.get(f"{address}/overlap").text
    assert "forgotten/0.9" in page and "cannot be undone" in page
    assert person.post(f"{address}/overlap", {"name": "other"}).status_code == 422
    assert call(person, old) == 200
    assert person.post(f"{address}/overlap", {"name": "CI"}).status_code == 303
    assert call(person, old) == 401 and call(person, new) == 200
    assert "The old secret still works" not in person.get(address).text
    assert "No old secret of this key works" in person.get(f"{address}/overlap").text


def test_the_last_use_is_shown(person: Person, call: Callable[..., int]) -> None:
    """List and page say when, from where and by which program a key was used last."""
    address, secret = issue_key(person)
    assert "Nobody yet" in person.get(address).text
    call(person, secret)
    assert "from 127.0.0.1" in person.get(person.at("/keys")).text
    assert "nightly/2.1" in person.get(address).text


def test_a_second_rotation_says_what_it_ends(person: Person, call: Callable[..., int]) -> None:
    """During an overlap the form warns that the older secret ends now, and how many still use it."""
    address, first = issue_key(person)
    second = rotated(person, address)
    call(person, first)
    assert "1 caller used it since" in person.get(f"{address}/rotation").text
    third = rotated(person, address, "0")
    assert [call(person, secret) for secret in (first, second, third)] == [401, 401, 200]


def test_a_key_that_ended_is_not_rotated(person: Person) -> None:
    """The page of a revoked key offers no rotation, and its form is refused."""
    address, _secret = issue_key(person)
    person.get(f"{address}/revocation")
    person.post(f"{address}/revocation", {"name": "CI"})
    assert "/rotation" not in person.get(address).text
    page = person.get(f"{address}/rotation")
    assert page.status_code == 409 and "stays as it is" in page.text
    assert person.post(f"{address}/rotation", {"overlap": "24"}).status_code == 409
    assert person.post(f"{address}/rotation", {"overlap": "9999"}).status_code == 422


def test_a_user_agent_is_escaped(person: Person, call: Callable[..., int]) -> None:
    """What a program calls itself is text on the page."""
    address, secret = issue_key(person)
    call(person, secret, "<script>alert(1)</script>")
    page = person.get(address).text
    assert "&lt;script&gt;alert(1)" in page and "<script>alert" not in page


def test_no_secret_is_kept(person: Person, postgres_server: Database) -> None:
    """Neither secret of a rotated key stands in any row of the database."""
    address, old = issue_key(person)
    new = rotated(person, address)
    with psycopg.connect(postgres_server.superuser) as outside:
        names = outside.execute(
            "SELECT schemaname || '.' || tablename FROM pg_tables "
            "WHERE schemaname IN ('control', 'account', 'shared', 'auth')"
        ).fetchall()
        for (name,) in names:
            for secret in (old, new):
                found: Any = outside.execute(
                    f"SELECT count(*) FROM {name} t WHERE t::text LIKE '%%' || %s || '%%'".encode(), [secret[9:]]
                ).fetchone()
                assert found[0] == 0, name


def test_a_rotation_gives_a_new_end(person: Person, postgres_server: Database) -> None:
    """A key that expires soon says so on list and page; its rotation gives it an end of 90 days."""
    address, _secret = issue_key(person)
    key_id = address.rsplit("/", 1)[1]
    with psycopg.connect(postgres_server.superuser) as connection:
        connection.execute(
            "UPDATE account.api_keys SET expires_at = now() + interval '73 hours' WHERE id = %s", [key_id]
        )
    assert all("Expires <time" in person.get(each).text for each in (address, person.at("/keys")))
    page = person.get(f"{address}/rotation").text
    assert "as before: on " in page
    assert person.post(f"{address}/rotation", {"overlap": "24", "lifetime": "90"}).status_code == 200
    assert "Expires <time" not in person.get(address).text
