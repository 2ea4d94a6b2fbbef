"""Health, readiness and metrics."""

import hmac
import json
import os
import time

from flask import Blueprint, Flask, Response, g, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest, multiprocess
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.core.errors import Unauthenticated
from app.db.engines import NOBODY
from app.serving.probes import DOWN, OK, UNSET, graph_answers, temporal_answers
from app.serving.runtimes import runtime

blueprint = Blueprint("health", __name__)
REQUESTS = Counter("sentinel_requests_total", "Requests answered", ["method", "route", "status"])
SECONDS = Histogram("sentinel_request_seconds", "Time to answer a request, in seconds", ["route"])


@blueprint.get("/health")
def health() -> Response:
    """The process runs."""
    return Response('{"status": "ok"}', mimetype="application/json")


@blueprint.get("/ready")
def ready() -> Response:
    """Which parts answer. 503 without the database; graph and Temporal may be down: work is accepted and waits."""
    parts = {"database": _database(), "temporal": _temporal(), "graph": _graph()}
    status = 200 if parts["database"] == OK else 503
    state = "ready" if all(part == OK for part in parts.values()) else "degraded" if status == 200 else "down"
    return Response(json.dumps({"status": state, "parts": parts}), status=status, mimetype="application/json")


def _database() -> str:
    try:
        session = runtime().units.start(runtime().units.engines.control, NOBODY)
        try:
            session.execute(text("SELECT 1"))
        finally:
            session.close()
    except SQLAlchemyError:
        return DOWN
    return OK


def _temporal() -> str:
    return OK if temporal_answers(runtime().settings.temporal_address) else DOWN


def _graph() -> str:
    graph = runtime().graph
    if graph is None:
        return UNSET
    return OK if graph_answers(graph) else DOWN


@blueprint.get("/metrics")
def metrics() -> Response:
    """Prometheus metrics, summed over the processes; asks for METRICS_TOKEN where one is set."""
    token = runtime().settings.metrics_token
    if token is None and runtime().settings.sentinel_env == "production":
        raise Unauthenticated("METRICS_TOKEN is not set.")
    if token is not None and runtime().settings.sentinel_env == "production":
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), token.get_secret_value().encode()):
            raise Unauthenticated("The metrics need their token.")
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return Response(generate_latest(registry), mimetype=CONTENT_TYPE_LATEST)
    return Response(generate_latest(), mimetype=CONTENT_TYPE_LATEST)


def register_health(app: Flask) -> None:
    """Serve health, readiness and metrics, and measure every request."""
    app.register_blueprint(blueprint)

    @app.after_request
    def _measure(response: Response) -> Response:
        route = request.url_rule.rule if request.url_rule else "none"
        REQUESTS.labels(request.method, route, response.status_code).inc()
        if "started" in g:
            SECONDS.labels(route).observe(time.perf_counter() - g.started)
        return response
