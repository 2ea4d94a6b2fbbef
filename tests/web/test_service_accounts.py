"""Service accounts on their pages: made, given a key, disabled, enabled, deleted."""

from collections.abc import Callable

from tests.peers.visitors import Person, issue_key


def made(person: Person, name: str = "Nightly scans") -> str:
    """Make a service account by its form; return the address of its page."""
    person.get(person.at("/service-accounts/new"))
    answer = person.post(person.at("/service-accounts"), {"name": name, "permissions": ["tenant:scans:read"]})
    assert answer.status_code == 303, answer.text
    return str(answer.location)


def test_a_service_account_from_making_to_deleting(person: Person, call: Callable[..., int]) -> None:
    """It is made, its key is issued and works, disabling refuses the key, enabling lets it in, deleting ends it."""
    assert "No service account yet" in person.get(person.at("/service-accounts")).text
    address = made(person)
    page = person.get(address).text
    assert "Nightly scans was made" in page and "None yet" in page
    account_id = address.rsplit("/", 1)[1]
    assert f'selected value="{account_id}"' in person.get(person.at(f"/keys/new?account={account_id}")).text
    key, secret = issue_key(person, owner=account_id)
    assert "the service account" in person.get(key).text
    assert "for Nightly scans" in person.get(person.at("/keys")).text
    assert call(person, secret) == 200
    person.get(address)
    assert person.post(f"{address}/disabling").status_code == 303
    assert call(person, secret) == 401
    assert "its keys are refused" in person.get(address).text
    assert person.post(f"{address}/enabling").status_code == 303
    assert call(person, secret) == 200
    assert "1 key of it is in force" in person.get(f"{address}/deletion").text
    assert person.post(f"{address}/deletion", {"name": "other"}).status_code == 422
    assert person.post(f"{address}/deletion", {"name": "Nightly scans"}).status_code == 303
    assert call(person, secret) == 401
    assert person.get(address).status_code == 404
    assert "Revoked" in person.get(key).text


def test_what_will_not_do_comes_back(person: Person) -> None:
    """The form says beside the field what is wrong, and a key beyond its account is refused there too."""
    address = made(person)
    again = person.post(person.at("/service-accounts"), {"name": "Nightly scans", "permissions": []})
    assert again.status_code == 422
    assert "has this name" in again.text and "Choose at least one" in again.text
    person.get(address)
    changed = person.post(address, {"name": "", "permissions": ["tenant:scans:read"]})
    assert changed.status_code == 422 and "Must not be empty" in changed.text
    assert person.post(address, {"name": "Renamed", "permissions": ["tenant:scans:write"]}).status_code == 303
    person.get(person.at("/keys/new"))
    sent = {"name": "CI", "scopes": ["tenant:scans:read"], "lifetime": "90", "owner": address.rsplit("/", 1)[1]}
    beyond = person.post(person.at("/keys"), sent)
    assert beyond.status_code == 422 and "Renamed may not: tenant:scans:read" in beyond.text


def test_the_audit_log_leads_to_the_account(person: Person) -> None:
    """Making an account leaves an audit row whose target is a link to it."""
    address = made(person)
    page = person.get(person.at("/audit")).text
    assert "service_account.create" in page and address.replace("https://localhost:8000", "") in page
