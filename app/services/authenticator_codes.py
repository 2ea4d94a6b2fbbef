"""Codes of authenticator apps (RFC 6238: six digits, SHA-1, 30 seconds)."""

import hmac
import re
from datetime import datetime

import pyotp


def new_secret() -> str:
    """Return a new secret of 160 bits, in base32."""
    return pyotp.random_base32()


def address_of(secret: str, email: str, issuer: str) -> str:
    """Return the otpauth address that an app reads from the QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=issuer)


def step_of(secret: str, code: str, now: datetime) -> int | None:
    """Return the time step whose code this is: the present one, or one beside it. The caller takes each step once."""
    plain = re.sub(r"\s", "", code)
    if not re.fullmatch(r"[0-9]{6}", plain, re.ASCII):
        return None
    totp = pyotp.TOTP(secret)
    present = int(now.timestamp()) // totp.interval
    near = (present, present - 1, present + 1)
    return next((step for step in near if hmac.compare_digest(totp.generate_otp(step), plain)), None)
