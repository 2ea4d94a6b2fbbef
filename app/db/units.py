"""The unit of work: one tenant, one transaction, one commit. What leaves it without a commit is rolled back.

A unit writes one home. Where both homes live in one database (isolation level `row`) they share its transaction.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Protocol
from uuid import UUID

from sqlalchemy import Engine, TextClause, Uuid, bindparam, event, text
from sqlalchemy.orm import Mapped, ORMExecuteState, Session, UOWTransaction, mapped_column, with_loader_criteria

from app.core.clock import Clock, SystemClock
from app.core.crypto import KeyRing
from app.db.commits import Last, Refused, carry
from app.db.engines import NOBODY, RELAXED, Engines, Scope
from app.tenancy.actors import Actor
from app.tenancy.context import require_tenant, tenant_scope
from app.tenancy.placements import Isolation, Placement


class Home(StrEnum):
    """Where a table lives: always in the control database, or wherever the tenant's content is placed."""

    ACCOUNT = "account"
    CONTENT = "content"


class OfTenant:
    """A tenant's row: its key begins with the tenant, which the unit of work fills in and checks."""

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True, sort_order=-20)


class Itself:
    """The tenant's own row, whose id is the tenant."""

    id: Mapped[UUID] = mapped_column(primary_key=True, sort_order=-20)


class InWorkspace:
    """A content row of one workspace; an actor that is kept to a workspace finds no other's.

    The default workspace of a tenant has the tenant's own id.
    """

    workspace_id: Mapped[UUID] = mapped_column(sort_order=-5)


class HasHome(Protocol):
    home: ClassVar[Home]


@dataclass(eq=False)
class Unit:
    """One piece of work for one tenant by one actor; `session` queries, `commit` ends it."""

    session: Session
    home: Home
    tenant_id: UUID
    actor: Actor
    placement: Placement | None
    clock: Clock
    keys: KeyRing
    _work: "_Work"

    def now(self) -> datetime:
        """Return the present moment by the injected clock, in UTC."""
        return self.clock.now()

    def commit(self) -> None:
        """Commit all that was written, once; afterwards nothing can be queried through this unit."""
        self._work.commit()

    def write_last(
        self,
        statement: TextClause,
        values: Mapping[str, object],
        *,
        refused: Callable[["Unit"], Exception] | None = None,
    ) -> None:
        """Have the commit send `statement` before it, in its round trip: nothing in this unit sees what it writes.

        It is undone with the transaction, not with a savepoint; where it fails, the commit does, and nothing is kept.
        Where it fails because a column that must have a value would get none, the commit raises what `refused` returns,
        which may ask in a unit of its own.
        """
        refuse = None if refused is None else lambda: self._work.explain(self.home, refused)
        self.session.info.setdefault("last", []).append(Last(statement, values, refuse))

    def at_home(self, home: Home) -> "Unit":
        """Return the unit of the same work for `home`."""
        return self._work.unit(home)

    def note_effect(self) -> None:
        """Remember that an effect was requested, so that the relay is woken after the commit."""
        self._work.effects = True


@dataclass(eq=False)
class _Work:
    """What the units of one piece of work share: sessions, the homes written, the one commit."""

    units: "Units"
    tenant_id: UUID
    actor: Actor
    placement: Placement | None
    sessions: dict[Home, Session] = field(default_factory=dict)
    written: set[Home] = field(default_factory=set)
    effects: bool = False
    over: bool = False

    def unit(self, home: Home) -> Unit:
        session = self.sessions.get(home) or self._join(home)
        return Unit(session, home, self.tenant_id, self.actor, self.placement, self.units.clock, self.units.keys, self)

    def _join(self, home: Home) -> Session:
        if self.over:
            raise RuntimeError("this work is committed")
        if home is Home.CONTENT and self.placement is None:
            self.placement = self._read_placement()
        if home is Home.CONTENT and self.placement is not None and self.placement.level is not Isolation.ROW:
            engine, schema = self.units.engines.of(self.placement), self.placement.schema
            return self.adopt(self.units.start(engine, Scope(self.tenant_id, schema)), home)
        for session in self.sessions.values():
            return self.adopt(session, home)
        return self.adopt(self.units.start(self.units.engines.control, Scope(self.tenant_id)), home)

    def _read_placement(self) -> Placement:
        found = (
            self.unit(Home.ACCOUNT)
            .session.execute(
                text("SELECT level, schema_name, database_name, epoch FROM control.placements WHERE tenant_id = :t"),
                {"t": self.tenant_id},
            )
            .one_or_none()
        )
        if found is None:
            raise PermissionError("the tenant has no placement")
        return Placement(self.tenant_id, Isolation(found[0]), found[1], found[2], found[3])

    def adopt(self, session: Session, home: Home) -> Session:
        session.info.update(tenant_id=self.tenant_id, written=self.written, criterion=self.units.criterion)
        session.info.update(workspace_id=self.actor.workspace_id)
        self.sessions[home] = session
        return session

    def commit(self) -> None:
        if self.over:
            return
        for session in dict.fromkeys(self.sessions.values()):
            if last := session.info.pop("last", None):
                carry(session.connection(), last)
            try:
                session.commit()
            except Refused as error:
                session.rollback()
                if error.last.refuse is not None:
                    raise error.last.refuse() from None
                raise
        self.over = True
        if self.effects:
            self.units.on_effects()

    def explain(self, home: Home, refused: Callable[[Unit], Exception]) -> Exception:
        """Return what a commit that was refused raises."""
        with self.units.reopen(self.unit(home), home) as unit:
            return refused(unit)

    def close(self) -> None:
        self.over = True
        for session in dict.fromkeys(self.sessions.values()):
            session.close()


@dataclass(frozen=True, slots=True)
class Entry:
    """Who came in, as a directory function told: the tenant, its placement and the actor."""

    tenant_id: UUID
    placement: Placement | None
    actor: Actor


class Units:
    """Opens units of work: the one place that makes sessions."""

    def __init__(
        self,
        engines: Engines,
        keys: KeyRing,
        *,
        clock: Clock | None = None,
        on_effects: Callable[[], None] = lambda: None,
        criterion: bool = True,
    ) -> None:
        """Take engines and keys; without `criterion` the ORM's layer is off, which only its own proof wants."""
        self.engines = engines
        self.keys = keys
        self.clock = clock or SystemClock()
        self.on_effects = on_effects
        self.criterion = criterion

    def start(self, engine: Engine, scope: Scope) -> Session:
        """Return a session in a transaction that is bound to `scope`."""
        session = _Session(bind=engine.execution_options(scope=scope), autobegin=False, expire_on_commit=False)
        session.begin()
        return session

    @contextmanager
    def open(self, home: Home, actor: Actor, *, placement: Placement | None = None) -> Iterator[Unit]:
        """Open a unit for the tenant of the context. Raises PermissionError without one or elsewhere."""
        tenant_id = require_tenant()
        if placement is not None and placement.tenant_id != tenant_id:
            raise PermissionError("the placement of another tenant")
        work = _Work(self, tenant_id, actor, placement)
        try:
            yield work.unit(home)
        finally:
            work.close()

    @contextmanager
    def reopen(self, asked: Unit, home: Home) -> Iterator[Unit]:
        """Open a unit of its own for whoever worked in `asked`, which may be over: for short reads one by one."""
        with tenant_scope(asked.tenant_id), self.open(home, asked.actor, placement=asked.placement) as unit:
            yield unit

    @contextmanager
    def identify(self, *, relaxed: bool = False) -> Iterator["Doorway"]:
        """Open a transaction that belongs to nobody, in which a directory function may tell who comes in.

        `relaxed` is for one that changes nothing: its commit does not wait until what it notes is on the disk.
        """
        doorway = Doorway(self, self.start(self.engines.control, RELAXED if relaxed else NOBODY))
        try:
            yield doorway
        finally:
            doorway.close()


@dataclass(eq=False)
class Doorway:
    """The moment before the tenant is known: only directory functions can be called."""

    units: Units
    session: Session
    _work: _Work | None = None

    def enter(self, entry: Entry, home: Home) -> Unit:
        """Go on in the same transaction as the tenant that the directory function has just set."""
        self._work = _Work(self.units, entry.tenant_id, entry.actor, entry.placement)
        self._work.adopt(self.session, Home.ACCOUNT)
        return self._work.unit(home)

    def found(self, entry: Entry, home: Home) -> Unit:
        """Go on in the same transaction as a tenant that is being made in it."""
        self.session.execute(
            text("SELECT set_config('app.current_tenant', :tenant, true)"), {"tenant": str(entry.tenant_id)}
        )
        return self.enter(entry, home)

    @contextmanager
    def within(self, tenant_id: UUID, actor: Actor) -> Iterator[Unit]:
        """Write the account home of a tenant for a while, then belong to nobody again; `commit` keeps what was written.

        For what a person does to their own account, which shows in every tenant that they belong to.
        """
        unit = self.found(Entry(tenant_id, None, actor), Home.ACCOUNT)
        yield unit
        self.session.flush()
        self.session.expunge_all()
        self.session.info.pop("tenant_id")
        self.session.info.pop("workspace_id")
        self.session.execute(text("SELECT set_config('app.current_tenant', '', true)"))
        self._work = None

    def commit(self) -> None:
        """Keep what directory functions wrote, where nobody came in; who asks may still be looked up afterwards."""
        if self._work is None:
            self.session.commit()
            self.session.begin()

    def close(self) -> None:
        if self._work is not None:
            self._work.close()
        else:
            self.session.close()


# The same options for all tenants, so that statements keep their place in the cache: the tenant is a parameter that
# is read when the statement runs, right after `do_orm_execute` has set it in the same context.
_criterion_tenant: ContextVar[UUID | None] = ContextVar("sentinel_criterion", default=None)
_TENANT = bindparam("criterion_tenant", callable_=_criterion_tenant.get, type_=Uuid())
_CRITERIA = (
    with_loader_criteria(OfTenant, lambda cls: cls.tenant_id == _TENANT, include_aliases=True),
    with_loader_criteria(Itself, lambda cls: cls.id == _TENANT, include_aliases=True),
)
_criterion_workspace: ContextVar[UUID | None] = ContextVar("sentinel_workspace", default=None)
_WORKSPACE = bindparam("criterion_workspace", callable_=_criterion_workspace.get, type_=Uuid())
_WORKSPACE_CRITERION = with_loader_criteria(
    InWorkspace, lambda cls: cls.workspace_id == _WORKSPACE, include_aliases=True
)


class _Session(Session):
    """A session that scopes every statement to its tenant and refuses rows of any other."""


@event.listens_for(_Session, "do_orm_execute")
def _scope_statement(state: ORMExecuteState) -> None:
    info = state.session.info
    mapper = state.bind_mapper
    if mapper is not None and (state.is_insert or state.is_update or state.is_delete):
        _note_home(state.session, mapper.class_)
    tenant_id: UUID | None = info.get("tenant_id")
    if tenant_id is None or not (state.is_select or state.is_update or state.is_delete):
        return
    if info.get("criterion", True):
        _criterion_tenant.set(tenant_id)
        state.statement = state.statement.options(*_CRITERIA)
    if workspace_id := info.get("workspace_id"):
        _criterion_workspace.set(workspace_id)
        state.statement = state.statement.options(_WORKSPACE_CRITERION)


@event.listens_for(_Session, "before_flush")
def _claim_rows(session: Session, _context: UOWTransaction, _instances: Any) -> None:
    tenant_id: UUID | None = session.info.get("tenant_id")
    checked = session.info.get("criterion", True)
    for row in (*session.new, *session.dirty, *session.deleted):
        _note_home(session, type(row))
        if isinstance(row, OfTenant) and row.tenant_id is None:
            row.tenant_id = tenant_id  # type: ignore[unreachable]
        whose = row.tenant_id if isinstance(row, OfTenant) else row.id if isinstance(row, Itself) else tenant_id
        if checked and whose != tenant_id:
            raise PermissionError("a row of another tenant")
        if isinstance(row, InWorkspace):
            _keep_to_workspace(row, session.info.get("workspace_id"), tenant_id)


def _keep_to_workspace(row: InWorkspace, kept_to: UUID | None, tenant_id: UUID | None) -> None:
    """Give a new row its workspace, the default one where none is named; refuse one of another workspace."""
    if row.workspace_id is None:
        row.workspace_id = kept_to or tenant_id  # type: ignore[unreachable]
    if kept_to is not None and row.workspace_id != kept_to:
        raise PermissionError("a row of another workspace")


def _note_home(session: Session, table: type[HasHome]) -> None:
    written: set[Home] = session.info.setdefault("written", set())
    written.add(table.home)
    if len(written) > 1:
        raise RuntimeError("a unit of work writes one home")
