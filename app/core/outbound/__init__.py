"""The one client for all outbound traffic that a tenant can steer: checked, pinned to one address, capped.

Every A and AAAA address of a name must be global; the connection goes to an address that was checked, without a second
look-up; each redirect is checked anew; proxies named in the environment are ignored; size and time have limits.
"""

from app.core.outbound.addresses import why_not_global
from app.core.outbound.connections import connect, handshake, trusting_context, unverified_context
from app.core.outbound.fetches import Hop, Response, fetch
from app.core.outbound.locations import Location, locate
from app.core.outbound.names import ask_txt, resolve, resolvers_of
from app.core.outbound.policies import Kind, Policy, Refused, Unreachable, one_look

__all__ = [
    "Hop",
    "Kind",
    "Location",
    "Policy",
    "Refused",
    "Response",
    "Unreachable",
    "ask_txt",
    "connect",
    "fetch",
    "handshake",
    "locate",
    "one_look",
    "resolve",
    "resolvers_of",
    "trusting_context",
    "unverified_context",
    "why_not_global",
]
