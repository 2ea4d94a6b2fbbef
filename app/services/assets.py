"""Assets: adding a web address or a document, listing, archiving."""

import secrets
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import Select, select

from app.core import crypto
from app.core.errors import Conflict, Invalid, NotFound
from app.core.ids import new_id
from app.core.permissions import Permission
from app.db.units import Unit
from app.models.assets import Asset, Document, OwnershipProof
from app.models.scans import Scan
from app.services import audit, workspaces
from app.services.access import require
from app.services.pages import Page, newest_first

LONGEST_DOCUMENT = 200_000
PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Address:
    """A web address in the one form that it is kept in: scheme, host in ASCII and lower case, port."""

    scheme: str
    host: str
    port: int

    @property
    def endpoint(self) -> str:
        """`host:port`, with brackets round an IPv6 address."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The address as a URL, the port left out where the scheme implies it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + ("" if PORTS[self.scheme] == self.port else f":{self.port}") + "/"


def parse_address(text: str) -> Address:
    """Return the address that `text` spells. Raises ValueError with a word for a person."""
    text = text.strip()
    if any(ord(character) < 33 for character in text) or len(text) > 2_000:
        raise ValueError("not a web address")
    if "://" not in text:
        text = "https://" + text
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ValueError("not a web address") from error
    if parts.scheme not in PORTS:
        raise ValueError("must begin with http:// or https://")
    if "@" in parts.netloc:
        raise ValueError("must hold no user name or password")
    host = (parts.hostname or "").rstrip(".")
    if not host:
        raise ValueError("names no host")
    try:
        host = host if ":" in host else host.encode("idna").decode("ascii").lower()
    except UnicodeError as error:
        raise ValueError("the host's name is not valid") from error
    if "." not in host and ":" not in host:
        raise ValueError("the host needs a full name")
    if port == 0:
        raise ValueError("port 0 cannot be reached")
    return Address(parts.scheme, host, port or PORTS[parts.scheme])


def add_web_asset(
    unit: Unit, *, name: str, address: str, code: str | None = None, workspace_id: UUID | None = None
) -> Asset:
    """Add a web address to a workspace (the actor's own, or the default one). Needs tenant:assets:write.

    Raises Invalid, and Conflict for one that the workspace has.
    """
    require(unit, Permission.ASSETS_WRITE)
    problems: dict[str, str] = {}
    parsed: Address | None = None
    try:
        parsed = parse_address(address)
    except ValueError as error:
        problems["address"] = str(error)
    _check_name(name, problems)
    if problems or parsed is None:
        raise Invalid("The asset was not added.", fields=problems)
    code = code or f"{parsed.scheme}-{parsed.endpoint}"
    asset = _add(
        unit,
        Asset(name=name.strip(), code=code, kind="web", url=parsed.url, host=parsed.host, port=parsed.port),
        workspace_id,
    )
    now = unit.now()
    proof = OwnershipProof(
        asset_id=asset.id, endpoint=parsed.endpoint, token=secrets.token_hex(20), created_at=now, attempts=[]
    )
    unit.session.add(proof)
    return asset


def add_document(unit: Unit, *, name: str, text: str, workspace_id: UUID | None = None) -> Asset:
    """Add a pasted document to a workspace, sealed with the tenant's key. Needs tenant:assets:write. Raises Invalid."""
    require(unit, Permission.ASSETS_WRITE)
    problems: dict[str, str] = {}
    _check_name(name, problems)
    if not text.strip():
        problems["text"] = "must not be empty"
    elif len(text) > LONGEST_DOCUMENT:
        problems["text"] = f"at most {LONGEST_DOCUMENT:,} characters"
    if problems:
        raise Invalid("The document was not added.", fields=problems)
    asset_id = new_id()
    made = Asset(id=asset_id, name=name.strip(), code=f"document-{asset_id}", kind="document")
    asset = _add(unit, made, workspace_id)
    sealed = crypto.seal(
        unit.keys.data_key(unit.tenant_id), text.encode("utf-8", "surrogatepass"), b"document:" + asset_id.bytes
    )
    unit.session.add(Document(asset_id=asset.id, sealed=sealed, characters=len(text), created_at=unit.now()))
    return asset


def _check_name(name: str, problems: dict[str, str]) -> None:
    if not name.strip():
        problems["name"] = "must not be empty"
    elif len(name) > 120 or any(ord(character) < 32 for character in name):
        problems["name"] = "at most 120 characters, on one line"


def _add(unit: Unit, asset: Asset, workspace_id: UUID | None) -> Asset:
    asset.workspace_id = workspaces.place_for(unit, workspace_id)
    taken = unit.session.scalar(
        select(Asset.id).where(Asset.code == asset.code, Asset.workspace_id == asset.workspace_id)
    )
    if taken is not None:
        raise Conflict("There is an asset with this address or code already.", extra={"asset_id": str(taken)})
    asset.created_at, asset.created_by = unit.now(), unit.actor.label
    unit.session.add(asset)
    unit.session.flush()
    given = {"name": asset.name, "kind": asset.kind, "url": asset.url, "workspace": str(asset.workspace_id)}
    audit.record(unit, "asset.add", "asset", asset.id, after=given)
    return asset


def get_asset(unit: Unit, asset_id: UUID) -> Asset:
    """Return the asset. Needs tenant:assets:read. Raises NotFound."""
    require(unit, Permission.ASSETS_READ)
    return find_asset(unit, asset_id)


def find_asset(unit: Unit, asset_id: UUID) -> Asset:
    """Return the asset for another verb's own use: asks for no permission. Raises NotFound."""
    asset = unit.session.get(Asset, (unit.tenant_id, asset_id))
    if asset is None:
        raise NotFound()
    return asset


def asset_url(unit: Unit, asset_id: UUID) -> str | None:
    """Return the address of the asset. For the worker: asks for no permission."""
    return unit.session.scalar(select(Asset.url).where(Asset.id == asset_id))


def list_assets(
    unit: Unit,
    *,
    kind: str | None = None,
    workspace_id: UUID | None = None,
    unscanned: bool = False,
    cursor: str | None = None,
    size: int = 50,
    counted: bool = False,
) -> Page[Asset]:
    """Return the assets that are not archived, or of those the ones never scanned, newest first.

    Needs tenant:assets:read.
    """
    require(unit, Permission.ASSETS_READ)
    binding = f"assets:{kind}:{workspace_id}:{unscanned}"
    statement = never_scanned() if unscanned else select(Asset).where(Asset.archived_at.is_(None))
    if kind is not None:
        statement = statement.where(Asset.kind == kind)
    if workspace_id is not None:
        statement = statement.where(Asset.workspace_id == workspace_id)
    return newest_first(
        unit, statement, Asset.created_at, Asset.id, binding=binding, cursor=cursor, size=size, counted=counted
    )


def never_scanned() -> Select[Asset]:
    """Return the assets in use that no scan has looked at, nor waits to."""
    scanned = select(Scan.id).where(Scan.tenant_id == Asset.tenant_id, Scan.asset_id == Asset.id)
    return select(Asset).where(Asset.archived_at.is_(None), ~scanned.exists())


def rename_asset(unit: Unit, asset_id: UUID, *, name: str) -> Asset:
    """Give the asset another name. Needs tenant:assets:write. Raises Invalid, NotFound."""
    require(unit, Permission.ASSETS_WRITE)
    asset = get_asset(unit, asset_id)
    workspaces.require_writable(unit, asset.workspace_id)
    problems: dict[str, str] = {}
    _check_name(name, problems)
    if problems:
        raise Invalid("The asset was not changed.", fields=problems)
    if asset.name != name.strip():
        before = {"name": asset.name}
        asset.name = name.strip()
        audit.record(unit, "asset.change", "asset", asset.id, before=before, after={"name": asset.name})
    return asset


def archive_asset(unit: Unit, asset_id: UUID, *, archived: bool = True) -> Asset:
    """Take the asset out of lists and scans, or bring it back. Needs tenant:assets:write."""
    require(unit, Permission.ASSETS_WRITE)
    asset = get_asset(unit, asset_id)
    workspaces.require_writable(unit, asset.workspace_id)
    if (asset.archived_at is not None) != archived:
        asset.archived_at = unit.now() if archived else None
        audit.record(unit, "asset.archive" if archived else "asset.restore", "asset", asset.id)
    return asset


def document_text(unit: Unit, asset_id: UUID) -> str:
    """Return the document's text. For the worker: asks for no permission. Raises NotFound."""
    document = unit.session.scalar(select(Document).where(Document.asset_id == asset_id))
    if document is None:
        raise NotFound()
    plain = crypto.unseal(unit.keys.data_key(unit.tenant_id), document.sealed, b"document:" + asset_id.bytes)
    return plain.decode("utf-8", "surrogatepass")
