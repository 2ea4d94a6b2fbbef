"""The way back from a tenant's provider: for the browser, the tenant and the sign-in that began it alone."""

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest

from app.db.units import Units
from tests.peers import federations
from tests.peers.companies import Company
from tests.peers.federations import connect, depart
from tests.peers.tenants import Made


def test_a_replayed_state_is_refused(company: Company) -> None:
    """The way back works once."""
    person = company.newcomer()
    back = company.peer.sign_in(depart(person, f"ada@{company.domain}"), "sub-1", f"ada@{company.domain}")
    assert person.get(back).status_code == 303
    again = company.peer.sign_in(depart(company.newcomer(), f"ada@{company.domain}"), "sub-1", f"ada@{company.domain}")
    replayed = back.split("?")[0] + "?" + again.split("?")[1].split("&state=")[0] + "&state=" + back.split("&state=")[1]
    assert "was begun in another browser" in person.get(replayed).text


def test_a_state_of_another_browser_is_refused(company: Company) -> None:
    """Nobody is signed in as whoever sent them a link (code injection): the state is bound to the browser's cookie."""
    attacker, victim = company.newcomer(), company.newcomer()
    back = company.peer.sign_in(depart(attacker, f"eve@{company.domain}"), "sub-eve", f"eve@{company.domain}")
    depart(victim, f"ada@{company.domain}")
    answer = victim.get(back)
    assert answer.status_code == 403 and "was begun in another browser" in answer.text
    assert attacker.get(back).status_code == 303


def test_a_code_of_another_sign_in_is_refused(company: Company) -> None:
    """A stolen code put into one's own answer fails: its PKCE challenge and its nonce are another's."""
    victim, attacker = company.newcomer(), company.newcomer()
    stolen = company.peer.sign_in(depart(victim, f"ada@{company.domain}"), "sub-ada", f"ada@{company.domain}")
    own = company.peer.sign_in(depart(attacker, f"eve@{company.domain}"), "sub-eve", f"eve@{company.domain}")
    code = parse_qs(urlsplit(stolen).query)["code"][0]
    injected = own.replace(parse_qs(urlsplit(own).query)["code"][0], code)
    answer = attacker.get(injected)
    assert answer.status_code == 403 and "invalid_grant" in answer.text


def test_a_state_of_one_tenant_does_not_open_another(
    company: Company, tenants: Callable[[], Made], worker_units: Units
) -> None:
    """An answer for A's connection that carries B's state is refused at both (mixed-up tenants)."""
    other = tenants()
    domain = federations.domain()
    theirs = connect(other, worker_units, company.peer, domain)
    person = company.newcomer()
    back = company.peer.sign_in(depart(person, f"bob@{domain}"), "sub-bob", f"bob@{domain}")
    assert str(theirs) in back
    mixed = back.replace(str(theirs), str(company.connection_id))
    answer = person.get(mixed)
    assert answer.status_code == 403 and "was begun in another browser" in answer.text
    assert person.get(f"/t/{company.made.slug}/").status_code == 303


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("&iss=https%3A%2F%2Fevil.example", "another provider"),
        ("", "does not say whose it is"),
    ],
)
def test_an_answer_of_another_issuer_is_refused(company: Company, change: str, reason: str) -> None:
    """RFC 9207: `iss` must be the provider's, and must be there where the provider sends it."""
    person = company.newcomer()
    back = company.peer.sign_in(depart(person, f"ada@{company.domain}"), "sub-1", f"ada@{company.domain}")
    answer = person.get(back.split("&iss=")[0] + change)
    assert answer.status_code == 403 and reason in answer.text


def test_what_the_provider_says_went_wrong_is_shown_as_text(company: Company) -> None:
    """An error's words are shown, escaped."""
    person = company.newcomer()
    back = company.peer.sign_in(depart(person, f"ada@{company.domain}"), "sub-1", f"ada@{company.domain}")
    state = parse_qs(urlsplit(back).query)["state"][0]
    path = urlsplit(back).path
    said = "error=access_denied&error_description=%3Cscript%3Ealert(1)%3C/script%3E"
    answer = person.get(f"{path}?state={state}&iss={company.peer.issuer}&{said}")
    assert answer.status_code == 403 and "access_denied" in answer.text and "<script>alert" not in answer.text
