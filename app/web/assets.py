"""Assets: listed, added, proved."""

from collections.abc import Sequence
from types import SimpleNamespace
from uuid import UUID

from flask import Response as FlaskResponse
from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import SelectField, StringField

from app.core.errors import Conflict, Invalid
from app.core.permissions import Permission
from app.db.units import Unit
from app.models.assets import Asset
from app.scanners.ownership import challenge_name, challenge_url, challenge_value
from app.services import assets, digests, findings, proofs, scans
from app.serving.forms import Form
from app.serving.live import live
from app.serving.runtimes import runtime
from app.web import workspace_choices
from app.web.listings import ROWS, id_given, listing
from app.web.routing import tenant_blueprint, tenant_page
from app.web.scans import scan_rows

blueprint = tenant_blueprint("assets", __name__)
TOOL_OF = {"web": "posture", "document": "text"}
SHOWN = 8


class AssetForm(Form):
    """A web address and what it is called."""

    address = StringField("Web address")
    name = StringField("Name")
    workspace_id = SelectField("Workspace", validate_choice=False)


def asset_rows(unit: Unit, rows: Sequence[Asset]) -> list[SimpleNamespace]:
    """Return assets as tables show them: with proof, open findings and last scan."""
    known = digests.describe_assets(unit, rows)
    columns = ("id", "name", "kind", "url", "host", "port", "created_at", "created_by")
    return [
        SimpleNamespace(
            **{name: getattr(asset, name) for name in columns},
            tool=TOOL_OF[asset.kind],
            proof=known[asset.id].proof,
            open_findings=known[asset.id].open_findings,
            last_scan_at=known[asset.id].last_scan_at,
        )
        for asset in rows
    ]


def demonstration() -> str | None:
    """Return the address of the demonstration target, if this installation has one."""
    targets = [part.strip() for part in runtime().settings.demonstration_targets.split(",") if part.strip()]
    return f"http://{targets[0]}/" if targets else None


@tenant_page(blueprint, "/assets", Permission.ASSETS_READ)
def index(unit: Unit) -> str:
    page = assets.list_assets(
        unit,
        kind=request.args.get("kind") or None,
        workspace_id=id_given("workspace_id"),
        unscanned=request.args.get("scans") == "none",
        cursor=request.args.get("after"),
        size=ROWS,
        counted=True,
    )
    shown = listing(asset_rows(unit, page.rows), page, ("kind", "workspace_id", "scans"))
    offered = None if any(asset.url == demonstration() for asset in page.rows) else demonstration()
    known = workspace_choices.offered(unit, request.args.get("workspace_id"))
    return render_template("assets/index.html", **shown, demonstration=offered, workspaces=known)


@tenant_page(blueprint, "/assets/new", Permission.ASSETS_WRITE)
def new(unit: Unit) -> str:
    return _form(unit, AssetForm(workspace_id=request.args.get("workspace_id")))


@tenant_page(blueprint, "/assets", Permission.ASSETS_WRITE, methods=("POST",))
def create(unit: Unit) -> Response | tuple[str, int]:
    """Add the address, and go on to its proof."""
    form = AssetForm()
    address = form.address.data or ""
    try:
        asset = assets.add_web_asset(
            unit, name=form.name.data or _host(address), address=address, workspace_id=id_given("workspace_id")
        )
    except (Invalid, Conflict) as error:
        form.blame(error)
        return _form(unit, form), error.status
    return redirect(url_for("assets.show", asset_id=asset.id), 303)


def _form(unit: Unit, form: AssetForm) -> str:
    form.workspace_id.choices = workspace_choices.choices(unit)
    return render_template("assets/new.html", form=form, demonstration=demonstration())


def _host(address: str) -> str:
    try:
        return assets.parse_address(address).host[:120]
    except ValueError:
        return "unnamed"


@tenant_page(blueprint, "/assets/demonstration", Permission.ASSETS_WRITE, methods=("POST",))
def demonstrate(unit: Unit) -> Response:
    """Add the demonstration target, or find it, and show it."""
    address = demonstration()
    if address is None:
        raise Conflict("This installation has no demonstration target.")
    try:
        asset_id = str(assets.add_web_asset(unit, name="Demonstration target", address=address).id)
    except Conflict as error:
        asset_id = str(error.extra["asset_id"])
    return redirect(url_for("assets.show", asset_id=asset_id), 303)


@tenant_page(blueprint, "/assets/<uuid:asset_id>", Permission.ASSETS_READ)
def show(unit: Unit, asset_id: UUID) -> str:
    asset = assets.get_asset(unit, asset_id)
    return render_template(
        "assets/show.html",
        asset_row=asset_rows(unit, [asset])[0],
        scans=scan_rows(unit, scans.list_scans(unit, asset_id=asset_id, size=SHOWN).rows),
        findings=findings.list_findings(unit, asset_id=asset_id, status="open", size=SHOWN).rows,
        **_proof(unit, asset),
    )


@tenant_page(blueprint, "/assets/<uuid:asset_id>/proof", Permission.ASSETS_READ)
def proof(unit: Unit, asset_id: UUID) -> FlaskResponse:
    """Answer what the last check saw."""
    return live("assets/_proof.html", **_proof(unit, assets.get_asset(unit, asset_id)))


@tenant_page(blueprint, "/assets/<uuid:asset_id>/check", Permission.ASSETS_WRITE, methods=("POST",))
def check(unit: Unit, asset_id: UUID) -> Response:
    """Have the proof looked for: by the button, or by the open page itself, which gets its fragment back."""
    proofs.request_check(unit, asset_id)
    if "HX-Request" in request.headers:
        return live("assets/_proof.html", **_proof(unit, assets.get_asset(unit, asset_id)))
    return redirect(url_for("assets.show", asset_id=asset_id, _anchor="proof"), 303)


def _proof(unit: Unit, asset: Asset) -> dict[str, object]:
    offered = demonstration()
    plain: dict[str, object] = {"asset_id": asset.id, "proof": None, "demonstration": offered}
    if asset.url is None or asset.host is None or asset.url == offered:
        return plain
    found = proofs.get_proof(unit, asset.id)
    state = digests.proof_state(unit, found)
    if state == "proven" and found.proven_at is None:
        return plain
    value = challenge_value(found.token)
    names = {"dns": "DNS record", "file": "file"}
    panel = SimpleNamespace(
        state=state,
        endpoint=found.endpoint,
        dns_name=challenge_name(asset.host),
        dns_value=value,
        file_url=challenge_url(asset.url),
        file_body=value,
        checked_at=found.checked_at,
        proven_at=found.proven_at,
        proven_by=names.get(found.proven_by or "", found.proven_by),
        expires_at=found.expires_at,
        attempts=[
            SimpleNamespace(
                how="Resolver" if seen["method"] == "dns" else "File",
                where=seen["asked"],
                matched=seen["matched"],
                said=seen["status"],
            )
            for seen in found.attempts
        ],
    )
    return {**plain, "proof": panel}
