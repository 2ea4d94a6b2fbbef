"""Two people's path: invited, accepted in a second browser, given another role, removed with a page still open."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.peers.browsers import window
from tests.peers.consoles import Console
from tests.peers.mailboxes import confirm, follow

pytestmark = pytest.mark.browser
OWNER, GUEST, PASSWORD = "olive@example.com", "gus@example.com", "the ferry leaves at a quarter past"


def test_from_an_invitation_to_a_removal(console: Console, browser: Browser) -> None:
    """Invite by mail, accept in another browser on a phone, change the role, remove: the open page is refused."""
    with window(browser) as desk, window(browser, width=390, theme="dark") as phone:
        sign_up(console, desk.page)
        invite(desk.page)
        accept(console, phone.page)
        assert phone.overflow() <= 0 and phone.small_targets() == []
        change_role(desk.page, phone.page)
        remove(desk.page, phone.page)
        assert desk.complaints == []
        assert [said for said in phone.complaints if "404" not in said and "403" not in said] == []


def sign_up(console: Console, page: Page) -> None:
    """Land in a tenant of one's own."""
    page.goto(f"{console.address}/signup")
    for label, text in (("Company", "Ferry Line"), ("Short name", "ferry"), ("Your name", "Olive"), ("E-mail", OWNER)):
        page.get_by_label(label).fill(text)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    confirm(console, page, OWNER, PASSWORD)
    expect(page).to_have_url(f"{console.address}/t/ferry/")


def invite(page: Page) -> None:
    """Invite one address and one that is none; each has its fate."""
    page.get_by_role("link", name="People", exact=True).click()
    page.get_by_role("link", name="Invite people").click()
    page.get_by_label("E-mail addresses").fill(f"{GUEST}, operator\nnobody")
    page.get_by_role("button", name="Send invitations").click()
    expect(page.get_by_role("heading", name="1 of 2 invited")).to_be_visible()
    expect(page.get_by_text("Not an e-mail address.")).to_be_visible()


def accept(console: Console, page: Page) -> None:
    """Open the mail on a phone, choose name and password, and be in."""
    follow(console, page, "You are invited to Ferry Line")
    expect(page.get_by_role("heading", name="Join Ferry Line")).to_be_visible()
    page.get_by_label("Your name").fill("Gus Guest")
    page.get_by_label("Password").fill("another ferry leaves at noon")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Welcome to Ferry Line.")).to_be_visible()
    page.goto(f"{console.address}/t/ferry/assets/new")
    expect(page.get_by_role("button", name="Add asset")).to_be_visible()


def change_role(desk: Page, phone: Page) -> None:
    """Make the operator a viewer: their open form is refused when it is sent."""
    desk.get_by_role("list", name="Settings").get_by_role("link", name="People").click()
    desk.get_by_role("link", name="Gus Guest").click()
    desk.get_by_role("combobox", name="Role").select_option("viewer")
    desk.get_by_role("button", name="Change role").click()
    expect(desk.get_by_text("Gus Guest is viewer now")).to_be_visible()
    expect(desk.get_by_text("By the role Viewer").first).to_be_visible()
    phone.get_by_label("Name").fill("Too late")
    phone.get_by_label("Address").fill("https://example.com/")
    phone.get_by_role("button", name="Add asset").click()
    expect(phone.get_by_text("Error 403")).to_be_visible()


def remove(desk: Page, phone: Page) -> None:
    """Remove the member by the typed address; their next click finds nothing."""
    phone.get_by_role("link", name="To the overview").click()
    expect(phone.get_by_role("heading", level=1)).to_be_visible()
    desk.get_by_role("link", name="Remove", exact=True).click()
    button = desk.get_by_role("button", name="Remove member")
    expect(button).to_be_disabled()
    desk.get_by_label("E-mail address of the member").fill(GUEST)
    desk.get_by_role("textbox", name="Reason").fill("The season is over")
    button.click()
    expect(desk.get_by_text("Gus Guest is no longer a member.")).to_be_visible()
    phone.reload()
    expect(phone.get_by_text("Error 404")).to_be_visible()
