"""What is no access token of ours, and the keys that sign them."""

import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result
from joserfc import jwt
from joserfc.jwk import ECKey
from sqlalchemy import event
from sqlalchemy.orm import Session

from app import cli
from app.core.errors import Unauthenticated
from app.core.settings import settings
from app.db.units import Units
from app.services import access_tokens, signing_keys, tokens
from app.services.signing_keys import PublicKeys
from app.services.tokens import Installation, Pair
from tests.peers.bearers import confirm_address
from tests.peers.tenants import ORIGIN, Made
from tests.plugins.servers import Database

BASE = "https://sentinel.example"


@pytest.fixture
def installation(environment: object) -> Installation:
    """Who signs."""
    return Installation(BASE, settings().master)


@pytest.fixture
def pair(units: Units, tenant: Made, postgres_server: Database, installation: Installation) -> Pair:
    """The tokens of a tenant's owner."""
    confirm_address(postgres_server, tenant.email)
    with units.identify() as door:
        unit, made = tokens.sign_in(
            door, tenant.email, tenant.password, slug=None, installation=installation, origin=ORIGIN
        )
        unit.commit()
    return made


@contextmanager
def session_of(units: Units) -> Iterator[Session]:
    """A transaction that belongs to nobody."""
    with units.identify() as door:
        yield door.session


def opens(units: Units, token: str, *, base_url: str = BASE) -> bool:
    """Tell whether a token opens its tenant."""
    try:
        with units.identify() as door:
            tokens.by_token(door, token, keys=PublicKeys(), base_url=base_url, origin=ORIGIN)
    except Unauthenticated:
        return False
    return True


def part(value: object) -> str:
    """Return a part of a compact JWT."""
    return urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def claims_of(token: str) -> dict[str, Any]:
    """Return what a token says, unchecked."""
    from joserfc.jws import extract_compact

    return dict(json.loads(extract_compact(token.encode()).payload))


def test_the_real_one_opens(units: Units, pair: Pair) -> None:
    """The token that was signed opens; what follows differs from it in one thing each."""
    assert opens(units, pair.access)


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "https://elsewhere.example"},
        {"aud": BASE},
        {"aud": ["https://elsewhere.example/api"]},
        {"exp": 1},
        {"exp": "tomorrow"},
        {"iat": 4_000_000_000},
        {"sid": "00000000-0000-7000-8000-000000000000"},
        {"sub": "00000000-0000-7000-8000-000000000000"},
        {"tenant": "00000000-0000-7000-8000-000000000000"},
        {"tenant": "acme"},
        {"sid": None},
        {"sub": ["x"]},
        {"jti": None},
    ],
)
def test_another_claim_opens_nothing(
    units: Units, pair: Pair, installation: Installation, change: dict[str, object]
) -> None:
    """A token that our key signed is refused with another issuer, audience, time, session, person or tenant."""
    with session_of(units) as session:
        signer = signing_keys.signer(session, installation.master_key)
    header = {"typ": "at+jwt", "alg": "ES256", "kid": signer.kid}
    told = {name: value for name, value in {**claims_of(pair.access), **change}.items() if value is not None}
    token = jwt.encode(header, told, signer.key, algorithms=["ES256"], default_type=None)
    assert not opens(units, token)


@pytest.mark.parametrize("header", [{"typ": "JWT"}, {"typ": None}, {"kid": "unknown"}, {"kid": None}, {"alg": "none"}])
def test_another_header_opens_nothing(
    units: Units, pair: Pair, installation: Installation, header: dict[str, object]
) -> None:
    """A token of another type, of an unknown key, or that says it is unsigned is refused."""
    with session_of(units) as session:
        signer = signing_keys.signer(session, installation.master_key)
    whole = {"typ": "at+jwt", "alg": "ES256", "kid": signer.kid, **header}
    whole = {name: value for name, value in whole.items() if value is not None}
    if whole["alg"] == "none":
        token = f"{part(whole)}.{pair.access.split('.')[1]}."
    else:
        token = jwt.encode(whole, claims_of(pair.access), signer.key, algorithms=["ES256"], default_type=None)
    assert not opens(units, token)


def test_another_key_opens_nothing(units: Units, pair: Pair) -> None:
    """A token under our key's id that another key signed, or that took our public key for a secret, is refused."""
    kid = pair.access.split(".")[0]
    with session_of(units) as session:
        known = signing_keys.published(session)[0]
    header = {"typ": "at+jwt", "alg": "ES256", "kid": known.kid}
    stranger = jwt.encode(header, claims_of(pair.access), ECKey.generate_key("P-256"), algorithms=["ES256"])
    signed = f"{part({**header, 'alg': 'HS256'})}.{pair.access.split('.')[1]}"
    confused = (
        f"{signed}.{urlsafe_b64encode(hmac.digest(known.public, signed.encode(), 'sha256')).decode().rstrip('=')}"
    )
    bent = f"{kid}.{pair.access.split('.')[1]}.{'A' * 86}"
    assert not any(opens(units, token) for token in (stranger, confused, bent))


@pytest.mark.parametrize(
    "token",
    [
        "..",
        "a.b.c",
        "é.é.é",
        "\0.\0.\0",
        f"{part([])}.{part({})}.AAAA",
        f"{part({'alg': 'ES256', 'typ': 'at+jwt', 'kid': 7})}.e30.AAAA",
        f"{part({'alg': 'ES256', 'typ': 'at+jwt', 'kid': 'x', 'crit': ['exp']})}.e30.AAAA",
        urlsafe_b64encode(b"[" * 1500).decode() + ".e30.AAAA",
        "a" * 5000 + ".b.c",
    ],
)
def test_nonsense_opens_nothing(units: Units, token: str) -> None:
    """What only looks like a token is refused as any other."""
    assert not opens(units, token)


def test_expiry_is_fifteen_minutes(units: Units, pair: Pair, installation: Installation) -> None:
    """A token is good for 15 minutes and a few seconds for clocks that differ."""
    with session_of(units) as session:
        signer = signing_keys.signer(session, installation.master_key)
    now = units.clock.now()
    old, older = (
        access_tokens.sign(pair.visitor, signer, base_url=BASE, now=now - timedelta(minutes=14 + minutes))
        for minutes in (0, 2)
    )
    assert opens(units, old) and not opens(units, older)


def test_a_token_is_checked_in_one_round_trip(units: Units, pair: Pair) -> None:
    """With its public key known, a token costs one statement, which tells session, membership and tenant at once."""
    keys = PublicKeys()
    asked: list[str] = []
    engine = units.engines.control
    for expected in (2, 1):
        asked.clear()
        with units.identify() as door:
            event.listen(engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
            tokens.by_token(door, pair.access, keys=keys, base_url=BASE, origin=ORIGIN)
            told = {statement for statement in asked if "note_entry" not in statement}  # once for a session, in the log
            assert len(told) == expected, asked


def test_a_new_key_is_published_before_it_signs(
    units: Units, pair: Pair, installation: Installation, postgres_server: Database
) -> None:
    """After a rotation both keys are published and the old one signs; ten minutes later the new one does.

    What the old one signed opens until it is over; sixteen minutes after that the old key is gone.
    """
    with units.identify() as door:
        old = signing_keys.signer(door.session, installation.master_key).kid
        assert signing_keys.add_key(door.session, installation.master_key)
        assert not signing_keys.add_key(door.session, installation.master_key)
        door.commit()
    with session_of(units) as session:
        kids = [key.kid for key in signing_keys.published(session)]
        assert len(kids) >= 2 and kids[0] != old
        assert signing_keys.signer(session, installation.master_key).kid == old
    pass_time(postgres_server, minutes=11)
    with session_of(units) as session:
        assert signing_keys.signer(session, installation.master_key).kid == kids[0]
        assert old in [key.kid for key in signing_keys.published(session)]
    assert opens(units, pair.access)
    pass_time(postgres_server, minutes=20)
    with session_of(units) as session:
        assert old not in [key.kid for key in signing_keys.published(session)]


def pass_time(database: Database, **span: int) -> None:
    """Let the signing keys be older."""
    with psycopg.connect(database.superuser) as connection:
        connection.execute(
            "UPDATE auth.signing_keys SET created_at = created_at - %(s)s, signs_from = signs_from - %(s)s",
            {"s": timedelta(**span)},
        )


def test_a_key_of_ninety_days_is_replaced_by_use(
    units: Units, pair: Pair, installation: Installation, postgres_server: Database
) -> None:
    """Signing with a key of 90 days publishes another one, once; the old one signs until its time has come."""
    pass_time(postgres_server, days=91)
    for _ in range(2):
        with units.identify() as door:
            signing = signing_keys.signer(door.session, installation.master_key).kid
            door.commit()
        with session_of(units) as session:
            waiting = [key for key in signing_keys.published(session) if key.signs_from > units.clock.now()]
        assert len(waiting) == 1 and waiting[0].kid != signing


def test_a_revoked_key_opens_nothing_from_the_next_request(
    units: Units, pair: Pair, installation: Installation, postgres_server: Database, environment: dict[str, str]
) -> None:
    """After the command, what the key has signed is refused even where its public part is known; another key signs."""
    keys = PublicKeys()
    with units.identify() as door:
        tokens.by_token(door, pair.access, keys=keys, base_url=BASE, origin=ORIGIN)
    done = CliRunner().invoke(cli.main, ["tokens", "revoke", "--all"])
    assert done.exit_code == 0, done.output
    with units.identify() as door, pytest.raises(Unauthenticated):
        tokens.by_token(door, pair.access, keys=keys, base_url=BASE, origin=ORIGIN)
    with units.identify() as door:
        unit, following = tokens.refresh(door, pair.refresh, installation=installation, origin=ORIGIN)
        unit.commit()
    assert opens(units, following.access)
    with psycopg.connect(postgres_server.superuser) as connection:
        kept = connection.execute(
            "SELECT count(*) FROM auth.signing_keys WHERE revoked_at IS NOT NULL AND wrapped IS NOT NULL"
        )
        assert kept.fetchone() == (0,)


def test_the_commands_say_what_they_did(units: Units, pair: Pair) -> None:
    """`tokens rotate` publishes once, `tokens list` shows what is published, `tokens revoke` refuses an unknown key."""

    def run(*words: str) -> Result:
        return CliRunner().invoke(cli.main, ["tokens", *words])

    assert run("revoke").exit_code == 2
    assert "no such key" in run("revoke", "unknown").output
    first, second = run("rotate").output, run("rotate").output
    assert "signs in ten minutes" in first or "waits to sign already" in first  # another test's key may wait
    assert "waits to sign already" in second
    with session_of(units) as session:
        kids = [key.kid for key in signing_keys.published(session)]
    listed = run("list").output
    assert all(kid in listed for kid in kids)


def test_the_private_part_is_wrapped(units: Units, pair: Pair, postgres_server: Database) -> None:
    """No row holds a private key, a refresh token or an access token in clear."""
    with psycopg.connect(postgres_server.superuser) as connection:
        rows = connection.execute(
            "SELECT encode(coalesce(wrapped, ''), 'escape') FROM auth.signing_keys "
            "UNION ALL SELECT encode(token_hash, 'escape') FROM auth.refresh_tokens"
        ).fetchall()
    kept = "".join(text for (text,) in rows)
    assert pair.refresh not in kept and pair.access not in kept and "PRIVATE" not in kept
