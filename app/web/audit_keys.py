"""The public key by which seals of audit logs are checked."""

from flask import Blueprint, Response

from app.core.errors import NotFound
from app.services import audit_seals
from app.web.routing import Doorway, public_page

blueprint = Blueprint("audit_keys", __name__)


@public_page(blueprint, "/.well-known/sentinel-audit-key")
def show(door: Doorway) -> Response:
    """Send the key as PEM, the same to everybody."""
    pem = audit_seals.public_pem(door.session)
    if pem is None:
        raise NotFound
    return Response(pem, content_type="application/x-pem-file")
