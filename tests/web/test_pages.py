"""The tenants' pages without scripts, on the real database."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import unescape
from uuid import UUID

import psycopg
import pytest

from app.core.ids import parse_id
from app.db.units import Home, Units
from app.scanners.probes import Artefact, Fault
from app.services import admissions, scans
from app.tenancy.actors import system_actor
from app.tenancy.context import tenant_scope
from app.web.listings import ROWS
from tests.peers.visitors import Person, issue_key
from tests.plugins.servers import Database

PAGES = ("/", "/scans", "/scans/new", "/documents/new", "/findings", "/assets", "/assets/new", "/graph", "/guard")
SETTINGS = ("/keys", "/keys/new", "/usage", "/usage?what=scans&period=90_days&split=person", "/usage/calls", "/audit")
FAULT = Fault("csp.missing", "No <b>policy</b>", "high", "<script>alert(1)</script>", "Send one.", "header", 693)


def last_id(location: str) -> UUID:
    found = parse_id(location.rstrip("/").split("#")[0].rsplit("/", 1)[1])
    assert found is not None
    return found


def scan_text(person: Person, text: str = "hello") -> UUID:
    person.get(person.at("/documents/new"))
    answer = person.post(person.at("/documents"), {"name": "Letter", "text": text})
    assert answer.status_code == 303, answer.text
    return last_id(answer.location)


def run_scan(units: Units, person: Person, scan_id: UUID, fault: Fault = FAULT) -> None:
    """Do what the worker does."""
    with units.identify() as door:
        from sqlalchemy import text

        tenant_id = door.session.execute(
            text("SELECT tenant_id FROM auth.list_open_scans(interval '-1 hour') WHERE scan_id = :id"), {"id": scan_id}
        ).scalar_one()
    with tenant_scope(tenant_id):
        for step in (admissions.admit_scans, lambda u: scans.claim_scan(u, scan_id)):
            with units.open(Home.CONTENT, system_actor("worker")) as unit:
                step(unit)
                unit.commit()
        with units.open(Home.CONTENT, system_actor("worker")) as unit:
            scans.complete_scan(unit, scan_id, Artefact("text", [fault]))
            unit.commit()


@pytest.mark.parametrize("path", PAGES + SETTINGS)
def test_every_page_of_an_empty_tenant_opens(person: Person, path: str) -> None:
    """Nothing needs rows to be shown, and each page says who must not frame or script it."""
    answer = person.get(person.at(path))
    assert answer.status_code == 200
    assert "Acme &amp; Söhne" in answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("path", PAGES + SETTINGS)
def test_pages_ask_who_one_is(newcomer: Callable[[], Person], person: Person, path: str) -> None:
    """Whoever is not signed in is sent to do so; whoever is no member finds nothing."""
    stranger = newcomer()
    answer = stranger.get(person.at(path))
    assert answer.status_code == 303 and "/login" in answer.location
    stranger.sign_up()
    assert stranger.get(person.at(path)).status_code == 404


def test_sign_up_shows_each_error_beside_its_field(newcomer: Callable[[], Person], person: Person) -> None:
    """A form that will not do comes back with 422, what was typed, and never the password."""
    visitor = newcomer()
    visitor.get("/signup")
    form = {"company": "X", "slug": person.slug, "name": "", "email": "nonsense", "password": "short-secret"[:5]}
    answer = visitor.post("/signup", dict(form))
    assert answer.status_code == 422
    assert "Already taken" in answer.text and "Not an e-mail address" in answer.text
    assert 'value="nonsense"' in answer.text and "short" not in answer.text


def test_a_slug_is_checked_as_it_is_typed(newcomer: Callable[[], Person], person: Person) -> None:
    """The fragment tells free, taken, and what is wrong."""
    visitor = newcomer()
    assert "Taken" in visitor.get(f"/signup/slug?slug={person.slug}").text
    assert "Free" in visitor.get("/signup/slug?slug=quite-free-name").text
    assert "3 to 63 characters" in visitor.get("/signup/slug?slug=x").text


def test_signing_in_leads_where_one_wanted(newcomer: Callable[[], Person], person: Person) -> None:
    """After signing in one is where one wanted to be, on this site only."""
    for wanted, reached in (
        (person.at("/findings"), person.at("/findings")),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example", "/"),
    ):
        visitor = newcomer()
        visitor.get("/login")
        form = {"email": person.email, "password": person.password, "next": wanted}
        assert visitor.post("/login", dict(form)).location == reached
    assert visitor.get("/").location == person.at("/")


def test_a_wrong_password_is_said_above_the_form_and_counted(newcomer: Callable[[], Person], person: Person) -> None:
    """Five failures lock the address for a while, also for the right password."""
    visitor = newcomer()
    visitor.get("/login")
    for _ in range(5):
        answer = visitor.post("/login", {"email": person.email, "password": "wrong"})
        assert answer.status_code == 422 and "The address or the password is wrong" in answer.text
    assert visitor.post("/login", {"email": person.email, "password": person.password}).status_code == 429


def test_signing_out_ends_the_session_on_the_server(person: Person) -> None:
    """A copied cookie opens nothing after signing out."""
    person.get(person.at("/"))
    cookies = [cookie for cookie in person.client._cookies.values()]  # noqa: C416
    assert person.post("/logout").status_code == 303
    for cookie in cookies:
        person.client._cookies[cookie._storage_key] = cookie
    assert person.get(person.at("/")).status_code == 303


def test_a_form_without_its_token_is_refused(person: Person) -> None:
    """Forgery is a 400, and nothing is written."""
    person.token = ""
    assert person.post(person.at("/documents"), {"name": "x", "text": "y"}).status_code == 400
    assert "Nothing scanned yet" in person.get(person.at("/scans")).text


def test_a_key_is_shown_once(person: Person) -> None:
    """The page after issuing holds the secret and a ready line; the list holds only its beginning."""
    person.get(person.at("/keys/new"))
    answer = person.post(person.at("/keys"), {"name": "CI", "scopes": ["tenant:guard:process"], "lifetime": "90"})
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    found = re.search(r'id="secret-value"[^>]*>([^<]+)<', answer.text)
    assert found is not None
    secret = found.group(1)
    assert f"Authorization: Bearer {secret}" in answer.text.replace("&#39;", "'")
    page = person.get(person.at("/keys")).text
    assert secret not in page and secret[:13] in page
    assert "1 of 3 done" in person.get(person.at("/")).text


def test_a_key_is_revoked_by_its_name(person: Person) -> None:
    """The name must be typed; then the key is marked as revoked."""
    person.get(person.at("/keys/new"))
    person.post(person.at("/keys"), {"name": "CI", "scopes": ["tenant:scans:read"], "lifetime": ""})
    found = re.search(r'href="([^"]+/revocation)"', person.get(person.at("/keys")).text)
    assert found is not None
    address = found.group(1)
    person.get(address)
    assert person.post(address, {"name": "something else"}).status_code == 422
    assert person.post(address, {"name": "CI"}).status_code == 303
    page = person.get(person.at("/keys")).text
    assert "CI was revoked" in page and ">Revoked</span>" in page


def test_a_key_without_scopes_comes_back(person: Person) -> None:
    """The form says what is missing."""
    person.get(person.at("/keys/new"))
    answer = person.post(person.at("/keys"), {"name": "", "lifetime": "90"})
    assert answer.status_code == 422
    assert "Must not be empty" in answer.text and "Choose at least one" in answer.text


def test_a_key_has_a_page(person: Person) -> None:
    """Scopes, networks, maker, end and calls of a key stand on its page, which the list leads to."""
    last = datetime.now(UTC).date() + timedelta(days=3)
    networks = "203.0.113.0/24\n2001:DB8::/32"
    address, _secret = issue_key(person, lifetime="day", last_day=last.isoformat(), networks=networks)
    page = person.get(address).text
    assert "scans: read" in page and "2001:db8::/32" in page and "Calls per day" in page
    assert f"{last + timedelta(days=1):%-d %b %Y}, 00:00 UTC" in page
    assert address in person.get(person.at("/keys")).text
    assert "No call like that" in person.get(person.at("/usage/calls?key_id=" + address.rsplit("/", 1)[1])).text


def test_a_key_is_renamed_and_kept_to_networks(person: Person) -> None:
    """The page's form changes name and networks, says what will not do beside its field, and leaves an audit row."""
    address, _secret = issue_key(person)
    wrong = person.post(address, {"name": "", "networks": "10.0.0.1/8"})
    assert wrong.status_code == 422
    assert "Must not be empty" in wrong.text and "write 10.0.0.0/8 or 10.0.0.1" in wrong.text
    assert "<h1>CI</h1>" in wrong.text
    assert person.post(address, {"name": "CI <2>", "networks": "10.0.0.0/8"}).status_code == 303
    page = person.get(address).text
    assert "<h1>CI &lt;2&gt;</h1>" in page and "10.0.0.0/8</code>" in page
    assert "api_key.change" in person.get(person.at("/audit")).text


def test_a_revoked_key_is_left_as_it_is(person: Person) -> None:
    """The page of a revoked key has no form, and sending one changes nothing."""
    address, _secret = issue_key(person)
    person.get(address + "/revocation")
    person.post(address + "/revocation", {"name": "CI"})
    assert "Name, networks" not in person.get(address).text
    assert person.post(address, {"name": "Other", "networks": ""}).status_code == 409
    assert "<h1>CI</h1>" in person.get(address).text


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"lifetime": "day"}, "Choose the last day"),
        ({"lifetime": "day", "last_day": "2020-01-01"}, "This day is over"),
        ({"lifetime": "day", "last_day": "9999-12-31"}, "At most five years"),
        ({"lifetime": "90", "last_day": "2030-01-01"}, "or clear the last day"),
        ({"lifetime": "day", "last_day": "soon"}, "Not a valid date"),
        ({"lifetime": "12345"}, "Not a valid choice"),
        ({"networks": "office"}, "is not an address"),
        ({"networks": "0.0.0.0/0"}, "every address"),
        ({"calls_per_minute": "0"}, "From 1 to 60,000"),
        ({"calls_per_minute": "many"}, "Not a valid integer"),
    ],
)
def test_a_key_that_will_not_do_comes_back(person: Person, given: dict[str, str], words: str) -> None:
    """The form says beside the field what is wrong with an end or a network, and keeps what was typed."""
    person.get(person.at("/keys/new"))
    sent = {"name": "Nightly", "scopes": ["tenant:scans:read"], "lifetime": "90", **given}
    answer = person.post(person.at("/keys"), sent)
    assert answer.status_code == 422
    assert words in answer.text and 'value="Nightly"' in answer.text


def test_an_asset_tells_how_to_prove_it(person: Person) -> None:
    """Adding leads to the record and the file; it cannot be scanned before."""
    person.get(person.at("/assets/new"))
    answer = person.post(person.at("/assets"), {"address": "https://www.example.com", "name": ""})
    assert answer.status_code == 303
    page = person.get(answer.location).text
    assert "_sentinel-challenge.www.example.com" in page
    assert "https://www.example.com/.well-known/sentinel-challenge.txt" in page
    asset_id = str(last_id(answer.location))
    refused = person.post(person.at("/scans"), {"asset_id": asset_id, "tool": "posture"})
    assert refused.status_code == 409 and "not proven yet" in refused.text
    assert person.post(person.at("/assets"), {"address": "https://www.example.com"}).status_code == 409
    assert person.post(person.at("/assets"), {"address": "ftp://x"}).status_code == 422
    checked = person.post(person.at(f"/assets/{asset_id}/check"), headers={"HX-Request": "true"})
    assert checked.status_code == 200 and "<html" not in checked.text
    again = {"HX-Request": "true", "If-None-Match": checked.headers["ETag"]}
    assert person.post(person.at(f"/assets/{asset_id}/check"), headers=again).status_code == 204


def test_a_scan_is_followed_to_its_findings(person: Person, worker_units: Units) -> None:
    """Queued, then done with findings, by page and by fragment; 304 while nothing changes; text is escaped."""
    scan_id = scan_text(person)
    page = person.get(person.at(f"/scans/{scan_id}")).text
    assert ">Queued</span>" in page and "data-live" in page and "Cancel scan" in page
    progress = person.at(f"/scans/{scan_id}/progress")
    first = person.get(progress)
    assert "<html" not in first.text
    same = person.get(progress, headers={"If-None-Match": first.headers["ETag"]})
    assert same.status_code == 304 and same.data == b""
    run_scan(worker_units, person, scan_id)
    over = person.get(progress, headers={"If-None-Match": first.headers["ETag"]})
    assert over.status_code == 200 and ">Done</span>" in over.text and "data-live" not in over.text
    assert "No &lt;b&gt;policy&lt;/b&gt;" in over.text
    found = re.search(r'href="([^"]+/findings/[0-9a-f-]+)"', over.text)
    assert found is not None
    finding = person.get(found.group(1)).text
    assert "&lt;script&gt;alert(1)" in finding and "CWE-693" in finding and "<script>alert" not in finding
    accepted = person.post(found.group(1) + "/status", {"status": "accepted"})
    assert accepted.status_code == 303
    assert "The finding is now accepted" in person.get(accepted.location).text
    assert "No finding like that" in person.get(person.at("/findings?status=open")).text
    assert "Letter" in person.get(person.at("/")).text
    for path in ("/usage", "/audit", "/findings", "/scans", "/assets"):
        assert person.get(person.at(path)).status_code == 200
    again = person.post(person.at(f"/scans/{scan_id}/retry"))
    assert again.status_code == 303 and last_id(again.location) != scan_id


def test_a_queued_scan_is_cancelled(person: Person) -> None:
    """Cancelling ends it; the page offers to scan again."""
    scan_id = scan_text(person)
    person.get(person.at(f"/scans/{scan_id}"))
    assert person.post(person.at(f"/scans/{scan_id}/cancellation")).status_code == 303
    page = person.get(person.at(f"/scans/{scan_id}")).text
    assert ">Cancelled</span>" in page and "Scan again" in page and "data-live" not in page


def test_another_tenants_ids_are_not_found(newcomer: Callable[[], Person], person: Person, worker_units: Units) -> None:
    """Every id of one tenant is a 404 in another's console, to read and to change."""
    scan_id = scan_text(person)
    run_scan(worker_units, person, scan_id)
    page = person.get(person.at(f"/scans/{scan_id}")).text
    finding_id = re.search(r"/findings/([0-9a-f-]{36})", page)
    asset_id = re.search(r"/assets/([0-9a-f-]{36})", page)
    assert finding_id is not None and asset_id is not None
    other = newcomer().sign_up()
    other.get(other.at("/documents/new"))
    for path in (f"/scans/{scan_id}", f"/scans/{scan_id}/progress", f"/assets/{asset_id.group(1)}"):
        assert other.get(other.at(path)).status_code == 404
    assert other.get(other.at(f"/findings/{finding_id.group(1)}")).status_code == 404
    assert other.post(other.at(f"/scans/{scan_id}/cancellation")).status_code == 404
    assert other.post(other.at(f"/scans/{scan_id}/retry")).status_code == 404
    answer = other.post(other.at(f"/findings/{finding_id.group(1)}/status"), {"status": "accepted"})
    assert answer.status_code == 404


def test_the_guard_is_tried_and_nothing_kept(person: Person) -> None:
    """A text is judged and shown masked; the page keeps what was typed, no row does."""
    person.get(person.at("/guard"))
    answer = person.post(person.at("/guard"), {"user_input": "My credit card number is 4532-1234-5678-9010"})
    assert answer.status_code == 200
    assert ">Blocked</span>" in answer.text and "Credit card" in answer.text
    assert "No call yet" in person.get(person.at("/usage/calls")).text
    assert person.post(person.at("/guard"), {"user_input": " "}).status_code == 422


def test_errors_are_pages_with_the_request_id(person: Person) -> None:
    """What is wrong is said with a way on and the id of the request."""
    for path, status in (("/nowhere", 404), ("/scans?asset_id=x", 400), ("/scans?after=x", 400), ("/scans?day=x", 400)):
        answer = person.get(person.at(path))
        assert answer.status_code == status
        assert answer.headers["X-Request-Id"] in answer.text
    assert person.get("/nowhere").status_code == 404


def test_ones_tenants_are_listed(person: Person) -> None:
    """The list leads into each tenant with one's role in it."""
    page = person.get("/tenants").text
    assert person.at("/") in page and "Owner" in page


def test_a_suspended_tenant_says_why(person: Person, postgres_server: Database) -> None:
    """Its people see the reason and what is kept, on every page; nothing else opens."""
    with psycopg.connect(postgres_server.superuser, autocommit=True) as connection:
        connection.execute(
            "UPDATE control.tenants SET status = 'suspended', status_reason = 'Unpaid <bill>' WHERE slug = %s",
            (person.slug,),
        )
    for path in ("/", "/findings", "/keys"):
        answer = person.get(person.at(path))
        assert answer.status_code == 403
        assert "Unpaid &lt;bill&gt;" in answer.text and "Nothing was deleted" in answer.text
    assert ">Suspended</span>" in person.get("/tenants").text


def test_full_lists_stay_light(person: Person) -> None:
    """A page with all the rows that it holds is under 60 KB, and leads on to the older ones."""
    person.get(person.at("/documents/new"))
    for number in range(ROWS + 1):
        form = {"name": f"Contract with a long name, draft {number} of many {'x' * 40}", "text": "hello"}
        assert person.post(person.at("/documents"), dict(form)).status_code == 303
    for path in ("/scans", "/assets", "/audit"):
        answer = person.get(person.at(path))
        assert len(answer.data) < 60_000, path
        older = re.search(r'href="([^"]+)">Older', answer.text)
        assert older is not None
        assert path == "/audit" or f"{ROWS} of {ROWS + 1} " in answer.text
        page = person.get(unescape(older.group(1)))
        assert page.status_code == 200 and "Newest" in page.text
