"""The steps of a scan as its page shows them: what is done, what is under way, what is to come."""

from collections.abc import Sequence
from datetime import datetime
from types import SimpleNamespace

from app.models.scans import Scan, ScanStep
from app.scanners.catalogue import TOOLS
from app.serving.words import elapsed, words


def steps_of(scan: Scan, reached: Sequence[ScanStep]) -> list[SimpleNamespace]:
    """Return rows of name, state (done, now, todo, failed), note and side (the time since the request)."""
    at = {step.name: step.at for step in reached}
    tool = TOOLS.get(scan.tool)
    named = [("Accepted", scan.created_at), ("Admitted to the queue", scan.admitted_at)]
    named += [("Taken by a worker", at.get("started") or scan.started_at)]
    known = tool.steps if tool else ()
    named += [(step, at.get(step)) for step in known]
    named += [(words(step.name), step.at) for step in reached if step.name not in {*known, "started", "finished"}]
    named += [("Findings recorded", scan.finished_at if scan.status == "done" else None)]
    last = max(index for index, (_, moment) in enumerate(named) if moment is not None)
    return [_row(scan, index, name, moment, last) for index, (name, moment) in enumerate(named)]


def _row(scan: Scan, index: int, name: str, moment: datetime | None, last: int) -> SimpleNamespace:
    # What a probe reports is that a step has begun, so the last one reached is still under way.
    edge = last if scan.status != "queued" else last + 1
    if index < edge or scan.status == "done":
        state = "done"
    elif index > edge:
        state = "todo"
    else:
        state = "now" if scan.status in ("queued", "running") else "failed"
    note = {"failed": "It ended here", "cancelled": "It was cancelled here"}.get(scan.status)
    side = elapsed(moment - scan.created_at) if moment is not None and index else None
    return SimpleNamespace(name=name, state=state, note=note if state == "failed" else None, side=side)
