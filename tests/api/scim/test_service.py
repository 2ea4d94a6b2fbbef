"""The SCIM service itself: tokens, filters, pages, discovery and errors."""

from collections.abc import Callable
from urllib.parse import quote

import pytest
from sqlalchemy import update

from app.core.crypto import credential_hash, pepper_mark
from app.core.errors import Conflict
from app.core.settings import settings
from app.db.units import Home
from app.models.tenants import Tenant
from app.services import scim_tokens
from app.services.plans import Rate
from app.serving import limits
from tests.peers.directories import MEDIA, Directory, issue_token
from tests.peers.tenants import ORIGIN

ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"


def test_without_a_token_nothing_is_told(directory: Directory) -> None:
    """No token, a wrong one, one of another kind: 401 in SCIM's form, with WWW-Authenticate."""
    altered = directory.secret[:-1] + ("x" if directory.secret[-1] != "x" else "y")
    for headers in ({}, {"Authorization": "Bearer"}, {"Authorization": f"Bearer {altered}"}, {"X-API-Key": "sk"}):
        answer = directory.ask("GET", "/Users", headers=headers)
        assert answer.status_code == 401 and answer.mimetype == MEDIA, headers
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert answer.json == {"schemas": [ERROR], "status": "401", "detail": answer.json["detail"]}


def test_a_token_opens_nothing_else(directory: Directory) -> None:
    """A SCIM token is no API key."""
    headers = {"Authorization": f"Bearer {directory.secret}"}
    assert directory.client.get("/api/v1/scans", headers=headers, base_url=directory.address).status_code == 401


def test_the_old_token_holds_until_it_is_revoked(directory: Directory) -> None:
    """A new token works beside the old one; a third is refused; the revoked one is 401 at the next request."""
    issued = issue_token(directory.made)
    new = {"Authorization": f"Bearer {issued.secret}"}
    assert directory.ask("GET", "/Users").status_code == 200
    assert directory.ask("GET", "/Users", headers=new).status_code == 200
    with directory.made.unit(Home.ACCOUNT) as unit, pytest.raises(Conflict):
        scim_tokens.issue_token(unit, pepper=settings().peppers[0])
    with directory.made.unit(Home.ACCOUNT) as unit:
        scim_tokens.revoke_token(unit, directory.token_id)
        unit.commit()
    assert directory.ask("GET", "/Users").status_code == 401
    assert directory.ask("GET", "/Users", headers=new).status_code == 200


def test_the_last_use_is_kept(directory: Directory) -> None:
    """A request leaves its moment with the token, and a second one within the minute writes nothing."""
    moments = []
    for _ in range(2):
        directory.ask("GET", "/Users")
        with directory.made.unit(Home.ACCOUNT) as unit:
            moments.append(scim_tokens.get_token(unit, directory.token_id).used_at)
    assert moments[0] is not None and moments[0] == moments[1]


def test_a_closed_tenant_is_refused(directory: Directory) -> None:
    """A suspended tenant is 403, until it is open again."""
    for values, status in (({"status": "suspended"}, 403), ({"status": "active"}, 200)):
        with directory.made.unit(Home.ACCOUNT) as unit:
            unit.session.execute(update(Tenant).values(**values))
            unit.commit()
        answer = directory.ask("GET", "/Users")
        assert (answer.status_code, answer.mimetype) == (status, MEDIA), answer.text


def test_a_smaller_plan_reads_and_switches_off(directory: Directory) -> None:
    """Where the plan has no provisioning any more, people are listed and switched off; nobody is added or changed."""
    ada = directory.create("ada")
    with directory.made.unit(Home.ACCOUNT) as unit:
        unit.session.execute(update(Tenant).values(plan="professional"))
        unit.commit()
    assert directory.ask("GET", "/Users").status_code == 200
    off, other = (
        {"op": "replace", "path": name, "value": value} for name, value in (("active", False), ("displayName", "A"))
    )
    schemas = ["urn:ietf:params:scim:api:messages:2.0:PatchOp"]
    refused = directory.ask("PATCH", f"/Users/{ada['id']}", {"schemas": schemas, "Operations": [other]})
    assert refused.status_code == 403 and "Provisioning by SCIM is not part" in refused.text
    done = directory.ask("PATCH", f"/Users/{ada['id']}", {"schemas": schemas, "Operations": [off]})
    assert done.status_code == 200 and done.json is not None and done.json["active"] is False
    assert directory.ask("DELETE", f"/Users/{ada['id']}").status_code == 204


def test_too_many_requests_are_429(directory: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenant whose calls of this minute are used up is told to wait, in SCIM's form."""
    monkeypatch.setattr(limits, "_rates", lambda _unit: {Rate.API_REQUESTS: 2})
    statuses = [directory.ask("GET", "/Users") for _ in range(3)]
    assert [answer.status_code for answer in statuses] == [200, 200, 429]
    assert statuses[-1].headers["Retry-After"] and statuses[-1].mimetype == MEDIA


def test_a_token_follows_the_pepper(directory: Directory) -> None:
    """A token that was hashed under the previous pepper is hashed under the present one when it is used."""
    old, new = bytes(31) + b"1", settings().peppers[0]
    with directory.made.unit(Home.ACCOUNT) as unit:
        token = scim_tokens.get_token(unit, directory.token_id)
        token.secret_hash, token.pepper = credential_hash(directory.secret, old), pepper_mark(old)
        unit.commit()
    assert directory.ask("GET", "/Users").status_code == 401
    with directory.made.units.identify() as door:
        found = scim_tokens.find_scim_token(door, directory.secret, peppers=[new, old], origin=ORIGIN)
        unit = scim_tokens.by_scim_token(door, found, directory.secret, pepper=new)
        unit.commit()
    assert directory.ask("GET", "/Users").status_code == 200


FITS: dict[str, set[str]] = {
    'userName eq "{ADA}"': {"ada"},
    'username EQ "{ada}" and active eq true': {"ada"},
    'userName sw "b"': {"bob"},
    'userName co "@"': {"ada", "bob", "cyd"},
    'externalId eq "x-ada"': {"ada"},
    'externalId eq "X-ADA"': set(),
    'emails[type eq "work"].value eq "{bob}"': {"bob"},
    'emails.value eq "{ADA}"': {"ada"},
    'emails[type eq "home" and value eq "{ada}"]': set(),
    'emails co "b@"': {"bob"},
    'displayName eq "cyd" or displayName eq "BOB"': {"bob", "cyd"},
    'not (displayName sw "a")': {"bob", "cyd"},
    'name.familyName eq "doe" and not (userName eq "{ada}")': {"bob", "cyd"},
    "active eq false": {"cyd"},
    'active eq "False"': {"cyd"},
    "externalId pr": {"ada", "bob", "cyd"},
    'groups.value eq "{group}"': {"bob"},
    'meta.lastModified gt "2011-05-13T04:42:34Z"': {"ada", "bob", "cyd"},
    'urn:ietf:params:scim:schemas:core:2.0:User:userName eq "{ada}"': {"ada"},
    'displayName eq "a%"': set(),
    'id eq "nothing"': set(),
}


def test_filters_find_whom_they_say(directory: Directory) -> None:
    """Each filter finds exactly the people that it describes."""
    made = {name: directory.create(name, active=name != "cyd") for name in ("ada", "bob", "cyd")}
    group = directory.group("Staff", made["bob"]["id"])
    words = {name: directory.at(name) for name in made} | {"ADA": directory.at("ADA"), "group": group["id"]}
    for text, wanted in FITS.items():
        answer = directory.ask("GET", f"/Users?filter={quote(text.format(**words))}")
        assert answer.status_code == 200, (text, answer.text)
        found = {one["displayName"].lower() for one in answer.json.get("Resources", [])}
        assert found == wanted, text
    one = directory.ask("GET", f'/Groups?filter=members.value eq "{made["bob"]["id"]}"')
    assert one.json["totalResults"] == 1


@pytest.mark.parametrize(
    "text", ["userName eq", "userName is 1", 'password eq "x"', 'title eq "x"', "active gt true", ")("]
)
def test_a_filter_that_is_not_served_is_400(text: str, directory: Directory) -> None:
    """A filter that cannot be read, or compares what is not kept, is 400 with SCIM's word for it."""
    answer = directory.ask("GET", f"/Users?filter={quote(text)}")
    assert answer.status_code == 400 and answer.json["scimType"] == "invalidFilter", answer.text


def test_pages_go_through_all(directory: Directory) -> None:
    """startIndex and count go through everybody once, in one order; a count of 0 tells how many there are."""
    for number in range(5):
        directory.create(f"p{number}")
    seen = []
    for start in (1, 3, 5):
        page = directory.ask("GET", f"/Users?startIndex={start}&count=2").json
        assert (page["totalResults"], page["startIndex"]) == (5, start)
        assert page["itemsPerPage"] == len(page["Resources"])
        seen += [one["displayName"] for one in page["Resources"]]
    assert seen == [f"P{number}" for number in range(5)]
    none = directory.ask("GET", "/Users?count=0").json
    assert none["totalResults"] == 5 and not none.get("Resources")
    beyond = directory.ask("GET", "/Users?startIndex=99").json
    assert beyond["totalResults"] == 5 and not beyond.get("Resources")
    least = directory.ask("GET", "/Users?attributes=userName&count=1").json["Resources"][0]
    assert set(least) == {"schemas", "id", "userName"}


def test_what_is_not_served_says_so(directory: Directory) -> None:
    """Unknown addresses, methods and media types are answered in SCIM's form."""
    asked = {
        ("GET", "/Nothing"): 404,
        ("GET", f"/Users/{directory.token_id}0"): 404,
        ("DELETE", "/Users"): 405,
        ("POST", "/Bulk"): 501,
        ("POST", "/.search"): 501,
        ("GET", "/Me"): 501,
        ("GET", "/Schemas?filter=id pr"): 403,
        ("GET", "/Schemas/nothing"): 404,
    }
    for (method, path), status in asked.items():
        answer = directory.ask(method, path)
        assert (answer.status_code, answer.mimetype) == (status, MEDIA), (path, answer.text)
        assert answer.json["schemas"] == [ERROR] and answer.json["status"] == str(status)
    headers = {"Authorization": f"Bearer {directory.secret}"}
    text = directory.client.post(
        "/scim/v2/Users", data="x", content_type="text/plain", headers=headers, base_url=directory.address
    )
    assert text.status_code == 415 and text.mimetype == MEDIA
    broken = directory.client.post(
        "/scim/v2/Users", data="{", content_type=MEDIA, headers=headers, base_url=directory.address
    )
    assert broken.status_code == 400 and broken.json["scimType"] == "invalidSyntax"


def test_another_tenants_people_are_not_there(directories: Callable[[], Directory]) -> None:
    """A user or a group of another tenant is 404 in SCIM's form, is no member, and is in no list."""
    a, b = directories(), directories()
    theirs, group = a.create("ada"), a.group("Staff")
    body = {"schemas": [], "userName": "x", "displayName": "x"}
    for path in (f"/Users/{theirs['id']}", f"/Groups/{group['id']}"):
        for method in ("GET", "PUT", "DELETE"):
            answer = b.ask(method, path, body if method == "PUT" else None)
            assert answer.status_code == 404 and answer.json["schemas"] == [ERROR], (method, path)
        assert b.patch(path, {"op": "replace", "path": "displayName", "value": "x"}).status_code == 404
    assert b.ask("POST", "/Groups", {"displayName": "g", "members": [{"value": theirs["id"]}]}).status_code == 400
    assert b.ask("GET", "/Users").json["totalResults"] == 0
    assert a.ask("GET", f"/Users/{theirs['id']}").json == theirs
