"""The audit page and its exports, at a browser without scripts."""

import json
import re

import pytest

from app.core.settings import settings
from app.db.units import Units
from app.services.sealers import Sealer
from tests.peers.visitors import Person


@pytest.fixture
def busy(person: Person) -> Person:
    """A person who has issued a key and pasted a document."""
    person.get(person.at("/keys/new"))
    person.post(person.at("/keys"), {"name": "=CI", "scopes": ["tenant:scans:read"], "lifetime": ""})
    person.get(person.at("/documents/new"))
    person.post(person.at("/documents"), {"name": "Letter", "text": "hello"})
    return person


def shown(person: Person, query: str) -> list[str]:
    """Return the actions of the events that the page lists."""
    answer = person.get(person.at(f"/audit{query}"))
    assert answer.status_code == 200
    return re.findall(r"<strong>([a-z_]+\.[a-z_]+)</strong>", answer.text)


def test_events_are_filtered_by_the_address(busy: Person) -> None:
    """Action, actor, kind of target and days choose; what is chosen stays chosen, and can be cleared."""
    made = {"tenant.create", "email.verify", "session.enter", "api_key.issue", "asset.add", "scan.start"}
    assert set(shown(busy, "")) == made
    assert shown(busy, "?action=api_key.issue") == ["api_key.issue"]
    assert shown(busy, "?kind=asset") == ["asset.add"]
    assert len(shown(busy, f"?actor={busy.email}&from=2020-01-01&until=2999-12-30")) == 6
    page = busy.get(busy.at("/audit?until=2020-01-01&action=gone.since")).text
    assert "No event like that" in page and "Clear the filters" in page
    assert '<option value="gone.since" selected>' in page and 'value="2020-01-01"' in page
    assert busy.get(busy.at("/audit?from=yesterday")).status_code == 400


def test_a_change_is_shown_before_and_after_and_leads_to_its_target(busy: Person) -> None:
    """The values of a change stand side by side with a word, and the target is a link where it has a page."""
    page = busy.get(busy.at("/audit?action=asset.add")).text
    assert re.search(r'role="rowheader">Name<span class="change-word">added</span>', page)
    target = re.search(rf'href="(/t/{busy.slug}/assets/[0-9a-f-]+)"', page)
    assert target is not None and busy.get(target.group(1)).status_code == 200


@pytest.mark.parametrize(("form", "kind"), [("csv", "text/csv"), ("ndjson", "application/x-ndjson")])
def test_what_is_shown_is_exported(busy: Person, form: str, kind: str) -> None:
    """The file holds what the filters choose, is a download, and taking it is an event."""
    busy.get(busy.at("/audit"))
    answer = busy.post(busy.at("/audit/export"), {"format": form, "action": "api_key.issue"})
    assert answer.status_code == 200 and answer.mimetype == kind
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=")
    assert answer.text.count("api_key.issue") == 1 and "scan.start" not in answer.text
    if form == "ndjson":
        assert json.loads(answer.text)["after"]["name"] == "=CI"
    assert shown(busy, "?action=audit.export") == ["audit.export"]


def test_an_export_is_asked_for_by_a_form_with_its_token(busy: Person) -> None:
    """A forged export, another format and a day that is none are refused, and leave no event."""
    busy.get(busy.at("/audit"))
    for form in ({"format": "xml"}, {"format": "csv", "from": "x"}, {"format": "csv", "csrf_token": ""}):
        assert busy.post(busy.at("/audit/export"), dict(form)).status_code == 400
    assert busy.get(busy.at("/audit/export")).status_code == 405
    assert shown(busy, "?action=audit.export") == []


def test_the_sealed_log_is_taken_out_with_its_key(busy: Person, worker_units: Units) -> None:
    """After a worker sealed, the page shows each head, the sealed log is a download, and anybody gets the key."""
    assert "No seal yet" in busy.get(busy.at("/audit")).text
    Sealer(worker_units, settings().master).turn()
    page = busy.get(busy.at("/audit")).text
    head = re.search(r'id="head-account"[^>]*>([0-9a-f]{64})<', page)
    assert head is not None and f"--head {head.group(1)}" in page
    answer = busy.post(busy.at("/audit/export"), {"format": "sealed"})
    assert answer.mimetype == "application/x-ndjson" and '{"seal":{' in answer.text
    key = busy.get("/.well-known/sentinel-audit-key")
    assert key.status_code == 200 and key.text.startswith("-----BEGIN PUBLIC KEY-----")


def test_an_owner_has_checkpoints_mailed_and_ends_them(busy: Person) -> None:
    """The page says how long events are kept; a button asks for the mail, the other ends it; both are events."""
    page = busy.get(busy.at("/audit")).text
    assert "kept for 365 days (Professional)" in page and "Mail me checkpoints" in page
    assert busy.post(busy.at("/audit/checkpoints")).location == busy.at("/audit#checkpoints")
    assert "Mail me no checkpoints" in busy.get(busy.at("/audit")).text
    assert busy.post(busy.at("/audit/checkpoints/end")).status_code == 303
    assert "Mail me checkpoints" in busy.get(busy.at("/audit")).text
    assert shown(busy, "?kind=person")[:2] == ["checkpoint.end", "checkpoint.ask"]
