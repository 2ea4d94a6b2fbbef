"""What pages show of an API key: its state, its present secret, and who calls with which of its secrets."""

from collections.abc import Sequence
from types import SimpleNamespace
from uuid import UUID

from app.db.key_uses import KeyCaller
from app.db.units import Unit
from app.models.accounts import ApiKey
from app.services import key_rotations, key_secrets, key_uses, service_accounts, workspaces
from app.services.key_rules import ends_soon, state_of

NAMES = (
    "id",
    "name",
    "scopes",
    "networks",
    "maker_label",
    "created_at",
    "expires_at",
    "revoked_at",
    "calls_per_minute",
    "service_account_id",
    "beyond_plan",
)


def shown(unit: Unit, keys: Sequence[ApiKey]) -> list[SimpleNamespace]:
    """Return keys as lists show them, with the hint of the present secret and the last use."""
    ids = [key.id for key in keys]
    workspace_names = workspaces.names(unit)
    secrets, uses = key_secrets.present_secrets(unit, ids), key_uses.last_uses(unit, ids)
    names = service_accounts.account_names(unit, [key.service_account_id for key in keys])
    return [
        SimpleNamespace(
            **{name: getattr(key, name) for name in NAMES},
            state=state_of(key.revoked_at, key.expires_at, unit.now()),
            ends_soon=ends_soon(key.revoked_at, key.expires_at, unit.now()),
            workspace_id=key.workspace_id,
            workspace_name=workspace_names.get(key.workspace_id, ""),
            hint=secrets[key.id].hint,
            service_account=names.get(key.service_account_id) if key.service_account_id else None,
            **_last(key.id, uses),
        )
        for key in keys
    ]


def shown_one(unit: Unit, key: ApiKey) -> SimpleNamespace:
    """Return one key as its own page shows it."""
    return shown(unit, [key])[0]


def _last(key_id: UUID, uses: dict[UUID, KeyCaller]) -> dict[str, object]:
    use = uses.get(key_id)
    if use is None:
        return {"last_used_at": None, "last_address": "", "last_agent": ""}
    return {"last_used_at": use.last_at, "last_address": use.address, "last_agent": use.agent}


def key_callers(unit: Unit, key: ApiKey) -> tuple[list[KeyCaller], SimpleNamespace | None]:
    """Return who calls with the present secret; and the old secret with who calls with it still, if it works."""
    callers = key_uses.callers_of(unit, key.id)
    present, *former = key_secrets.secrets_of(unit, key.id)
    old = next((each for each in former if key_rotations.is_overlapping(each, unit.now())), None)
    mine = [caller for caller in callers if caller.secret_id == present.id]
    if old is None or old.superseded_at is None or key.revoked_at is not None:
        return mine, None
    theirs = [c for c in callers if c.secret_id == old.id and c.last_at > old.superseded_at]
    return mine, SimpleNamespace(hint=old.hint, since=old.superseded_at, ends_at=old.ends_at, callers=theirs)
