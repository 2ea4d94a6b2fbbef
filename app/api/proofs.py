"""Proofs of control for programs: what to publish, what the last check saw, another check."""

from typing import Literal
from uuid import UUID

from flask import url_for
from pydantic import Field

from app.api.routing import Answer, noun_blueprint, resource
from app.api.shapes import Moment, Told
from app.core.permissions import Permission
from app.db.units import Unit
from app.models.assets import Asset, OwnershipProof
from app.scanners.ownership import challenge_name, challenge_url, challenge_value
from app.services import assets, digests, proofs

blueprint = noun_blueprint("proofs", __name__)


class AttemptView(Told):
    """One question that the last check asked."""

    method: Literal["dns", "file"]
    asked: str
    matched: bool
    status: str


class ProofView(Told):
    """Publish the value as a TXT record at dns_name, or as the whole file at file_url; one of the two is enough."""

    state: Literal["proven", "unproven", "expired"]
    endpoint: str = Field(description="host:port")
    dns_name: str
    file_url: str
    value: str
    checked_at: Moment | None
    proven_at: Moment | None
    proven_by: str | None
    expires_at: Moment | None
    attempts: list[AttemptView]


def proof_view(unit: Unit, asset: Asset, proof: OwnershipProof) -> ProofView:
    """Return the proof of a web address as programs see it."""
    return ProofView.model_validate(
        {
            "state": digests.proof_state(unit, proof),
            "endpoint": proof.endpoint,
            "dns_name": challenge_name(asset.host or ""),
            "file_url": challenge_url(asset.url or ""),
            "value": challenge_value(proof.token),
            "checked_at": proof.checked_at,
            "proven_at": proof.proven_at,
            "proven_by": proof.proven_by,
            "expires_at": proof.expires_at,
            "attempts": proof.attempts,
        }
    )


@resource(
    blueprint,
    "POST",
    "/assets/<asset_id>/proof/checks",
    Permission.ASSETS_WRITE,
    Permission.ASSETS_READ,
    answer=ProofView,
    status=202,
)
def check(unit: Unit, asset_id: UUID) -> Answer:
    """Have the proof looked for; Location says where the result will stand. At most one check in eight seconds."""
    proof = proofs.request_check(unit, asset_id)
    view = proof_view(unit, assets.get_asset(unit, asset_id), proof)
    return Answer(view, {"Location": url_for("api_assets.show", asset_id=asset_id)})
