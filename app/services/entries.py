"""The first entry of a session into a tenant is in the tenant's audit log: who came in, how, from where."""

import threading
from collections import OrderedDict
from uuid import UUID

from app.db import visits
from app.db.directory import Visitor
from app.db.units import Home, Unit
from app.services import audit

MOST_KNOWN = 20_000
_known: OrderedDict[tuple[UUID, UUID], None] = OrderedDict()
_lock = threading.Lock()


def note_entry(unit: Unit, visitor: Visitor) -> None:
    """Record that the visitor's session came in, once; a process asks the directory about each session once or twice.

    What this process remembers is only that the row is committed, so nothing that is rolled back is forgotten.
    """
    entry = (visitor.session_id, unit.tenant_id)
    with _lock:
        if entry in _known:
            return
    if visits.note_entry(unit.at_home(Home.ACCOUNT).session, visitor.session_id):
        given = {"methods": list(visitor.proof.methods), "second_factor": visitor.proof.strong_at is not None}
        audit.record(unit, "session.enter", "session", visitor.session_id, after=given)
        return
    with _lock:
        _known[entry] = None
        while len(_known) > MOST_KNOWN:
            _known.popitem(last=False)
