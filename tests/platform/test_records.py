"""The health page and the staff's own log."""

import csv
import io
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from app.core.errors import Conflict, PermissionDenied
from app.db import staff as directory
from app.db.engines import NOBODY
from app.db.units import Home, Units
from app.models.accounts import AccountEffect
from app.services.checkups import TRIES
from app.services.effect_retries import retry_effect
from app.services.stewards import Steward
from app.tenancy.actors import ActorKind
from tests.peers.staff import StaffMember
from tests.peers.tenants import Made
from tests.platform.test_commands import stuck_effect_of


def test_what_is_stuck_is_shown_and_tried_again(member: StaffMember, tenant: Made, worker_units: Units) -> None:
    """An effect that failed stands on the health page with its error; an order with a reason makes it due at once."""
    effect_id = stuck_effect_of(tenant)
    session = worker_units.start(worker_units.engines.control, NOBODY)
    directory.note_worker(session, "a-worker:7")
    session.commit()
    page = member.get("/state").text
    for told in (
        "ConnectionError",
        "test.none",
        tenant.slug,
        "a-worker:7",
        'Down</span><span class="under">Scans are accepted and wait',
    ):
        assert told in page, told
    retry = f"/tenants/{tenant.id}/effects/{effect_id}/retry"
    assert retry in page
    assert member.get(retry).status_code == 200
    assert member.post(retry, {"reason": ""}).status_code == 422
    assert member.post(retry, {"reason": "The far end is back"}).status_code == 303
    assert "on its way" in member.get("/state").text
    while Steward(worker_units).run_once():
        pass
    with tenant.unit(Home.ACCOUNT) as unit:
        row = unit.session.get_one(AccountEffect, (tenant.id, effect_id))
        assert row.due_at <= unit.now()
        assert row.attempts == TRIES
        row.done_at = unit.now()
        unit.commit()
    assert member.get(retry).status_code == 404
    staff = replace(tenant.actor, kind=ActorKind.STAFF)
    for actor, refusal in ((tenant.actor, PermissionDenied), (staff, Conflict)):
        with tenant.unit(Home.ACCOUNT, actor) as unit, pytest.raises(refusal):
            retry_effect(unit, UUID(effect_id), "once more")


def test_the_log_by_filters_and_as_a_file(member: StaffMember, tenant: Made) -> None:
    """Who, what, which tenant and when choose the rows of page and file; the file's own event is on record."""
    member.get(f"/tenants/{tenant.id}/resumption")
    member.post(f"/tenants/{tenant.id}/resumption", {"reason": "=a formula"})
    day = datetime.now(UTC).date()
    mine = f"who={member.email}&action=tenant.resume&tenant={tenant.id}&since={day - timedelta(1)}&until={day}"
    assert member.get(f"/log?{mine}").text.count("=a formula") == 1
    for other in (f"since={day + timedelta(2)}", f"until={day - timedelta(2)}", "action=tenant.delete", "who=nobody"):
        assert "No event like that" in member.get(f"/log?tenant={tenant.id}&{other}").text, other
    assert member.get("/log?tenant=nonsense&since=9999-12-31&until=x&before=y").status_code == 200
    answer = member.get(f"/log.csv?{mine}")
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert [(row[1], row[2], row[5]) for row in rows[1:]] == [(member.email, "tenant.resume", "'=a formula")]
    exported = member.get(f"/log?who={member.email}&action=staff.export-log").text
    assert len(re.findall(r"<code[^>]*>staff.export-log", exported)) == 1
