"""A passkey's authenticator in software (WebAuthn Level 3): answers challenges, and errs where a test wants it to."""

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


def text(raw: bytes) -> str:
    """Return bytes in base64url, as browsers send them."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def raw(given: str) -> bytes:
    """Return what base64url spells."""
    return base64.urlsafe_b64decode(given + "=" * (-len(given) % 4))


@dataclass
class Authenticator:
    """Holds one passkey at a site; `count` is its counter, `origin` the page that the browser says asks."""

    origin: str = "http://localhost:8000"
    host: str = "localhost"
    flags: int = PRESENT | VERIFIED
    count: int = 0
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    user_handle: bytes = b""
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def create(self, options: str | dict[str, Any]) -> str:
        """Make the passkey; return the browser's answer."""
        given = json.loads(options) if isinstance(options, str) else options
        self.user_handle = raw(given["user"]["id"])
        data = self._client_data("webauthn.create", given["challenge"])
        attested = bytes(16) + len(self.credential_id).to_bytes(2, "big") + self.credential_id + self._public_key()
        signed = self._data(self.flags | ATTESTED) + attested
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": signed})
        return self._answer({"clientDataJSON": text(data), "attestationObject": text(attestation)})

    def get(self, options: str | dict[str, Any], *, step: int = 1) -> str:
        """Show the passkey, with its counter `step` further; return the browser's answer."""
        given = json.loads(options) if isinstance(options, str) else options
        self.count += step
        data, signed = self._client_data("webauthn.get", given["challenge"]), self._data(self.flags)
        signature = self.key.sign(signed + hashlib.sha256(data).digest(), ec.ECDSA(hashes.SHA256()))
        return self._answer(
            {
                "clientDataJSON": text(data),
                "authenticatorData": text(signed),
                "signature": text(signature),
                "userHandle": text(self.user_handle),
            }
        )

    def _client_data(self, kind: str, challenge: str) -> bytes:
        told = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        return json.dumps(told).encode()

    def _data(self, flags: int) -> bytes:
        return hashlib.sha256(self.host.encode()).digest() + bytes([flags]) + self.count.to_bytes(4, "big")

    def _public_key(self) -> bytes:
        numbers = self.key.public_key().public_numbers()
        x, y = numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big")
        return cbor2.dumps({1: 2, 3: -7, -1: 1, -2: x, -3: y})

    def _answer(self, response: dict[str, str]) -> str:
        identity = text(self.credential_id)
        told = {"id": identity, "rawId": identity, "type": "public-key", "response": response}
        return json.dumps({**told, "clientExtensionResults": {}})
