"""Denied requests, written down in units of their own: the request's is rolled back."""

import structlog
from flask import g, request
from sqlalchemy.exc import SQLAlchemyError

from app.core.errors import AppError
from app.db.units import Entry, Home
from app.services import denials
from app.serving.runtimes import runtime
from app.tenancy.context import tenant_scope

log = structlog.get_logger("sentinel.denials")


def note_denial(error: AppError) -> None:
    """Write the denial into the log of the tenant that it happened in, if it is known who was denied there."""
    entry: Entry | None = g.get("denied_entry")
    if entry is None or not denials.counts(error):
        return
    route = request.url_rule.rule if request.url_rule else ""
    try:
        with (
            tenant_scope(entry.tenant_id),
            runtime().units.open(Home.CONTENT, entry.actor, placement=entry.placement) as unit,
        ):
            if denials.record_denial(unit, error, method=request.method, route=route):
                unit.commit()
    except SQLAlchemyError as problem:
        log.warning("denial.not_noted", error=type(problem).__name__, request_id=g.get("request_id"))
