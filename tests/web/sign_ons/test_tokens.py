"""What a tenant's provider sends: which tokens are believed, and what else it may answer."""

import time
from contextlib import ExitStack

import pytest
from flask import Flask
from joserfc.jwk import ECKey, OKPKey, RSAKey

from tests.peers import federations
from tests.peers.companies import Company
from tests.peers.federations import depart
from tests.peers.openid import unsigned, with_key, with_public_key_as_secret


@pytest.mark.parametrize("alg", ["ES256", "EdDSA", "PS256"])
def test_each_algorithm_of_the_list_is_believed(company: Company, alg: str) -> None:
    """Elliptic curves and PSS serve as well as RSA."""
    keys = {"ES256": ECKey.generate_key("P-256", {"kid": "k1"}), "EdDSA": OKPKey.generate_key("Ed25519", {"kid": "k1"})}
    company.peer.key, company.peer.alg = keys.get(alg, company.peer.key), alg
    assert company.arrive()[1].status_code == 303


def test_a_rotated_key_is_fetched_and_believed(app: Flask, company: Company) -> None:
    """A key that is not known has the set fetched anew, at most every ten seconds, whoever asks how often."""
    company.arrive(name="ada")
    providers = app.extensions["sentinel"].providers
    company.peer.key = RSAKey.generate_key(2048, {"kid": "k2"})
    company.refused("a key that the provider does not publish", name="bob")
    assert company.peer.asked.count("/keys") == 1
    providers._clock = lambda: time.monotonic() + 11
    assert company.arrive(name="bob")[1].status_code == 303
    company.peer.mischief.id_token = with_key(MADE_UP, kid="k9")
    for _ in range(3):
        company.refused("a key that the provider does not publish", name="cid")
    assert company.peer.asked.count("/keys") == 2


MADE_UP = RSAKey.generate_key(2048)
CLAIMS = {
    "wrong issuer": ({"iss": "https://accounts.example"}, "iss is not what it should be"),
    "wrong audience": ({"aud": "another-client"}, "aud is not what it should be"),
    "another party": ({"aud": ["client-1", "x"], "azp": "x"}, "azp is not what it should be"),
    "an audience more without a party": ({"aud": ["client-1", "x"]}, "azp is not what it should be"),
    "wrong nonce": ({"nonce": "of-another-sign-in"}, "nonce is not what it should be"),
    "no nonce": ({"nonce": None}, "nonce is not what it should be"),
    "expired": ({"exp": 1_700_000_000}, "has expired"),
    "no expiry": ({"exp": None}, "exp is not what it should be"),
    "issued in the future": ({"iat": 4_000_000_000}, "iat is not what it should be"),
    "no subject": ({"sub": None}, "sub is not what it should be"),
    "an empty subject": ({"sub": ""}, "names no subject"),
    "somebody else's access token": ({"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}, "at_hash is not what it should be"),
    "email not verified": ({"email_verified": False}, "has not checked this e-mail address"),
    "email not verified, as text": ({"email_verified": "false"}, "has not checked this e-mail address"),
    "an address that is none": ({"email": "ada"}, "is none"),
    "no address": ({"email": None}, "userinfo"),
}


@pytest.mark.parametrize("case", CLAIMS)
def test_a_token_with_a_false_claim_is_refused(company: Company, case: str) -> None:
    """Issuer, audience, party, nonce, times, subject and address must be what they should be."""
    company.peer.mischief.claims, reason = CLAIMS[case]
    if case == "no address":
        company.peer.mischief.userinfo = {"sub": "somebody else", "email": f"ada@{company.domain}"}
    company.refused(reason)


def test_a_token_signed_by_a_wrong_key_is_refused(company: Company) -> None:
    """A key of one's own under the name of the provider's signs nothing."""
    company.peer.mischief.id_token = with_key(MADE_UP)
    company.refused("signature does not hold")


def test_an_unsigned_token_is_refused(company: Company) -> None:
    """`alg: none` is no signature."""
    company.peer.mischief.id_token = unsigned
    company.refused("not signed by one of")


def test_a_token_signed_with_the_public_key_as_a_shared_secret_is_refused(company: Company) -> None:
    """HS256 with what everybody can read is no signature."""
    company.peer.mischief.id_token = with_public_key_as_secret(company.peer)
    company.refused("not signed by one of")


TOKENS = {
    "an error of the server": ((500, {}, b"{}"), "status 500"),
    "a redirect to a private address": ((302, {"Location": "http://169.254.169.254/latest"}, b""), "we do not follow"),
    "no JSON": ((200, {}, b"<html>"), "none of the standard"),
    "a list": ((200, {}, b"[]"), "none of the standard"),
    "no token": ((200, {}, b"{}"), "without an ID token"),
    "a number as the token": ((200, {}, b'{"id_token": 7}'), "without an ID token"),
    "garbage as the token": ((200, {}, b'{"id_token": "a.b.c"}'), "signature does not hold"),
}


@pytest.mark.parametrize("case", TOKENS)
def test_a_token_endpoint_that_fails_is_reported(company: Company, case: str) -> None:
    """What is no answer of the standard's signs nobody in, and says what came."""
    company.peer.mischief.token, reason = TOKENS[case]
    company.refused(reason)


def test_an_endless_answer_is_cut(company: Company) -> None:
    """A token endpoint that sends without end is left at half a megabyte."""
    company.peer.mischief.endless = True
    company.refused("too large, or broke off")


def test_a_slow_provider_is_given_up(company: Company) -> None:
    """Nobody waits for longer than five seconds for a word."""
    person = company.newcomer()
    back = company.peer.sign_in(depart(person, f"ada@{company.domain}"), "sub-1", f"ada@{company.domain}")
    company.peer.mischief.delay = 7.0
    answer = person.get(back)
    assert answer.status_code == 403 and "did not answer in time" in answer.text


def test_a_slow_provider_holds_three_threads_at_most(app: Flask, company: Company) -> None:
    """Whoever comes fourth is told to come back; another provider's people are not kept waiting."""
    providers = app.extensions["sentinel"].providers
    with ExitStack() as waiting:
        for _ in range(3):
            waiting.enter_context(providers.turn(company.peer.issuer))
        person = company.newcomer()
        person.get("/sso")
        answer = person.post("/sso", {"email": f"ada@{company.domain}"})
        assert answer.status_code == 422 and "Several people wait for this provider" in answer.text
        with providers.turn("https://another.example"):
            pass
    assert company.arrive()[1].status_code == 303


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("token_endpoint", "http://10.0.0.1/x"),
        ("token_endpoint", "https://[::1]/x"),
        ("jwks_uri", "https://127.0.0.1:1/x"),
        ("jwks_uri", "file:///etc/passwd"),
        ("userinfo_endpoint", "https://169.254.169.254/x"),
        ("end_session_endpoint", "javascript://x"),
    ],
)
def test_a_provider_leads_to_no_address_within(company: Company, endpoint: str, url: str) -> None:
    """Metadata that names an inside address is refused, at discovery or when it would be asked."""
    company.peer.mischief.metadata = {endpoint: url}
    if endpoint == "userinfo_endpoint":
        company.peer.mischief.claims = {"email": None}
    person = company.newcomer()
    person.get("/sso")
    answer = person.post("/sso", {"email": f"ada@{company.domain}"})
    if answer.status_code == 200:
        answer = person.get(company.peer.sign_in(federations.onward(answer), "sub-1", f"ada@{company.domain}"))
        assert answer.status_code == 403, answer.text
    assert person.get(f"/t/{company.made.slug}/").status_code == 303
