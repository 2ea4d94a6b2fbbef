"""OpenID Connect as a client speaks it: discovery, the authorization code with PKCE, ID tokens, signing out.

Knows no database. Authlib makes and reads the protocol's messages, joserfc its signatures; what leaves the machine goes
through the one outbound client.
"""

from app.services.openid.clients import Answer, Client, ask_for_code, leave, redeem
from app.services.openid.faults import ProviderFault, quoted
from app.services.openid.id_tokens import LEEWAY_SECONDS, signed_in_at
from app.services.openid.providers import Provider, Providers, check_issuer

__all__ = [
    "LEEWAY_SECONDS",
    "Answer",
    "Client",
    "Provider",
    "ProviderFault",
    "Providers",
    "ask_for_code",
    "check_issuer",
    "leave",
    "quoted",
    "redeem",
    "signed_in_at",
]
