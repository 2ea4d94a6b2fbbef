"""One client at one provider: the way there with PKCE, the code redeemed, the ID token believed, the way out."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote_plus

from authlib.common.errors import AuthlibBaseError
from authlib.common.urls import add_params_to_uri
from authlib.oauth2.auth import encode_client_secret_basic
from authlib.oauth2.client import OAuth2Client

from app.services.openid import id_tokens
from app.services.openid.faults import ProviderFault, quoted
from app.services.openid.providers import Provider, Providers
from app.services.openid.sessions import OutboundSession

SCOPE = "openid email profile"


@dataclass(frozen=True, slots=True)
class Client:
    """Who we are at a provider. `redirect_uri` is ours for this one connection."""

    issuer: str
    client_id: str
    secret: str
    redirect_uri: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider vouches for: the claims of its ID token, and of userinfo where that one has no address."""

    subject: str
    claims: Mapping[str, Any]
    id_token: str


def ask_for_code(
    client: Client,
    provider: Provider,
    *,
    state: str,
    nonce: str,
    verifier: str,
    hint: str | None,
    anew: bool = False,
) -> str:
    """Return the address at the provider at which a person signs in; `hint` is their address.

    Asked `anew`, it lets nobody through by a session that it has of them, and says when they signed in.
    """
    more = {"login_hint": hint} if hint else {}
    if anew:
        more |= {"prompt": "login", "max_age": "0"}
    url, _state = _speaking(client, provider, None).create_authorization_url(
        provider.authorization_endpoint, state=state, code_verifier=verifier, nonce=nonce, **more
    )
    return str(url)


def redeem(
    client: Client,
    providers: Providers,
    *,
    code: str,
    nonce: str,
    verifier: str,
    now: datetime,
) -> Answer:
    """Turn a code into what the provider vouches for. Raises ProviderFault for anything that cannot be believed."""
    provider = providers.provider(client.issuer)
    session = providers.session()
    tokens = _tokens(client, provider, session, code, verifier)
    id_token, access_token = tokens.get("id_token"), tokens.get("access_token")
    if not isinstance(id_token, str):
        raise ProviderFault("The provider answered without an ID token: does the client have the scope openid?")
    claims = id_tokens.believe(
        id_token,
        providers,
        provider,
        client_id=client.client_id,
        nonce=nonce,
        access_token=access_token if isinstance(access_token, str) else None,
        now=now,
    )
    subject = str(claims["sub"])
    if "email" not in claims and provider.userinfo_endpoint and isinstance(access_token, str):
        claims = {**_userinfo(provider.userinfo_endpoint, session, access_token, subject), **claims}
    return Answer(subject, claims, id_token)


def leave(client: Client, provider: Provider, *, id_token: str, back: str) -> str | None:
    """Return the address at which a person signs out of the provider and comes `back`, if it has one."""
    if provider.end_session_endpoint is None:
        return None
    given = {"id_token_hint": id_token, "client_id": client.client_id, "post_logout_redirect_uri": back}
    return str(add_params_to_uri(provider.end_session_endpoint, given))


def _speaking(client: Client, provider: Provider, session: OutboundSession | None) -> OAuth2Client:
    speaking = OAuth2Client(
        session=session,
        client_id=client.client_id,
        client_secret=client.secret,
        token_endpoint_auth_method=provider.token_auth,
        scope=SCOPE,
        redirect_uri=client.redirect_uri,
        code_challenge_method="S256",
    )
    speaking.register_client_auth_method(("client_secret_basic", _basic))
    return speaking


def _basic(auth: Any, method: str, uri: str, headers: dict[str, str], body: str) -> tuple[str, dict[str, str], str]:
    """Put both into the header as RFC 6749, section 2.3.1, wants them: form-encoded first."""
    quoted_auth = type(auth)(quote_plus(auth.client_id), quote_plus(auth.client_secret))
    return encode_client_secret_basic(quoted_auth, method, uri, headers, body)  # type: ignore[no-any-return]


def _tokens(
    client: Client, provider: Provider, session: OutboundSession, code: str, verifier: str
) -> Mapping[str, Any]:
    try:
        tokens: Mapping[str, Any] = _speaking(client, provider, session).fetch_token(
            provider.token_endpoint, grant_type="authorization_code", code=code, code_verifier=verifier
        )
    except AuthlibBaseError as error:
        said = ": ".join(quoted(part) for part in (error.error, error.description) if part)
        raise ProviderFault(f"The provider refused the code ({said}).") from None
    except (ValueError, TypeError, AttributeError):
        raise ProviderFault("The provider's answer to the code is none of the standard's.") from None
    return tokens


def _userinfo(url: str, session: OutboundSession, access_token: str, subject: str) -> Mapping[str, Any]:
    reply = session.get(url, headers={"Authorization": f"Bearer {access_token}"})
    reply.raise_for_status()
    try:
        claims = reply.json()
    except ValueError:
        claims = None
    # Without this check another person's claims could be put beneath this subject (Core 1.0, section 5.3.2).
    if not isinstance(claims, dict) or claims.get("sub") != subject:
        raise ProviderFault("The provider's userinfo is about somebody else, or not JSON.")
    return claims
