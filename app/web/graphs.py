"""The graph of assets and findings, drawn."""

from flask import render_template, url_for

from app.core.errors import Unavailable
from app.core.permissions import Permission
from app.db.units import Unit
from app.graph.projections import Picture, picture
from app.serving.runtimes import runtime
from app.tenancy.context import tenant_scope
from app.web.drawings import Edge, draw
from app.web.listings import id_given
from app.web.routing import tenant_blueprint, tenant_page

blueprint = tenant_blueprint("graphs", __name__)


@tenant_page(blueprint, "/graph", Permission.GRAPH_READ)
def show(unit: Unit) -> str:
    """Draw what the graph holds; without it, say so and what goes on."""
    graph = runtime().graph
    try:
        if graph is None:
            raise Unavailable("This installation has no graph.")
        with tenant_scope(unit.tenant_id):
            seen = picture(graph, id_given("asset_id"))
    except Unavailable as error:
        return render_template("graphs/show.html", rows=[], drawing=None, down=error.detail, truncated=False)
    edges = edges_of(seen)
    drawing = draw(
        edges,
        lambda edge: url_for("assets.show", asset_id=edge.asset_id),
        lambda edge: url_for("findings.show", finding_id=edge.finding_id),
    )
    return render_template("graphs/show.html", rows=edges, drawing=drawing, down=None, truncated=seen.truncated)


def edges_of(seen: Picture) -> list[Edge]:
    """Return the picture's findings with the assets that have them."""
    nodes = {node.id: node for node in seen.nodes}
    return [
        Edge(asset.id, asset.title, finding.id, finding.title, finding.severity or "info")
        for asset, finding in ((nodes[e.source], nodes[e.target]) for e in seen.edges if e.kind == "HAS")
    ]
