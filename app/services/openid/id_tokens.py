"""ID tokens believed or refused (OpenID Connect Core 1.0, section 3.1.3.7)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import ClaimError, ExpiredTokenError, InvalidKeyIdError, JoseError, UnsupportedAlgorithmError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from app.services.openid.faults import ProviderFault, quoted
from app.services.openid.providers import Provider, Providers

# Ours, whatever a provider offers: never "none", and no HS*, whose key would be what everybody can read.
ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")
LEEWAY_SECONDS = 60
LONGEST = 32 * 1024
LONGEST_SUBJECT = 255


def believe(
    id_token: str,
    providers: Providers,
    provider: Provider,
    *,
    client_id: str,
    nonce: str,
    access_token: str | None,
    now: datetime,
) -> Mapping[str, Any]:
    """Return the claims of a token that this provider signed for this client and this sign-in. Raises ProviderFault."""
    if len(id_token) > LONGEST:
        raise ProviderFault("The ID token is too long.")
    token = _opened(id_token, providers, provider)
    options: Any = {
        "iss": {"essential": True, "value": provider.issuer},
        "aud": {"essential": True, "value": client_id},
        "nonce": {"essential": True, "value": nonce},
    }
    params = {"nonce": nonce, "client_id": client_id, "access_token": access_token}
    claims = CodeIDToken(token.claims, token.header, options, params)
    try:
        claims.validate(now=int(now.timestamp()), leeway=LEEWAY_SECONDS)
    except ExpiredTokenError:
        raise ProviderFault("The ID token has expired: do both clocks go right?") from None
    except ClaimError as error:
        raise ProviderFault(f"The ID token's {quoted(error.claim)} is not what it should be.") from None
    except (JoseError, ValueError, TypeError):
        raise ProviderFault("The ID token's claims cannot be read.") from None
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT:
        raise ProviderFault("The ID token names no subject.")
    return dict(claims)


def signed_in_at(claims: Mapping[str, Any]) -> datetime | None:
    """Return when the person last proved to the provider who they are (`auth_time`); None where it does not say."""
    said = claims.get("auth_time")
    if isinstance(said, bool) or not isinstance(said, int | float):
        return None
    try:
        return datetime.fromtimestamp(said, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _opened(id_token: str, providers: Providers, provider: Provider) -> jwt.Token:
    try:
        try:
            return _decoded(id_token, providers.keys(provider))
        except InvalidKeyIdError:
            return _decoded(id_token, providers.keys(provider, anew=True))
    except UnsupportedAlgorithmError:
        raise ProviderFault(f"The ID token is not signed by one of {', '.join(ALGORITHMS)}.") from None
    except InvalidKeyIdError:
        raise ProviderFault("The ID token is signed by a key that the provider does not publish.") from None
    except (JoseError, ValueError, TypeError, KeyError):
        raise ProviderFault("The ID token's signature does not hold.") from None


def _decoded(id_token: str, keys: KeySet) -> jwt.Token:
    registry = JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
    registry.max_header_length = 4096  # some providers put certificates there
    return jwt.decode(id_token, keys, registry=registry)
