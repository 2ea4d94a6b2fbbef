"""Assets for programs: list, add a web address or a document, show, change, archive."""

from typing import Literal
from uuid import UUID

from flask import url_for
from pydantic import Field

from app.api.proofs import ProofView, proof_view
from app.api.routing import Answer, noun_blueprint, resource
from app.api.shapes import Asked, Listing, Moment, Paging, Told
from app.core.errors import Invalid
from app.core.permissions import Permission
from app.db.units import Unit
from app.models.assets import Asset
from app.services import assets, proofs

blueprint = noun_blueprint("assets", __name__)
Kind = Literal["web", "document"]


class AssetRequest(Asked):
    """A web address or a document: address or text, one of the two."""

    name: str = Field(max_length=120)
    address: str | None = Field(None, max_length=2_000, examples=["https://shop.example.com/"])
    text: str | None = Field(None, max_length=assets.LONGEST_DOCUMENT, description="Kept encrypted, never told again")
    workspace_id: UUID | None = Field(None, description="A key's own, and for a person the default one, if left out")


class AssetChange(Asked):
    """What is to be changed of an asset; what is left out stays as it is."""

    name: str | None = Field(None, max_length=120)
    archived: bool | None = Field(None, description="Archived: out of lists, and not scanned")


class AssetQuery(Paging):
    """Which assets, newest first; archived ones are left out."""

    kind: Kind | None = None
    workspace_id: UUID | None = None


class AssetView(Told):
    """What can be scanned; a document has no address."""

    id: UUID
    workspace_id: UUID
    kind: Kind
    name: str
    url: str | None
    created_at: Moment
    created_by: str
    archived_at: Moment | None


class AssetDetail(AssetView):
    """An asset with its proof of control, which a document needs not."""

    proof: ProofView | None


class AssetPage(Listing[AssetView]):
    """A page of assets."""


@resource(blueprint, "GET", "/assets", Permission.ASSETS_READ, query=AssetQuery, answer=AssetPage)
def index(unit: Unit, query: AssetQuery) -> AssetPage:
    """List assets, newest first."""
    page = assets.list_assets(
        unit, kind=query.kind, workspace_id=query.workspace_id, cursor=query.cursor, size=query.limit
    )
    return AssetPage(items=[AssetView.model_validate(asset) for asset in page.rows], next_cursor=page.next_cursor)


@resource(
    blueprint,
    "POST",
    "/assets",
    Permission.ASSETS_WRITE,
    Permission.ASSETS_READ,
    body=AssetRequest,
    answer=AssetDetail,
    status=201,
)
def add(unit: Unit, body: AssetRequest) -> Answer:
    """Add a web address or a document."""
    if (body.address is None) == (body.text is None):
        raise Invalid("The asset was not added.", fields={"address": "give either an address or a text"})
    if body.address is not None:
        asset = assets.add_web_asset(unit, name=body.name, address=body.address, workspace_id=body.workspace_id)
    else:
        asset = assets.add_document(unit, name=body.name, text=body.text or "", workspace_id=body.workspace_id)
    return Answer(_detail(unit, asset), {"Location": url_for("api_assets.show", asset_id=asset.id)})


@resource(blueprint, "GET", "/assets/<asset_id>", Permission.ASSETS_READ, answer=AssetDetail, tagged=True)
def show(unit: Unit, asset_id: UUID) -> AssetDetail:
    """Show an asset, and whether control of it is proven."""
    return _detail(unit, assets.get_asset(unit, asset_id))


@resource(
    blueprint,
    "PATCH",
    "/assets/<asset_id>",
    Permission.ASSETS_WRITE,
    Permission.ASSETS_READ,
    body=AssetChange,
    answer=AssetDetail,
    tagged=True,
    current=show,
    held=Asset,
)
def change(unit: Unit, asset_id: UUID, body: AssetChange) -> AssetDetail:
    """Give an asset another name, archive it or bring it back."""
    if body.name is not None:
        assets.rename_asset(unit, asset_id, name=body.name)
    if body.archived is not None:
        assets.archive_asset(unit, asset_id, archived=body.archived)
    return show(unit, asset_id)


@resource(
    blueprint,
    "DELETE",
    "/assets/<asset_id>",
    Permission.ASSETS_WRITE,
    Permission.ASSETS_READ,
    answer=AssetDetail,
    tagged=True,
    current=show,
    held=Asset,
)
def archive(unit: Unit, asset_id: UUID) -> AssetDetail:
    """Archive an asset: its scans and findings stay, and it can be brought back."""
    return _detail(unit, assets.archive_asset(unit, asset_id))


def _detail(unit: Unit, asset: Asset) -> AssetDetail:
    proof = proof_view(unit, asset, proofs.get_proof(unit, asset.id)) if asset.kind == "web" else None
    return AssetDetail(**AssetView.model_validate(asset).model_dump(), proof=proof)
