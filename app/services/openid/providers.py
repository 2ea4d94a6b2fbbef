"""Providers by their issuer: what discovery tells of one, and its keys, both kept in this process for a while."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from authlib.oidc.discovery import get_well_known_url
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, import_key

from app.core.outbound import Policy, Refused, locate
from app.services.openid.faults import ProviderFault, quoted
from app.services.openid.sessions import OutboundSession, require_secure

METADATA_SECONDS = 3600.0
KEYS_SECONDS = 600.0
FAULT_SECONDS = 5.0
REFETCH_SECONDS = 10.0
MOST_KEPT = 1024
MOST_AT_ONCE = 3
MOST_KEYS = 100
# What a public key can be of; a symmetric one in a key set would let anybody sign.
_KEY_TYPES = frozenset({"RSA", "EC", "OKP"})
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


@dataclass(frozen=True, slots=True)
class Provider:
    """What we use of a provider's metadata (OpenID Connect Discovery 1.0, section 3)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    end_session_endpoint: str | None
    token_auth: str
    sends_iss: bool


@dataclass
class _Kept:
    provider: Provider | None = None
    provider_at: float = 0.0
    keys: KeySet | None = None
    keys_at: float = 0.0
    fault: str | None = None
    fault_at: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)
    turns: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(MOST_AT_ONCE))


class Providers:
    """The providers that this process has spoken with, the last 1,024 of them.

    Metadata is kept for an hour, keys for ten minutes, a failure for five seconds, so that a dead provider does not
    hold one thread after another; an unknown key has the keys fetched anew, at most every ten seconds.
    """

    def __init__(self, policy: Policy, *, clock: Callable[[], float] = monotonic) -> None:
        self.policy = policy
        self._clock = clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def session(self) -> OutboundSession:
        """Return a session for one exchange with a provider."""
        return OutboundSession(self.policy)

    @contextmanager
    def turn(self, issuer: str) -> Iterator[None]:
        """Wait for this provider for the length of a block; at most three threads of this process do so at once.

        A provider that is slow, or means harm, does not hold all threads of everybody else. Raises ProviderFault.
        """
        kept = self._of(issuer)
        if not kept.turns.acquire(blocking=False):
            raise ProviderFault("Several people wait for this provider already. Try again in a moment.")
        try:
            yield
        finally:
            kept.turns.release()

    def provider(self, issuer: str, *, anew: bool = False) -> Provider:
        """Return the provider's metadata; `anew` asks it even where we know. Raises ProviderFault."""
        kept = self._of(issuer)
        with kept.lock:
            now = self._clock()
            if not anew and kept.provider is not None and now - kept.provider_at < METADATA_SECONDS:
                return kept.provider
            if not anew and kept.fault is not None and now - kept.fault_at < FAULT_SECONDS:
                raise ProviderFault(kept.fault)
            try:
                kept.provider = discover(issuer, self.session(), self.policy)
            except ProviderFault as fault:
                kept.fault, kept.fault_at = str(fault), self._clock()
                raise
            kept.provider_at, kept.fault = self._clock(), None
            return kept.provider

    def keys(self, provider: Provider, *, anew: bool = False) -> KeySet:
        """Return the provider's keys; `anew`: not those of more than ten seconds ago. Raises ProviderFault."""
        kept = self._of(provider.issuer)
        with kept.lock:
            age = self._clock() - kept.keys_at
            if kept.keys is not None and age < (REFETCH_SECONDS if anew else KEYS_SECONDS):
                return kept.keys
            if kept.fault is not None and self._clock() - kept.fault_at < FAULT_SECONDS:
                raise ProviderFault(kept.fault)
            try:
                kept.keys = fetch_keys(provider, self.session())
            except ProviderFault as fault:
                kept.fault, kept.fault_at = str(fault), self._clock()
                raise
            kept.keys_at = self._clock()
            return kept.keys

    def _of(self, issuer: str) -> _Kept:
        with self._lock:
            kept = self._kept.setdefault(issuer, _Kept())
            self._kept.move_to_end(issuer)
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
            return kept


def check_issuer(issuer: str, policy: Policy) -> str:
    """Return the issuer as it is kept: exactly as its provider writes it. Raises ProviderFault for what is none."""
    issuer = issuer.strip()
    require_secure(issuer, policy)
    if "?" in issuer or "#" in issuer:
        raise ProviderFault("An issuer has neither a query nor a fragment.")
    return issuer.removesuffix("/.well-known/openid-configuration")


def discover(issuer: str, session: OutboundSession, policy: Policy) -> Provider:
    """Ask a provider for its metadata; it must call itself exactly `issuer`. Raises ProviderFault."""
    url = get_well_known_url(issuer, external=True)
    reply = session.get(url)
    if reply.status_code != 200:
        raise ProviderFault(f"{url} answered with status {reply.status_code}: is the issuer right?")
    try:
        metadata = reply.json()
    except ValueError:
        metadata = None
    if not isinstance(metadata, dict):
        raise ProviderFault(f"{url} holds no discovery document: is the issuer right?")
    if metadata.get("issuer") != issuer:
        raise ProviderFault(f"The provider calls itself {quoted(metadata.get('issuer'))}, not {issuer}: enter it so.")
    return _read(issuer, metadata, policy)


def _read(issuer: str, metadata: Mapping[str, Any], policy: Policy) -> Provider:
    def endpoint(name: str, *, demanded: bool) -> str | None:
        value = metadata.get(name)
        if value is None and not demanded:
            return None
        if not isinstance(value, str):
            raise ProviderFault(f"The discovery document has no {name}.")
        require_secure(value, policy)
        return value

    methods = metadata.get("token_endpoint_auth_methods_supported")
    if not isinstance(methods, list):
        methods = ["client_secret_basic"]  # the standard's default
    method = next((known for known in ("client_secret_basic", "client_secret_post") if known in methods), None)
    if method is None:
        raise ProviderFault("The provider takes neither client_secret_basic nor client_secret_post.")
    challenges = metadata.get("code_challenge_methods_supported")
    if isinstance(challenges, list) and "S256" not in challenges:
        raise ProviderFault("The provider does not know PKCE with S256.")
    return Provider(
        issuer=issuer,
        authorization_endpoint=str(endpoint("authorization_endpoint", demanded=True)),
        token_endpoint=str(endpoint("token_endpoint", demanded=True)),
        jwks_uri=str(endpoint("jwks_uri", demanded=True)),
        userinfo_endpoint=endpoint("userinfo_endpoint", demanded=False),
        end_session_endpoint=endpoint("end_session_endpoint", demanded=False),
        token_auth=method,
        sends_iss=metadata.get("authorization_response_iss_parameter_supported") is True,
    )


def fetch_keys(provider: Provider, session: OutboundSession) -> KeySet:
    """Fetch the provider's public signing keys; what is not one is left out. Raises ProviderFault."""
    reply = session.get(provider.jwks_uri)
    reply.raise_for_status()
    try:
        listed = reply.json()["keys"]
    except (ValueError, KeyError, TypeError):
        listed = None
    if not isinstance(listed, list):
        raise ProviderFault(f"{_host(provider.jwks_uri)} holds no set of keys.")
    keys = []
    for each in listed[:MOST_KEYS]:
        if not isinstance(each, dict) or each.get("kty") not in _KEY_TYPES or each.get("use", "sig") != "sig":
            continue
        try:
            keys.append(import_key({name: value for name, value in each.items() if name not in _PRIVATE}))
        except (JoseError, ValueError, TypeError, KeyError):
            continue  # a curve or a form that we do not know: other keys may serve
    return KeySet(keys)


def _host(url: str) -> str:
    try:
        return locate(url).authority
    except Refused:
        return "The provider"
