"""An OpenID provider of our own that can misbehave in every way that a client must withstand."""

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey

Claims = dict[str, Any]


@dataclass
class Grant:
    """What a code stands for."""

    client_id: str
    redirect_uri: str
    challenge: str
    claims: Claims


@dataclass
class Mischief:
    """What is wrong with the provider's next answers; by default nothing is."""

    claims: Claims = field(default_factory=dict)  # in place of the ID token's own; None leaves one out
    id_token: Callable[[Claims], str] | None = None  # signs in another way
    metadata: Claims = field(default_factory=dict)
    token: tuple[int, dict[str, str], bytes] | None = None  # the token endpoint's whole answer
    delay: float = 0.0
    endless: bool = False
    userinfo: Claims | None = None


class OpenIdPeer:
    """Serves discovery, keys, token and userinfo on loopback; `sign_in` is what a person does there."""

    def __init__(self) -> None:
        self.key: RSAKey | ECKey | OKPKey = RSAKey.generate_key(2048, {"kid": "k1", "use": "sig"})
        self.alg = "RS256"
        self.mischief = Mischief()
        self.secrets = {"client-1": "s3cr%t:of+one"}
        self.grants: dict[str, Grant] = {}
        self.asked: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        self.issuer = f"http://{self.address}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()

    def metadata(self) -> Claims:
        """The discovery document."""
        plain = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "end_session_endpoint": f"{self.issuer}/leave",
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
        }
        return {name: value for name, value in {**plain, **self.mischief.metadata}.items() if value is not None}

    def keys(self) -> Claims:
        """The key set."""
        return dict(KeySet([self.key]).as_dict(private=False))

    def sign_in(self, url: str, subject: str, email: str, **claims: Any) -> str:
        """Sign in at the address that the application leads to; return the path and query to come back with."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert asked["response_type"] == "code" and asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        told = {"sub": subject, "email": email, "email_verified": True, "nonce": asked["nonce"], **claims}
        code = secrets.token_urlsafe(16)
        self.grants[code] = Grant(asked["client_id"], asked["redirect_uri"], asked["code_challenge"], told)
        return f"{urlsplit(asked['redirect_uri']).path}?" + urlencode(
            {"code": code, "state": asked["state"], "iss": self.issuer}
        )

    def id_token(self, grant: Grant) -> str:
        """The ID token of a grant, with the mischief in it."""
        now = int(time.time())
        told = {"iss": self.issuer, "aud": grant.client_id, "iat": now, "exp": now + 300, **grant.claims}
        told = {name: value for name, value in {**told, **self.mischief.claims}.items() if value is not None}
        if self.mischief.id_token is not None:
            return self.mischief.id_token(told)
        return jwt.encode({"alg": self.alg, "kid": self.key.kid}, told, self.key, algorithms=[self.alg])

    def redeem(self, form: dict[str, str], authorization: str) -> tuple[int, Claims]:
        """What the token endpoint answers."""
        name, _, secret = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        grant = self.grants.pop(form.get("code", ""), None)
        expected = urlencode({"s": self.secrets.get(grant.client_id, "") if grant else ""})[2:]
        if grant is None or name != grant.client_id or secret != expected:
            return 400, {"error": "invalid_grant" if grant is None else "invalid_client"}
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if (form.get("redirect_uri"), _encoded(digest)) != (grant.redirect_uri, grant.challenge):
            return 400, {"error": "invalid_grant", "error_description": "PKCE or redirect URI"}
        return 200, {"access_token": "a", "token_type": "Bearer", "id_token": self.id_token(grant)}


def unsigned(claims: Claims) -> str:
    """An ID token with alg none."""
    return ".".join([*(_encoded(json.dumps(part).encode()) for part in ({"alg": "none"}, claims)), ""])


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def with_public_key_as_secret(peer: OpenIdPeer) -> Callable[[Claims], str]:
    """An ID token with HS256, whose secret is the public key that everybody can read."""
    assert isinstance(peer.key, RSAKey)
    public = peer.key.as_pem(private=False)

    def sign(claims: Claims) -> str:
        body = ".".join(_encoded(json.dumps(part).encode()) for part in ({"alg": "HS256", "kid": "k1"}, claims))
        return f"{body}.{_encoded(hmac.digest(public, body.encode(), 'sha256'))}"

    return sign


def with_key(key: RSAKey, kid: str = "k1") -> Callable[[Claims], str]:
    """An ID token by a key that the provider does not publish, under the name of one that it does."""
    return lambda claims: jwt.encode({"alg": "RS256", "kid": kid}, claims, key)


def _handler(peer: OpenIdPeer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_arguments: object) -> None:
            pass

        def do_GET(self) -> None:
            peer.asked.append(self.path)
            time.sleep(peer.mischief.delay)
            if self.path == "/.well-known/openid-configuration":
                self._json(200, peer.metadata())
            elif self.path == "/keys":
                self._json(200, peer.keys())
            elif self.path == "/userinfo" and peer.mischief.userinfo is not None:
                self._json(200, peer.mischief.userinfo)
            else:
                self._json(404, {})

        def do_POST(self) -> None:
            peer.asked.append(self.path)
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            time.sleep(peer.mischief.delay)
            if peer.mischief.endless:
                self._endless()
            elif peer.mischief.token is not None:
                self._answer(*peer.mischief.token)
            else:
                self._json(*peer.redeem(form, self.headers.get("Authorization", "")))

        def _json(self, status: int, body: Claims) -> None:
            self._answer(status, {"Content-Type": "application/json"}, json.dumps(body).encode())

        def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _endless(self) -> None:
            self.send_response(200)
            self.end_headers()
            try:
                for _ in range(4096):
                    self.wfile.write(b"x" * 65536)
            except OSError:
                pass

    return Handler


@contextmanager
def openid_peer() -> Iterator[OpenIdPeer]:
    """Run an OpenIdPeer for the length of a block."""
    peer = OpenIdPeer()
    try:
        yield peer
    finally:
        peer.close()
