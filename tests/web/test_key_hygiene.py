"""Key hygiene and the ceiling on their pages."""

import re
from collections.abc import Callable
from datetime import timedelta

import psycopg

from tests.peers.visitors import Person, issue_key
from tests.plugins.servers import Database


def test_keys_are_looked_over_and_revoked_together(
    person: Person, call: Callable[..., int], postgres_server: Database
) -> None:
    """Chosen keys are shown once more; nothing happens before the words are typed, and then all of them end."""
    assert "No key in force" in person.get(person.at("/keys/hygiene")).text
    keys = [issue_key(person, name=f"Key {number}", lifetime="") for number in range(3)]
    page = person.get(person.at("/keys/hygiene")).text
    assert "No expiry" in page and page.count('name="key"') == 3
    ids = [address.rsplit("/", 1)[1] for address, _secret in keys[:2]]
    asked = person.get(person.at(f"/keys/revocations?key={ids[0]}&key={ids[1]}"))
    assert "Key 0" in asked.text and "Key 1" in asked.text and "Key 2" not in asked.text
    assert "cannot be undone" in asked.text
    sent = {"chosen": " ".join(ids)}
    assert person.post(person.at("/keys/revocations"), {**sent, "name": "revoke 3"}).status_code == 422
    assert [call(person, secret) for _address, secret in keys] == [200, 200, 200]
    assert person.post(person.at("/keys/revocations"), {**sent, "name": "revoke 2"}).status_code == 303
    assert [call(person, secret) for _address, secret in keys] == [401, 401, 200]
    assert "2 keys revoked" in person.get(person.at("/keys/hygiene")).text


def test_without_a_choice_one_is_led_back(person: Person) -> None:
    """Sending nothing says what to do; what is no id is refused, and what is nobody's is not found."""
    assert person.get(person.at("/keys/revocations")).status_code == 303
    assert "Choose the keys first" in person.get(person.at("/keys/hygiene")).text
    assert person.get(person.at("/keys/revocations?key=x")).status_code == 400
    assert person.get(person.at("/keys/revocations?key=01a1fddd-ecaa-7000-8000-000000000000")).status_code == 404
    assert person.post(person.at("/keys/revocations"), {"name": "revoke 1"}).status_code == 400


def test_the_ceiling_is_set_and_holds(person: Person) -> None:
    """After 30 days were set the form of a key offers no more, a longer one is refused, and older keys are listed."""
    issue_key(person, name="Endless", lifetime="")
    assert "as long as its maker likes" in person.get(person.at("/keys")).text
    person.get(person.at("/keys/ceiling"))
    wrong = person.post(person.at("/keys/ceiling"), {"most_days": "0"})
    assert wrong.status_code == 422 and "From 1 to 1,830" in wrong.text
    assert person.post(person.at("/keys/ceiling"), {"most_days": "30"}).status_code == 303
    assert "at most 30 days" in person.get(person.at("/keys")).text
    form = person.get(person.at("/keys/new")).text
    offered = re.findall(
        r'<option (?:selected )?value="([^"]*)">', form.split('id="lifetime"')[1].split("</select>")[0]
    )
    assert offered == ["7", "30", "day"]
    for given, words in (
        ({"lifetime": "365"}, "Not a valid choice"),
        ({"lifetime": "day", "last_day": "2030-01-01"}, "at most 30 days"),
    ):
        sent = {"name": "CI", "scopes": ["tenant:scans:read"], **given}
        answer = person.post(person.at("/keys"), sent)
        assert answer.status_code == 422 and words in answer.text
    page = person.get(person.at("/keys/hygiene")).text
    assert "Beyond the ceiling" in page and "Endless" in page


def test_a_proof_that_is_old_leads_to_another(person: Person, postgres_server: Database) -> None:
    """An hour after the sign-in issuing, rotating, revoking several and the ceiling ask for a fresh proof first."""
    address, _secret = issue_key(person)
    with psycopg.connect(postgres_server.superuser) as outside:
        outside.execute(
            "UPDATE auth.sessions SET confirmed_at = confirmed_at - %s WHERE user_id = "
            "(SELECT id FROM auth.users WHERE email = %s)",
            [timedelta(hours=1), person.email],
        )
    key_id = address.rsplit("/", 1)[1]
    for path in ("/keys/new", f"/keys/{key_id}/rotation", f"/keys/revocations?key={key_id}", "/keys/ceiling"):
        answer = person.get(person.at(path))
        assert answer.status_code == 303 and "/account/confirmation" in answer.location, path
    assert person.get(person.at("/keys")).status_code == 200
