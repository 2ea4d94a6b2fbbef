"""SCIM 2.0 (RFC 7642 to 7644): an identity provider keeps a tenant's people and groups in step."""

from app.api.scim import discovery, groups, people
from app.api.scim.routing import blueprint

__all__ = ["blueprint", "discovery", "groups", "people"]
