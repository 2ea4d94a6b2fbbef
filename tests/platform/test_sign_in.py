"""Staff come in by a one-use link, a password and a code, and by nothing else."""

import re

import psycopg
import pytest
from flask import Flask

from app.core.ids import new_id
from app.core.settings import settings
from app.db.units import Units
from app.services import staff
from tests.peers.staff import StaffMember, enrolled, invited
from tests.peers.visitors import Person


def pages(app: Flask) -> list[tuple[str, str, bool]]:
    """Return rule, method and whether staff alone may, of every page."""
    found = []
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            found.append((rule.rule, method, getattr(view, "staff_only", None)))
    return found


def test_every_page_asks_who_one_is(platform: Flask) -> None:
    """But for the ways in, the kit's files and the probes, each address sends a stranger to sign in."""
    stranger = Person(platform, "https://staff.localhost:8001")
    stranger.get("/login")
    open_to_all = {"/login", "/logout", "/welcome/<token>", "/static/dist/<name>", "/health", "/ready", "/metrics"}
    asked = 0
    for rule, method, staff_only in pages(platform):
        if rule in open_to_all:
            assert not staff_only
            continue
        assert staff_only, rule
        path = re.sub(r"<uuid:\w+>", str(new_id()), rule)
        path = re.sub(r"<any\((\w+).*?\):name>", r"\1", path)
        answer = stranger.get(path) if method == "GET" else stranger.post(path, {"reason": "because"})
        assert answer.status_code == 303, rule
        assert "/login" in answer.headers["Location"]
        asked += 1
    assert asked >= 6


def test_the_link_works_once(platform: Flask, platform_units: Units) -> None:
    """A second use finds nothing, and opening the page uses nothing up."""
    member = StaffMember(platform, "once@example.com")
    token = invited(platform_units, member.email)
    assert member.get(f"/welcome/{token}").status_code == 200
    assert member.enrol(token).status_code == 303
    assert member.get(f"/welcome/{token}").status_code == 404
    assert member.post(f"/welcome/{token}", {"name": "x"}).status_code == 404


def test_a_wrong_code_makes_no_account(platform: Flask, platform_units: Units) -> None:
    """The app must show that it has the secret; what was typed stays, the link stays in force."""
    member = StaffMember(platform, "code@example.com")
    token = invited(platform_units, member.email)
    member.get(f"/welcome/{token}")
    form = {"name": "Stefan Staff", "password": member.password, "factor": "A" * 32, "code": "000000"}
    answer = member.post(f"/welcome/{token}", dict(form))
    assert answer.status_code == 422
    assert "Stefan Staff" in answer.text
    assert member.enrol(token).status_code == 303


def test_nothing_less_than_both(platform: Flask, platform_units: Units) -> None:
    """A wrong password, a wrong code, a used code and an unknown address get the same words."""
    member = enrolled(platform, platform_units)
    words = staff.WRONG
    for answer in (
        member.try_to_sign_in(password="something else entirely"),
        member.try_to_sign_in(code="000000"),
        StaffMember(platform, "nobody@example.com").try_to_sign_in(code="000000"),
    ):
        assert answer.status_code == 422
        assert words in answer.text
    member.ahead = 1
    code = member.code()
    assert member.try_to_sign_in(code=code).status_code == 303
    assert words in member.try_to_sign_in(code=code).text


def test_failures_lock(platform: Flask, platform_units: Units) -> None:
    """After five failures in a row the right password and code are refused too."""
    member = enrolled(platform, platform_units)
    for _ in range(5):
        assert member.try_to_sign_in(code="000000").status_code == 422
    assert member.try_to_sign_in().status_code == 429


def test_a_disabled_member_is_out_at_the_next_click(member: StaffMember, platform_units: Units) -> None:
    """Their sessions end with the command."""
    assert member.get("/tenants").status_code == 200
    from app.db import staff as directory

    with platform_units.identify() as door:
        assert directory.disable(door.session, member.email)
        door.commit()
    assert member.get("/tenants").status_code == 303
    assert member.try_to_sign_in().status_code == 422


def test_a_tenants_session_opens_nothing(platform: Flask, member: StaffMember) -> None:
    """The staff's cookie has a name and a secret of its own."""
    assert platform.config["SESSION_COOKIE_NAME"] == "__Host-sentinel-staff"
    assert platform.config["SECRET_KEY"] != settings().secret_key.get_secret_value()
    assert member.client.get_cookie("__Host-sentinel-staff", domain="staff.localhost") is not None


@pytest.mark.postgres
def test_the_platforms_login_reads_no_tenants_table(environment: object, platform_units: Units, tenant: object) -> None:
    """Not one table of control, account, content or directory can be read with it."""
    url = settings().database_platform_url
    assert url is not None
    with psycopg.connect(url.get_secret_value(), autocommit=True) as connection:
        names = connection.execute(
            "SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE n.nspname IN ('control', 'account', 'shared', 'auth') AND c.relkind IN ('r', 'v', 'p')"
        ).fetchall()
        assert len(names) > 20
        for (name,) in names:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"SELECT * FROM {name}".encode())
