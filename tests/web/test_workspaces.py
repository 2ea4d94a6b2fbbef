"""The pages of workspaces without scripts."""

import re
from uuid import UUID

import pytest
from flask import Flask

from app.core.ids import new_id
from app.db.units import Units
from tests.peers.visitors import Person
from tests.web.test_pages import FAULT, last_id, run_scan


def make(person: Person, name: str = "Staging") -> UUID:
    """Make a workspace by its form; return its id."""
    person.get(person.at("/workspaces/new"))
    answer = person.post(person.at("/workspaces"), {"name": name})
    assert answer.status_code == 303, answer.text
    return last_id(answer.location)


def scan_in(person: Person, workspace_id: UUID | str, name: str) -> UUID:
    """Scan a text in the workspace."""
    person.get(person.at("/documents/new"))
    form: dict[str, object] = {"name": name, "text": "hello", "workspace_id": str(workspace_id)}
    answer = person.post(person.at("/documents"), form)
    assert answer.status_code == 303, answer.text
    return last_id(answer.location)


def test_pages_of_a_new_tenant(person: Person) -> None:
    """The default workspace is listed, and lists offer no choice of workspaces while there is but one."""
    listed = person.get(person.at("/workspaces")).text
    assert ">Default</a>" in listed and "Everything is in one workspace so far" in listed
    assert "Nothing archived" in person.get(person.at("/workspaces?archived=1")).text
    for path in ("/scans", "/findings", "/assets", "/assets/new", "/documents/new", "/keys/new"):
        assert 'name="workspace_id"' not in person.get(person.at(path)).text, path


def test_a_name_that_will_not_do_stays_typed(person: Person) -> None:
    """A taken name is refused beside its field."""
    person.get(person.at("/workspaces/new"))
    answer = person.post(person.at("/workspaces"), {"name": "default"})
    assert answer.status_code == 422
    assert "Another workspace has this name" in answer.text and 'value="default"' in answer.text


def test_lists_are_kept_to_the_workspace_of_their_address(person: Person, worker_units: Units) -> None:
    """With ?workspace_id= scans, findings and assets are that workspace's; the choice is offered and marked."""
    staging = make(person)
    here = re.search(r"/workspaces/([0-9a-f-]{36})\"[^>]*>Default<", person.get(person.at("/workspaces")).text)
    assert here is not None
    default = UUID(here.group(1))
    for workspace_id, name in ((staging, "Harbour"), (default, "Lagoon")):
        run_scan(worker_units, person, scan_in(person, workspace_id, name), FAULT)
    for path in ("/scans", "/findings", "/assets"):
        both = person.get(person.at(path)).text
        assert "Harbour" in both and "Lagoon" in both
        one = person.get(person.at(f"{path}?workspace_id={staging}")).text
        rows = one[one.index("<tbody>") :]
        assert "Harbour" in rows and "Lagoon" not in rows, path
        assert f'value="{staging}" selected' in one
    assert person.get(person.at("/scans?workspace_id=x")).status_code == 400
    none = person.get(person.at(f"/scans?workspace_id={new_id()}")).text
    assert "No scan like that" in none
    shown = person.get(person.at(f"/workspaces/{staging}")).text
    assert "Unplanned scans" in shown and "calls and scans" in shown


def test_a_key_is_issued_in_a_workspace(person: Person) -> None:
    """The form offers the workspaces, and the workspace's page lists the key; a scope beyond it is refused."""
    staging = make(person)
    assert "No key yet" in person.get(person.at(f"/workspaces/{staging}")).text
    offered = person.get(person.at(f"/keys/new?workspace_id={staging}")).text
    assert f'<option selected value="{staging}">Staging</option>' in offered
    form: dict[str, object] = {"name": "Robot", "workspace_id": str(staging), "lifetime": "90"}
    refused = person.post(person.at("/keys"), {**form, "scopes": "tenant:audit:read"})
    assert refused.status_code == 422
    assert "Only a key of the default workspace can have tenant:audit:read" in refused.text
    assert f'<option selected value="{staging}">Staging</option>' in refused.text
    assert person.post(person.at("/keys"), {**form, "scopes": "tenant:scans:read"}).status_code == 200
    shown = person.get(person.at(f"/workspaces/{staging}")).text
    assert "Robot" in shown
    key = re.search(r"/keys/([0-9a-f-]{36})\"", shown)
    assert key is not None
    assert ">Staging</a>" in person.get(person.at(f"/keys/{key.group(1)}")).text


def test_archived_and_restored(person: Person) -> None:
    """The name is typed to archive; the page says so, offers nothing to change, and brings it back."""
    staging = make(person)
    page = person.at(f"/workspaces/{staging}")
    assert "Archive workspace" in person.get(f"{page}/archive").text
    wrong = person.post(f"{page}/archive", {"name": "Stagin"})
    assert wrong.status_code == 422 and "Type Staging to archive it" in wrong.text
    assert person.post(f"{page}/archive", {"name": "Staging"}).status_code == 303
    archived = person.get(page).text
    assert "what is in it can be read but not changed" in archived
    assert "Rename" not in archived and "Archive workspace" not in archived
    assert "Staging" not in person.get(person.at("/workspaces")).text.split("<tbody>")[1].split("</tbody>")[0]
    assert "Staging" in person.get(person.at("/workspaces?archived=1")).text
    assert person.post(page, {"name": "Other"}).status_code == 409
    person.get(page)
    assert person.post(f"{page}/restoration").status_code == 303
    assert "in use again" in person.get(page).text


def test_the_default_workspace_is_renamed_not_archived(person: Person) -> None:
    """It offers no archiving, and refuses it."""
    listed = person.get(person.at("/workspaces")).text
    page = re.search(r"/t/[^\"]+/workspaces/[0-9a-f-]{36}", listed)
    assert page is not None
    assert "Archive workspace" not in person.get(page.group(0)).text
    assert person.post(page.group(0), {"name": "Production"}).status_code == 303
    person.get(f"{page.group(0)}/archive")
    assert person.post(f"{page.group(0)}/archive", {"name": "Production"}).status_code == 409


@pytest.mark.parametrize("whose", ["workspace", "tenant"])
def test_settings_are_set_and_inherited_again(person: Person, whose: str) -> None:
    """A value of its own is shown with where it comes from; a wrong one is refused and stays typed."""
    staging = make(person)
    shown = person.at(f"/workspaces/{staging}")
    form_of = f"{shown}/settings" if whose == "workspace" else person.at("/workspaces/defaults")
    source = "set for this workspace" if whose == "workspace" else "set for all workspaces"
    first = person.get(form_of).text
    assert "Inherited: 0.7 (platform default)" in first and 'value="0.7"' in first
    own: dict[str, object] = {"guard-block_at-from": "own", "guard-block_at": "2"}
    wrong = person.post(form_of, own)
    assert wrong.status_code == 422
    assert "From 0.05 to 1" in wrong.text and 'value="2"' in wrong.text
    kinds = {"guard-ignored_kinds-from": "own", "guard-ignored_kinds": ["email", "phone"]}
    assert person.post(form_of, {**own, "guard-block_at": "0.25", **kinds}).status_code == 303
    page = person.get(shown).text
    assert "0.25" in page and "email, phone" in page and source in page
    person.get(form_of)
    assert person.post(form_of, {"guard-block_at-from": "inherit", "guard-block_at": "0.25"}).status_code == 303
    assert source not in person.get(shown).text


def test_pages_say_what_one_may_do(app: Flask, person: Person) -> None:
    """Each page of workspaces opens for its tenant and nobody else's."""
    staging = make(person)
    for path in ("/workspaces", "/workspaces/new", f"/workspaces/{staging}", f"/workspaces/{staging}/settings"):
        answer = person.get(person.at(path))
        assert answer.status_code == 200 and len(answer.data) < 60_000, path
    stranger = Person(app, person.base_url).sign_up("Other")
    assert stranger.get(stranger.at(f"/workspaces/{staging}")).status_code == 404
