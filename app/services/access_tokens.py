"""Access tokens: JWTs of 15 minutes (RFC 9068), signed and checked as RFC 8725 asks."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jws import extract_compact
from joserfc.jwt import JWTClaimsRegistry
from sqlalchemy.orm import Session

from app.core.errors import Unauthenticated
from app.core.ids import new_id, parse_id
from app.db.directory import Visitor
from app.services.signing_keys import ALGORITHM, PublicKeys, Signer

LASTS = timedelta(minutes=15)
TYPE = "at+jwt"
CLIENT = "sentinel-api"
LONGEST = 4096
_LEEWAY = 10


@dataclass(frozen=True, slots=True)
class Bearer:
    """What a token says, its signature checked: the key, and whose session in which tenant it stands for."""

    kid: str
    session_id: UUID
    user_id: UUID
    tenant_id: UUID


def looks_like_token(secret: str) -> bool:
    """Tell whether a credential has the form of a JWT rather than of an API key."""
    return secret.count(".") == 2 and not secret.startswith("sntl_")


def audience(base_url: str) -> str:
    """Return what our tokens are for: the JSON API of this installation."""
    return base_url + "/api"


def sign(visitor: Visitor, signer: Signer, *, base_url: str, now: datetime) -> str:
    """Return an access token for the visitor's session in the visitor's tenant."""
    if visitor.tenant is None:
        raise ValueError("a token is of one tenant")
    issued = int(now.timestamp())
    claims = {
        "iss": base_url,
        "aud": audience(base_url),
        "sub": str(visitor.user_id),
        "client_id": CLIENT,
        "sid": str(visitor.session_id),
        "tenant": str(visitor.tenant.id),
        "jti": str(new_id()),
        "iat": issued,
        "exp": issued + int(LASTS.total_seconds()),
        "auth_time": int(visitor.proof.confirmed_at.timestamp()),
        "amr": list(visitor.proof.methods),
    }
    header = {"typ": TYPE, "alg": ALGORITHM, "kid": signer.kid}
    return jwt.encode(header, claims, signer.key, algorithms=[ALGORITHM])


def refused() -> Unauthenticated:
    """Return the one answer to every token that opens nothing (RFC 6750)."""
    challenge = 'Bearer realm="sentinel", error="invalid_token"'
    return Unauthenticated("The access token is not valid or has expired.", headers={"WWW-Authenticate": challenge})


def check(session: Session, token: str, keys: PublicKeys, *, base_url: str, now: datetime) -> Bearer:
    """Return what a token says that one of our keys signed, for us, and that has not expired.

    Whether its session is in force is for the directory to say. Raises Unauthenticated for anything else.
    """
    try:
        if len(token) > LONGEST:
            raise ValueError
        header = extract_compact(token.encode("ascii")).headers()
        if header.get("typ") != TYPE or header.get("alg") != ALGORITHM or not isinstance(header.get("kid"), str):
            raise ValueError
        key = keys.find(session, header["kid"])
        if key is None:
            raise ValueError
        claims = jwt.decode(token, key, algorithms=[ALGORITHM]).claims
        _registry(base_url, now).validate(claims)
        return Bearer(header["kid"], _id(claims, "sid"), _id(claims, "sub"), _id(claims, "tenant"))
    except (JoseError, ValueError, TypeError, AttributeError, RecursionError):
        raise refused() from None


def _registry(base_url: str, now: datetime) -> JWTClaimsRegistry:
    return JWTClaimsRegistry(
        now=int(now.timestamp()),
        leeway=_LEEWAY,
        iss={"essential": True, "value": base_url},
        aud={"essential": True, "value": audience(base_url)},
        exp={"essential": True},
        iat={"essential": True},
        jti={"essential": True},
    )


def _id(claims: Mapping[str, object], name: str) -> UUID:
    found = parse_id(str(claims.get(name)))
    if found is None:
        raise ValueError
    return found
