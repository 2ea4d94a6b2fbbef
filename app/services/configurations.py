"""Settings that a workspace may have of its own: what there is, where each value comes from, changing it.

A value is the workspace's, else the tenant's, else the platform's default. A setting is listed here only if something
acts by it.
"""

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

from sqlalchemy import or_, select

from app.core.errors import Invalid
from app.core.permissions import Permission
from app.db.units import Home, Unit
from app.models.workspaces import ConfigOverride
from app.scanners.catalogue import TOOLS
from app.scanners.guard import DEFAULT, GuardPolicy
from app.services import audit, workspaces
from app.services.access import require

Value = float | int | tuple[str, ...]
KINDS = tuple(sorted(DEFAULT.weights))


class Source(StrEnum):
    """Where a value comes from."""

    PLATFORM = "platform"
    TENANT = "tenant"
    WORKSPACE = "workspace"


@dataclass(frozen=True, slots=True)
class Setting:
    """One thing that can be set: `choices` where it is several of a list, else a number from `least` to `most`."""

    name: str
    title: str
    help: str
    default: Value
    least: float = 0
    most: float = 0
    whole: bool = False
    choices: tuple[str, ...] = ()
    empty: bool = True

    def read(self, written: str) -> Value:
        """Return the value that `written` spells. Raises ValueError with a word for a person."""
        if self.choices:
            chosen = tuple(sorted({part.strip() for part in written.split(",") if part.strip()}))
            if unknown := sorted(set(chosen) - set(self.choices)):
                raise ValueError("unknown: " + ", ".join(unknown)[:80])
            if not chosen and not self.empty:
                raise ValueError("choose at least one")
            return chosen
        try:
            number = int(written) if self.whole else round(float(written), 2)
        except (ValueError, OverflowError):
            raise ValueError("a whole number" if self.whole else "a number") from None
        if not self.least <= number <= self.most:
            raise ValueError(f"from {self.least:g} to {self.most:g}")
        return number

    def write(self, value: Value) -> str:
        """Return the value as it is kept."""
        return ",".join(value) if isinstance(value, tuple) else f"{value:g}"


_SETTINGS = (
    Setting(
        "guard.block_at",
        "Block texts from this risk on",
        "The guard blocks a text whose risk, 0 to 1, reaches this. Lower is stricter.",
        DEFAULT.block_at,
        least=0.05,
        most=1,
    ),
    Setting(
        "guard.ignored_kinds",
        "Kinds that the guard lets pass",
        "Neither reported, nor counted as a risk, nor taken out of the redacted text.",
        (),
        choices=KINDS,
    ),
    Setting(
        "scans.tools",
        "Tools that may be run",
        "A scan with any other tool is refused.",
        tuple(sorted(TOOLS)),
        choices=tuple(sorted(TOOLS)),
        empty=False,
    ),
    Setting(
        "scans.seconds",
        "Longest run of a scan, in seconds",
        "A probe that takes longer is ended, and its scan fails.",
        60,
        least=10,
        most=120,
        whole=True,
    ),
)
SETTINGS: Mapping[str, Setting] = MappingProxyType({setting.name: setting for setting in _SETTINGS})


@dataclass(frozen=True, slots=True)
class Configured:
    """A setting's value in force and where it comes from; `inherited` is what it would be without the own one."""

    setting: Setting
    value: Value
    source: Source
    inherited: Value
    inherited_from: Source


def configuration(unit: Unit, workspace_id: UUID | None) -> dict[str, Configured]:
    """Return every setting as the workspace has it, or as the tenant has it. For verbs: asks for no permission."""
    rows = unit.at_home(Home.ACCOUNT).session.scalars(
        select(ConfigOverride).where(
            or_(ConfigOverride.workspace_id.is_(None), ConfigOverride.workspace_id == workspace_id)
        )
    )
    written: dict[tuple[bool, str], str] = {(row.workspace_id is not None, row.name): row.value for row in rows}
    return {setting.name: _configured(setting, written, workspace_id is not None) for setting in _SETTINGS}


def _configured(setting: Setting, written: Mapping[tuple[bool, str], str], of_workspace: bool) -> Configured:
    levels: list[tuple[Source, Value]] = [(Source.PLATFORM, setting.default)]
    for own, source in ((False, Source.TENANT), (True, Source.WORKSPACE)):
        if (own, setting.name) in written:
            with suppress(ValueError):  # a value that was good once, before its list grew shorter
                levels.append((source, setting.read(written[own, setting.name])))
    own_source = Source.WORKSPACE if of_workspace else Source.TENANT
    inherited = next((source, value) for source, value in reversed(levels) if source is not own_source)
    return Configured(setting, levels[-1][1], levels[-1][0], inherited[1], inherited[0])


def show_configuration(unit: Unit, workspace_id: UUID | None) -> dict[str, Configured]:
    """Return the settings of a workspace, or of the tenant. Needs tenant:workspaces:read. Raises NotFound."""
    require(unit, Permission.WORKSPACES_READ)
    if workspace_id is not None:
        workspaces.get_workspace(unit, workspace_id)
    return configuration(unit, workspace_id)


def change_configuration(unit: Unit, workspace_id: UUID | None, changes: Mapping[str, str | None]) -> None:
    """Give settings a value of the workspace's own, or take it away (None), so that they inherit again.

    Needs tenant:workspaces:write; for the tenant itself (no workspace) tenant:settings:write. Raises Invalid with a
    word for each setting at fault (nothing is changed then), NotFound, Conflict for an archived workspace.
    """
    require(unit, Permission.WORKSPACES_WRITE if workspace_id is not None else Permission.SETTINGS_WRITE)
    if workspace_id is not None:
        workspaces.refuse_read_only(workspaces.get_workspace(unit, workspace_id))
    wanted = _checked(changes)
    rows = unit.session.scalars(
        select(ConfigOverride).where(ConfigOverride.workspace_id.is_not_distinct_from(workspace_id))
    )
    there = {row.name: row for row in rows}
    before = {name: there[name].value if name in there else None for name in wanted}
    changed = {name: value for name, value in wanted.items() if value != before[name]}
    for name, value in changed.items():
        _put(unit, workspace_id, there.get(name), name, value)
    if changed:
        audit.record(
            unit,
            "workspace.configure" if workspace_id is not None else "tenant.configure",
            "workspace" if workspace_id is not None else "tenant",
            workspace_id or unit.tenant_id,
            before={name: before[name] for name in changed},
            after=changed,
        )


def _checked(changes: Mapping[str, str | None]) -> dict[str, str | None]:
    problems: dict[str, str] = {}
    wanted: dict[str, str | None] = {}
    for name, written in changes.items():
        setting = SETTINGS.get(name)
        if setting is None:
            problems[name] = "no such setting"
            continue
        try:
            wanted[name] = None if written is None else setting.write(setting.read(written))
        except ValueError as error:
            problems[name] = str(error)
    if problems:
        raise Invalid("No setting was changed.", fields=problems)
    return wanted


def _put(unit: Unit, workspace_id: UUID | None, row: ConfigOverride | None, name: str, value: str | None) -> None:
    if value is None:
        if row is not None:
            unit.session.delete(row)
        return
    if row is None:
        row = ConfigOverride(workspace_id=workspace_id, name=name)
        unit.session.add(row)
    row.value, row.changed_at, row.changed_by = value, unit.now(), unit.actor.label


# What acts by the settings.


def guard_policy(unit: Unit) -> GuardPolicy:
    """Return by what texts are judged in the actor's workspace; its version changes with its settings."""
    known = configuration(unit, unit.actor.workspace_id or unit.tenant_id)
    block_at, ignored = known["guard.block_at"], known["guard.ignored_kinds"]
    if block_at.value == DEFAULT.block_at and not ignored.value:
        return DEFAULT
    mark = hashlib.sha256(f"{block_at.value}\0{ignored.value}".encode()).hexdigest()[:8]
    kinds = frozenset(ignored.value) if isinstance(ignored.value, tuple) else frozenset()
    threshold = block_at.value if isinstance(block_at.value, float) else DEFAULT.block_at
    return replace(DEFAULT, version=f"{DEFAULT.version}+{mark}", block_at=threshold, ignored=kinds)


def tool_allowed(unit: Unit, workspace_id: UUID, tool: str) -> bool:
    """Tell whether `tool` may be run in the workspace."""
    allowed = configuration(unit, workspace_id)["scans.tools"].value
    return isinstance(allowed, tuple) and tool in allowed


def scan_seconds(unit: Unit, workspace_id: UUID) -> float:
    """Return how long a scan of the workspace may take, in seconds."""
    seconds = configuration(unit, workspace_id)["scans.seconds"].value
    return float(seconds) if isinstance(seconds, (int, float)) else 60.0
