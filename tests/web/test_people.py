"""People in the browser: roles, extras, removal, leaving, invitations, several tenants, and what a tenant is called."""

import io
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from app.core.permissions import Permission, Role, permissions_of
from app.db.units import Home, Units
from app.services import entrances, memberships
from tests.peers.letters import Letters
from tests.peers.members import make_member, make_person, user_of
from tests.peers.tenants import Made, make_tenant
from tests.peers.visitors import Person


@dataclass(frozen=True)
class Staff:
    """A tenant with browsers for its people."""

    made: Made
    newcomer: Callable[[], Person]

    def at_browser(self, who: Made) -> Person:
        """Sign somebody in."""
        person = self.newcomer().sign_in(who)
        person.get(person.at("/leave"))  # a form's token
        return person

    def member(self, role: Role) -> tuple[Made, Person]:
        """Make a member, signed in."""
        made = make_member(self.made, role)
        return made, self.at_browser(made)


@pytest.fixture
def staff(units: Units, newcomer: Callable[[], Person]) -> Staff:
    """A tenant of this test's own."""
    return Staff(make_tenant(units), newcomer)


def page_of(made: Made) -> str:
    return f"/people/{user_of(made)}"


def role_in(made: Made, who: Made) -> str | None:
    with made.unit(Home.ACCOUNT) as unit:
        member = memberships.find_member(unit, user_of(who))
        return None if member is None else member.role


def test_the_list_shows_everybody_and_finds_one(staff: Staff) -> None:
    """Name, address, role; search and filter by the address of the page; nobody found is said so."""
    viewer, _ = staff.member(Role.VIEWER)
    owner = staff.at_browser(staff.made)
    text = owner.get(owner.at("/people")).text
    assert viewer.email in text and staff.made.email in text and "2 members" in text and "You" in text
    assert viewer.email not in owner.get(owner.at("/people?role=owner")).text
    assert viewer.email in owner.get(owner.at(f"/people?q={viewer.email.upper()}")).text
    assert "Nobody like that" in owner.get(owner.at("/people?q=nobody")).text
    assert owner.get(owner.at("/people?role=king")).status_code == 400


def test_a_change_of_role_holds_at_the_next_click(staff: Staff) -> None:
    """The page that was open is refused; what one may not do is not shown."""
    who, at_work = staff.member(Role.ADMIN)
    assert at_work.get(at_work.at("/people")).status_code == 200
    owner = staff.at_browser(staff.made)
    owner.get(owner.at(page_of(who)))
    answer = owner.post(owner.at(page_of(who) + "/role"), {"role": "viewer"})
    assert answer.status_code == 303 and "is viewer now" in owner.get(answer.location).text
    assert at_work.get(at_work.at("/people")).status_code == 403
    assert "/people" not in at_work.get(at_work.at("/")).text


def test_roles_beyond_ones_own_are_neither_offered_nor_taken(staff: Staff) -> None:
    """An admin's form names no owner, a posted one is refused; on an owner's page there is nothing to press."""
    _, admin = staff.member(Role.ADMIN)
    who, _ = staff.member(Role.VIEWER)
    text = admin.get(admin.at(page_of(who))).text
    assert 'value="admin"' in text and 'value="owner"' not in text
    assert admin.post(admin.at(page_of(who) + "/role"), {"role": "owner"}).status_code == 422
    text = admin.get(admin.at(page_of(staff.made))).text
    assert "Change role" not in text and "/removal" not in text
    assert admin.post(admin.at(page_of(staff.made) + "/role"), {"role": "admin"}).status_code in (403, 409)
    assert role_in(staff.made, staff.made) == "owner" and role_in(staff.made, who) == "viewer"


def test_an_extra_permission_comes_and_goes(staff: Staff) -> None:
    """Granted with a reason it opens a page; the explanation says by whom; ended, the page is refused."""
    who, viewer = staff.member(Role.VIEWER)
    owner = staff.at_browser(staff.made)
    owner.get(owner.at(page_of(who)))
    assert viewer.get(viewer.at("/audit")).status_code == 403
    form = {"permission": Permission.AUDIT_READ, "reason": "covers for Ann"}
    assert owner.post(owner.at(page_of(who) + "/extras"), {**form, "reason": ""}).status_code == 422
    assert owner.post(owner.at(page_of(who) + "/extras"), form).status_code == 303
    assert viewer.get(viewer.at("/audit")).status_code == 200
    text = owner.get(owner.at(page_of(who))).text
    assert f"by {staff.made.email}: covers for Ann" in re.sub(r"\s+", " ", text)
    found = re.search(r"/extras/[0-9a-f-]{36}/end", text)
    assert found is not None
    assert owner.post(owner.at(page_of(who) + found.group(0))).status_code == 303
    assert viewer.get(viewer.at("/audit")).status_code == 403


def test_the_page_explains_every_permission(staff: Staff) -> None:
    """Each permission stands there, held or not, with its source; a reader without the right to write may look."""
    who, _ = staff.member(Role.OPERATOR)
    _, auditor = staff.member(Role.AUDITOR)
    text = auditor.get(auditor.at(page_of(who))).text
    names = re.findall(r"<tr><td>([a-z-]+: [a-z]+)</td>", text)
    assert len(names) == len(Permission)
    assert text.count("By the role Operator") == len(permissions_of(Role.OPERATOR))
    assert "Grant" not in text and "Change role" not in text


def test_removal_says_what_ends_and_refuses_the_open_page(staff: Staff) -> None:
    """Only with the address typed; then the removed person's page and session find no tenant."""
    who, at_work = staff.member(Role.OPERATOR)
    owner = staff.at_browser(staff.made)
    assert "No API key is affected" in owner.get(owner.at(page_of(who) + "/removal")).text
    assert owner.post(owner.at(page_of(who) + "/removal"), {"name": "somebody"}).status_code == 422
    assert at_work.get(at_work.at("/scans")).status_code == 200
    answer = owner.post(owner.at(page_of(who) + "/removal"), {"name": who.email, "reason": "left in June"})
    assert answer.status_code == 303 and "is no longer a member" in owner.get(answer.location).text
    assert at_work.get(at_work.at("/scans")).status_code == 404
    assert "left in June" in owner.get(owner.at("/audit")).text
    assert "No tenant yet" in at_work.get("/tenants").text


def test_one_may_leave_but_not_as_the_last_owner(staff: Staff) -> None:
    """The short name is typed; the last owner is told to offer the ownership first."""
    who, viewer = staff.member(Role.VIEWER)
    assert viewer.post(viewer.at("/leave"), {"name": "wrong"}).status_code == 422
    assert viewer.post(viewer.at("/leave"), {"name": viewer.slug}).location == "/tenants"
    assert viewer.get(viewer.at("/")).status_code == 404 and role_in(staff.made, who) is None
    owner = staff.at_browser(staff.made)
    answer = owner.post(owner.at("/leave"), {"name": owner.slug})
    assert answer.status_code == 409 and "last owner" in answer.text


def test_ownership_changes_hands_by_two_pages(staff: Staff) -> None:
    """Offered with the address typed, told by a banner, accepted by a button; the giver is an admin then."""
    who, taker = staff.member(Role.OPERATOR)
    owner = staff.at_browser(staff.made)
    path = page_of(who) + "/ownership"
    assert "Offer ownership" in owner.get(owner.at(page_of(who))).text
    assert owner.post(owner.at(path), {"name": "wrong", "after": "admin"}).status_code == 422
    assert "You are offered" not in taker.get(taker.at("/")).text
    answer = owner.post(owner.at(path), {"name": who.email, "after": "admin"})
    assert who.email in owner.get(answer.location).text
    assert "You are offered the ownership" in taker.get(taker.at("/scans")).text
    assert "Accept the ownership" in taker.get(taker.at("/ownership")).text
    assert taker.post(taker.at("/ownership/acceptance")).status_code == 303
    assert role_in(staff.made, who) == "owner" and role_in(staff.made, staff.made) == "admin"
    assert owner.get(owner.at(path)).status_code == 403
    assert "You are offered" not in taker.get(taker.at("/scans")).text


def test_an_offer_is_withdrawn_or_refused(staff: Staff) -> None:
    """Either ends it; whoever it was made to is told that nothing is offered."""
    who, taker = staff.member(Role.ADMIN)
    owner = staff.at_browser(staff.made)
    form = {"name": who.email, "after": "owner"}
    assert owner.post(owner.at(page_of(who) + "/ownership"), form).status_code == 303
    assert owner.post(owner.at("/ownership/withdrawal")).status_code == 303
    assert "Nothing is offered to you" in taker.get(taker.at("/ownership")).text
    assert taker.post(taker.at("/ownership/acceptance")).status_code == 404
    assert owner.post(owner.at(page_of(who) + "/ownership"), form).status_code == 303
    assert taker.post(taker.at("/ownership/refusal")).status_code == 303
    assert role_in(staff.made, who) == "admin"
    assert "No offer is open" in owner.get(owner.at("/ownership")).text


def test_the_switcher_stands_only_where_there_is_a_choice(staff: Staff, units: Units) -> None:
    """With one tenant there is none; with two it leads to the other, and a closed one is said to be."""
    who, person = staff.member(Role.VIEWER)
    assert "Switch to another tenant" not in person.get(person.at("/")).text
    other = make_tenant(units, "Lantern")
    with other.unit(Home.ACCOUNT) as unit:
        memberships.add_member(unit, user_of(who), who.email, "Mira", Role.ADMIN, source="sso")
        unit.commit()
    text = person.get(person.at("/")).text
    assert "Switch to another tenant" in text and f"/t/{other.slug}/" in text
    assert "Lantern" in person.get(f"/t/{other.slug}/").text


def test_one_lands_where_one_was_last_in_any_browser(staff: Staff, units: Units) -> None:
    """The last used tenant is the server's memory; a link to a page keeps its tenant through the sign-in."""
    who, person = staff.member(Role.VIEWER)
    other = make_tenant(units, "Zebra")
    with other.unit(Home.ACCOUNT) as unit:
        memberships.add_member(unit, user_of(who), who.email, "Mira", Role.VIEWER, source="sso")
        unit.commit()
    elsewhere = staff.at_browser(who)
    for slug in (who.slug, other.slug, who.slug):
        person.get(f"/t/{slug}/scans")
        assert elsewhere.get("/").location == f"/t/{slug}/"
    stranger = staff.newcomer()
    deep = f"/t/{other.slug}/findings?severity=high"
    stranger.get(stranger.get(deep).location)
    form = {"email": who.email, "password": who.password, "next": deep}
    assert stranger.post("/login", form).location == deep


def test_an_end_is_an_end_for_the_switcher_too(staff: Staff, units: Units) -> None:
    """A tenant that one was removed from is neither listed nor landed in."""
    who, person = staff.member(Role.VIEWER)
    with staff.made.unit(Home.ACCOUNT) as unit:
        memberships.end_membership(unit, user_of(who), reason="left")
        unit.commit()
    assert person.get("/").location == "/tenants"
    with units.identify() as door:
        assert entrances.last_visited(door, "unknown") is None


def test_a_new_person_joins_from_the_mail(staff: Staff, letters: Letters) -> None:
    """Invite, open the link twice, choose name and password, land in the tenant; then the link is used up."""
    owner, email = staff.at_browser(staff.made), f"n-{secrets.token_hex(5)}@example.com"
    owner.get(owner.at("/people/invitations/new"))
    answer = owner.post(owner.at("/people/invitations"), {"addresses": f"{email}\nnobody", "role": "operator"})
    assert "1 of 2 invited" in answer.text and "Not an e-mail address." in answer.text
    assert email in owner.get(owner.at("/people/invitations")).text
    link, guest = letters.link(email), staff.newcomer()
    for _ in range(2):
        assert "Create account and join" in guest.get(link).text
    weak = guest.post(link + "/account", {"name": "Nell", "password": "short"})
    assert weak.status_code == 422 and "At least 12" in weak.text
    joined = guest.post(link + "/account", {"name": "Nell", "password": "a lighthouse keeps its hours"})
    assert joined.location == f"/t/{staff.made.slug}/"
    text = guest.get(joined.location).text
    assert "Welcome to Acme." in text and "open the link that we mailed you" not in text
    gone = staff.newcomer().get(link)
    assert gone.status_code == 404 and "not in force" in gone.text


def test_somebody_with_an_account_signs_in_first_and_comes_back(staff: Staff, letters: Letters) -> None:
    """The link leads through the sign-in to itself; a POST without a session changes nothing."""
    person, owner = make_person(staff.made), staff.at_browser(staff.made)
    owner.post(owner.at("/people/invitations"), {"addresses": person.email, "role": "viewer"})
    link, guest = letters.link(person.email), staff.newcomer()
    text = guest.get(link).text
    assert "Sign in to accept" in text and f"next={link}" in text.replace("%2F", "/")
    guest.get(f"/login?next={link}")
    form = {"email": person.email, "password": person.password, "next": link}
    assert guest.post("/login", form).location == link
    assert "Accept the invitation" in guest.get(link).text
    assert guest.post(link).location == f"/t/{staff.made.slug}/"
    assert guest.get(f"/t/{staff.made.slug}/").status_code == 200


def test_the_wrong_account_gets_a_clear_page(staff: Staff, letters: Letters) -> None:
    """Signed in as somebody else one is told so, may sign out from there, and comes back to the invitation."""
    person, owner = make_person(staff.made), staff.at_browser(staff.made)
    owner.post(owner.at("/people/invitations"), {"addresses": person.email, "role": "viewer"})
    link = letters.link(person.email)
    text = owner.get(link).text
    assert "You are signed in as somebody else" in text and person.email in text and staff.made.email in text
    assert owner.post(link).status_code == 403
    assert owner.post(link + "/sign-out").location == link
    assert "Sign in to accept" in owner.get(link).text


def test_an_unknown_link_has_one_clear_page(staff: Staff) -> None:
    """Whatever the reason, the same page: looked at or posted."""
    guest = staff.newcomer()
    guest.get("/login")
    link = "/invitation/" + "x" * 43
    answers = [guest.get(link), guest.post(link), guest.post(link + "/account", {"name": "N", "password": "x" * 20})]
    assert [(a.status_code, "not in force" in a.text) for a in answers] == [(404, True)] * 3


def test_invitations_are_sent_again_and_revoked(staff: Staff) -> None:
    """Both by a button of the list; the list says when nobody is waiting."""
    owner, email = staff.at_browser(staff.made), f"n-{secrets.token_hex(5)}@example.com"
    assert "Nobody is waiting" in owner.get(owner.at("/people/invitations")).text
    owner.post(owner.at("/people/invitations"), {"addresses": email, "role": "viewer"})
    text = owner.get(owner.at("/people/invitations")).text
    resend, revoke = (re.search(rf"/people/invitations/[0-9a-f-]+/{verb}", text) for verb in ("resend", "revocation"))
    assert resend is not None and revoke is not None
    for _ in range(3):
        answer = owner.post(owner.at(resend.group(0)))
    assert "several mails lately" in owner.get(answer.location).text
    answer = owner.post(owner.at(revoke.group(0)))
    assert "was revoked" in owner.get(answer.location).text
    answer = owner.post(owner.at(resend.group(0)))
    assert "revoked already" in owner.get(answer.location).text


def test_a_csv_file_is_taken_as_a_list(staff: Staff) -> None:
    """A file as a spreadsheet saves it; one that is no text is refused beside its field."""
    owner, email = staff.at_browser(staff.made), f"n-{secrets.token_hex(5)}@example.com"

    def send(content: bytes) -> str:
        form = {"addresses": "", "role": "viewer", "file": (io.BytesIO(content), "people.csv")}
        return owner.post(owner.at("/people/invitations"), form, content_type="multipart/form-data").text

    assert "1 of 1 invited" in send(f"\ufeffemail;role\r\n{email};auditor\r\n".encode())
    assert "save it as UTF-8" in send(b"\xff\xfe\x00") or "Save it as UTF-8" in send(b"\xff\xfe\x00")
    assert "t most 64 KB" in send(b"x" * 70_000)
    assert "rite at least one address" in send(b"\n")


def test_only_who_manages_people_invites(staff: Staff) -> None:
    """An auditor sees the invitations and no button; an operator sees no people at all."""
    _, auditor = staff.member(Role.AUDITOR)
    _, operator = staff.member(Role.OPERATOR)
    assert "Invite people" not in auditor.get(auditor.at("/people/invitations")).text
    assert auditor.post(auditor.at("/people/invitations"), {"addresses": "a@example.com"}).status_code == 403
    for path in ("/people", "/people/invitations", "/people/invitations/new", "/settings"):
        assert operator.get(operator.at(path)).status_code == 403


def test_the_tenant_is_given_another_name(staff: Staff) -> None:
    """It shows at once on every page; the short name stays; an auditor may only look."""
    owner = staff.at_browser(staff.made)
    assert staff.made.slug in owner.get(owner.at("/settings")).text
    for bad in ("", "two\nlines", "x" * 121):
        assert owner.post(owner.at("/settings"), {"name": bad}).status_code == 422
    assert owner.post(owner.at("/settings"), {"name": "Acme <& Sons>"}).status_code == 303
    assert "Acme &lt;&amp; Sons&gt;" in owner.get(owner.at("/")).text
    assert "tenant.rename" in owner.get(owner.at("/audit")).text
    _, auditor = staff.member(Role.AUDITOR)
    assert "Save" not in auditor.get(auditor.at("/settings")).text
    assert auditor.post(auditor.at("/settings"), {"name": "Other"}).status_code == 403
    assert replace(staff.made).slug in auditor.get(auditor.at("/settings")).text
