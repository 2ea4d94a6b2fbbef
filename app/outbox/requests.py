"""Asking for an effect: a row of the same commit."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from app.db.units import Home, Unit
from app.models.accounts import AccountEffect
from app.models.trails import Effect


def request_effect(unit: Unit, kind: str, payload: Mapping[str, Any], *, after: timedelta = timedelta(0)) -> None:
    """Ask for an effect of `kind`, `after` this unit's commit or later. `payload` is JSON: ids, no secrets."""
    table = Effect if unit.home is Home.CONTENT else AccountEffect
    now = unit.now()
    unit.session.add(table(kind=kind, payload=dict(payload), created_at=now, due_at=now + after, attempts=0))
    unit.note_effect()
