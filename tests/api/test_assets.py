"""Assets and their proofs, for programs."""

from collections.abc import Callable

from sqlalchemy import select

from app.models.trails import Effect
from tests.peers.programs import Program

ASSETS = "/api/v1/assets"


def test_web_address_is_added_and_its_proof_told(program: Callable[..., Program]) -> None:
    """A web address comes back in its one form, with what to publish; a second time is 409 and names the first."""
    caller = program()
    added = caller.post(ASSETS, json={"name": "Shop", "address": "Shop.Example.com"})
    assert added.status_code == 201
    assert added.json is not None and added.json["url"] == "https://shop.example.com/"
    proof = added.json["proof"]
    assert (proof["state"], proof["endpoint"]) == ("unproven", "shop.example.com:443")
    assert proof["dns_name"] == "_sentinel-challenge.shop.example.com"
    assert proof["file_url"] == "https://shop.example.com/.well-known/sentinel-challenge.txt"
    assert proof["value"].startswith("sentinel-verification=")
    assert caller.get(added.headers["Location"]).json == added.json
    again = caller.post(ASSETS, json={"name": "Shop", "address": "https://shop.example.com"})
    assert again.status_code == 409
    assert again.json is not None and again.json["asset_id"] == added.json["id"]


def test_check_is_asked_for_once(program: Callable[..., Program]) -> None:
    """Asking for a check twice in a row leaves one request to the worker."""
    caller = program()
    asset = (caller.post(ASSETS, json={"name": "Shop", "address": "shop.example.com"}).json or {})["id"]
    for _ in range(2):
        asked = caller.post(f"{ASSETS}/{asset}/proof/checks")
        assert asked.status_code == 202
        assert asked.headers["Location"] == f"{ASSETS}/{asset}"
    with caller.tenant.unit() as unit:
        assert list(unit.session.scalars(select(Effect.kind))) == ["proof.check"]


def test_document_is_added_and_never_told(program: Callable[..., Program]) -> None:
    """A document is kept without its text in any answer; it needs no proof."""
    caller = program()
    added = caller.post(ASSETS, json={"name": "Letter", "text": "zanzibar"})
    assert added.status_code == 201
    assert added.json is not None and added.json["proof"] is None
    assert "zanzibar" not in added.text + caller.get(ASSETS).text + caller.get(added.headers["Location"]).text
    assert caller.post(f"{ASSETS}/{added.json['id']}/proof/checks").status_code == 404


def test_assets_that_will_not_do(program: Callable[..., Program]) -> None:
    """Neither or both of address and text, addresses that are none, and empty names are 422 with the field."""
    caller = program()
    for body, field in (
        ({"name": "x"}, "address"),
        ({"name": "x", "address": "a.example.com", "text": "b"}, "address"),
        ({"name": "x", "address": "ftp://a.example.com"}, "address"),
        ({"name": "x", "address": "https://user:pass@a.example.com"}, "address"),
        ({"name": " ", "address": "a.example.com"}, "name"),
        ({"name": "two\nlines", "address": "a.example.com"}, "name"),
        ({"name": "nul\0", "text": "b"}, "name"),
        ({"name": "x", "text": " "}, "text"),
    ):
        answer = caller.post(ASSETS, json=body)
        assert answer.status_code == 422, body
        assert answer.json is not None and [entry["field"] for entry in answer.json["errors"]] == [field]
    assert caller.get(ASSETS).json == {"items": [], "next_cursor": None}


def test_assets_are_listed_by_kind(program: Callable[..., Program]) -> None:
    """Assets are listed newest first, all or of one kind."""
    caller = program()
    caller.post(ASSETS, json={"name": "Letter", "text": "Dear Anna"})
    caller.post(ASSETS, json={"name": "Shop", "address": "shop.example.com"})

    def names(**query: str) -> list[str]:
        return [asset["name"] for asset in (caller.get(ASSETS, query_string=query).json or {})["items"]]

    assert names() == ["Shop", "Letter"]
    assert names(kind="document") == ["Letter"]
