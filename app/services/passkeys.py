"""Passkeys (WebAuthn Level 3): added, shown as the second factor or as the whole sign-in, removed.

Each ceremony answers a challenge of ours that is good for five minutes, once, for one purpose and for the browser that
asked for it. User verification is required throughout, so that a passkey alone is two factors.
"""

import json
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit
from uuid import UUID

from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.authentication.verify_authentication_response import VerifiedAuthentication
from webauthn.helpers import parse_authentication_credential_json, parse_registration_credential_json
from webauthn.helpers.structs import (
    AuthenticationCredential,
    AuthenticatorSelectionCriteria,
    CredentialDeviceType,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from app.core import crypto
from app.core.errors import Invalid, NotFound
from app.db import passkeys
from app.db.passkeys import KnownPasskey, NewPasskey, Passkey
from app.db.people import Account
from app.db.units import Doorway
from app.services import factors
from app.services.accounts import Origin, line_problem, require_unlocked

CHALLENGE_LASTS = timedelta(minutes=5)
MOST = 20
LONGEST_ANSWER = 16_384
REFUSED = "This passkey was not accepted. Try again, or use another way."
SUSPECT = "This passkey is refused: it seems that somebody made a copy of it. Remove it and add it anew."


class WrongPasskey(Invalid):
    """The answer does not hold; the caller commits the doorway, so that its challenge stays spent."""


@dataclass(frozen=True, slots=True)
class Site:
    """Whom passkeys are made for: the host of BASE_URL, and the one origin that may ask."""

    host: str
    origin: str


@dataclass(frozen=True, slots=True)
class Begun:
    """A ceremony that waits for its answer: `handle` stays with the browser's session, `options` go to its script."""

    handle: str
    options: str


@dataclass(frozen=True, slots=True)
class Ceremony:
    """What an answer is for: the purpose, the handle of its challenge, and what that is bound to."""

    purpose: str
    handle: str
    bound: str


def site_of(base_url: str) -> Site:
    """Return the site whose absolute links begin with `base_url`."""
    parts = urlsplit(base_url)
    return Site(parts.hostname or "", f"{parts.scheme}://{parts.netloc}")


def list_passkeys(door: Doorway, user_id: UUID) -> list[Passkey]:
    """Return the person's passkeys, the oldest first."""
    return passkeys.passkeys_of(door.session, user_id)


def get_passkey(door: Doorway, account: Account, passkey_id: UUID) -> Passkey:
    """Return one of the person's passkeys. Raises NotFound."""
    for one in list_passkeys(door, account.user_id):
        if one.id == passkey_id:
            return one
    raise NotFound()


def begin_enrolment(door: Doorway, account: Account, *, bound: str, site: Site) -> Begun:
    """Return what the browser needs to make a passkey that can sign in by itself."""
    known = passkeys.passkeys_of(door.session, account.user_id)
    options = generate_registration_options(
        rp_id=site.host,
        rp_name=factors.ISSUER,
        user_id=account.user_id.bytes,
        user_name=account.email,
        user_display_name=account.name,
        exclude_credentials=[PublicKeyCredentialDescriptor(id=one.credential_id) for one in known],
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
    )
    return _begin(door, "enrol", bound, options.challenge, options_to_json(options))


def add_passkey(
    door: Doorway, account: Account, ceremony: Ceremony, answer: str, name: str, *, site: Site, origin: Origin
) -> tuple[str, ...] | None:
    """Keep the passkey that the browser made; return recovery codes where the person had none.

    Raises Invalid for a name that will not do, WrongPasskey.
    """
    if problem := line_problem(name, 60):
        raise Invalid(fields={"name": problem})
    challenge = _challenge(door, ceremony)
    made = _made(answer, challenge, name.strip(), site)
    if not passkeys.add_passkey(door.session, account.user_id, made, most=MOST):
        raise WrongPasskey(f"This passkey is known already, or you have {MOST} of them.")
    factors.note(door, account, "passkey.add", origin)
    return factors.first_codes(door, account.user_id)


def remove_passkey(door: Doorway, account: Account, passkey_id: UUID, *, origin: Origin) -> None:
    """Forget one of the person's passkeys. Raises NotFound."""
    if not passkeys.drop_passkey(door.session, account.user_id, passkey_id):
        raise NotFound()
    factors.drop_codes_with_last(door, account.user_id)
    factors.note(door, account, "passkey.remove", origin)


def begin_proof(door: Doorway, purpose: str, *, bound: str, user_id: UUID | None, site: Site) -> Begun:
    """Return what the browser needs to show a passkey: one of the person's, or any that it has for this site."""
    known = passkeys.passkeys_of(door.session, user_id) if user_id else []
    options = generate_authentication_options(
        rp_id=site.host,
        allow_credentials=[PublicKeyCredentialDescriptor(id=one.credential_id) for one in known],
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return _begin(door, purpose, bound, options.challenge, options_to_json(options))


def check(
    door: Doorway, ceremony: Ceremony, answer: str, *, user_id: UUID | None, site: Site, origin: Origin
) -> KnownPasskey:
    """Return whose passkey was shown: of `user_id`, or of anybody where none is given.

    A counter that did not rise tells of a copy: the passkey is refused from then on. Raises WrongPasskey,
    TooManyRequests while the person's sign-in is locked. The caller commits the doorway in either case.
    """
    challenge = _challenge(door, ceremony)
    shown = _parsed(answer)
    known = passkeys.find_passkey(door.session, shown.raw_id)
    if known is None or known.user_id != (user_id or known.user_id):
        raise WrongPasskey(REFUSED)
    handle = shown.response.user_handle
    if handle != known.user_id.bytes and (handle or user_id is None):
        raise WrongPasskey(REFUSED)
    require_unlocked(door, known.email)
    if known.suspect:
        raise WrongPasskey(SUSPECT)
    count = _verified(shown, challenge, known, site).new_sign_count
    risen = count > known.sign_count or count == known.sign_count == 0
    if not risen or not passkeys.use_passkey(door.session, shown.raw_id, known.sign_count, count):
        passkeys.suspect_passkey(door.session, shown.raw_id)
        factors.tell(door, known.user_id, known.email, "passkey.suspect", origin)
        raise WrongPasskey(SUSPECT)
    return known


def _begin(door: Doorway, purpose: str, bound: str, challenge: bytes, options: str) -> Begun:
    handle = crypto.new_token()
    passkeys.keep_challenge(
        door.session, crypto.token_hash(handle), purpose, crypto.token_hash(bound), challenge, CHALLENGE_LASTS
    )
    return Begun(handle, options)


def _challenge(door: Doorway, ceremony: Ceremony) -> bytes:
    handle, bound = crypto.token_hash(ceremony.handle), crypto.token_hash(ceremony.bound)
    challenge = passkeys.take_challenge(door.session, handle, ceremony.purpose, bound)
    if challenge is None:
        raise WrongPasskey("This took too long. Try again.")
    return challenge


def _made(answer: str, challenge: bytes, name: str, site: Site) -> NewPasskey:
    try:
        parsed = parse_registration_credential_json(_bounded(answer))
        done = verify_registration_response(
            credential=parsed,
            expected_challenge=challenge,
            expected_rp_id=site.host,
            expected_origin=site.origin,
            require_user_verification=True,
        )
        transports = tuple(one.value for one in parsed.response.transports or ())
    except Exception as error:  # what a browser sends may break the parser in ways that it does not name
        raise WrongPasskey(REFUSED) from error
    synced = done.credential_device_type is CredentialDeviceType.MULTI_DEVICE
    return NewPasskey(done.credential_id, name, done.credential_public_key, done.sign_count, synced, transports)


def _parsed(answer: str) -> AuthenticationCredential:
    try:
        return parse_authentication_credential_json(_bounded(answer))
    except Exception as error:  # as above
        raise WrongPasskey(REFUSED) from error


def _verified(
    shown: AuthenticationCredential, challenge: bytes, known: KnownPasskey, site: Site
) -> VerifiedAuthentication:
    try:
        return verify_authentication_response(
            credential=shown,
            expected_challenge=challenge,
            expected_rp_id=site.host,
            expected_origin=site.origin,
            credential_public_key=known.public_key,
            credential_current_sign_count=0,  # `check` compares, to tell a copy from a forgery
            require_user_verification=True,
        )
    except Exception as error:  # as above
        raise WrongPasskey(REFUSED) from error


def _bounded(answer: str) -> dict[str, object]:
    parsed = json.loads(answer) if len(answer) <= LONGEST_ANSWER else None
    if not isinstance(parsed, dict):
        raise ValueError("no answer of an authenticator")
    return parsed
