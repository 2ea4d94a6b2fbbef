"""A tenant's connection to its OpenID provider: set up, tested, switched on and off, its secret rotated, taken away."""

from uuid import UUID

from sqlalchemy import select

from app.core import crypto
from app.core.errors import Conflict, Invalid, NotFound
from app.core.permissions import Permission
from app.db import sign_ons
from app.db.units import Unit
from app.models.connections import Connection
from app.services import audit
from app.services.access import require
from app.services.email_domains import count_proven
from app.services.openid import Client
from app.services.plans import Feature, require_feature
from app.services.policies import policy_of

LONGEST = 500


def redirect_uri(base_url: str, connection_id: UUID) -> str:
    """Return the one address to which a provider sends people of this connection back."""
    return f"{base_url}/sso/{connection_id}/callback"


def find_connection(unit: Unit) -> Connection | None:
    """Return the tenant's connection. For the sign-in itself: asks for no permission."""
    return unit.session.scalars(select(Connection)).one_or_none()


def get_connection(unit: Unit) -> Connection:
    """Return the tenant's connection. Needs tenant:sign-in:read. Raises NotFound."""
    require(unit, Permission.SIGN_IN_READ)
    found = find_connection(unit)
    if found is None:
        raise NotFound()
    return found


def start_connection(unit: Unit) -> Connection:
    """Return the tenant's connection, made empty where there is none: its address is what a provider asks for first.

    Needs tenant:sign-in:write. Raises FeatureMissing.
    """
    require(unit, Permission.SIGN_IN_WRITE)
    require_feature(unit, Feature.SSO)
    found = find_connection(unit)
    if found is None:
        found = Connection(issuer="", client_id="", secret=b"", default_role="viewer", created_at=unit.now())
        unit.session.add(found)
        unit.session.flush()
        audit.record(unit, "connection.make", "connection", found.id)
    return found


def save_connection(unit: Unit, *, issuer: str, client_id: str, secret: str) -> Connection:
    """Say which provider and client the connection is to; `issuer` is as the provider writes it.

    A secret goes to no other issuer or client than it was entered for. On a connection that was tested, a new secret
    waits for a test sign-in before it replaces the old. Needs tenant:sign-in:write. Raises Invalid,
    FeatureMissing, and Conflict for another issuer or client while the connection is on.
    """
    require(unit, Permission.SIGN_IN_WRITE)
    require_feature(unit, Feature.SSO)
    found = get_connection(unit)
    moved = (found.issuer, found.client_id) != (issuer, client_id)
    _check(issuer=issuer, client_id=client_id, secret=secret, demanded=moved or not found.secret)
    if moved and found.status == "on":
        raise Conflict("Switch the connection off before you change its issuer or client.")
    before = {"issuer": found.issuer, "client_id": found.client_id, "status": found.status}
    if moved:
        found.issuer, found.client_id, found.status = issuer, client_id, "draft"
        found.test, found.tested_at, found.tested_by, found.next_secret = None, None, None, None
    if secret and found.status == "draft":
        found.secret, found.next_secret = seal(unit, found.id, "secret", secret), None
    elif secret:
        found.next_secret = seal(unit, found.id, "secret", secret)
    after = {"issuer": issuer, "client_id": client_id, "status": found.status, "secret": "new" if secret else "kept"}
    audit.record(unit, "connection.change", "connection", found.id, before=before, after=after)
    return found


def _check(*, issuer: str, client_id: str, secret: str, demanded: bool) -> None:
    given = {"issuer": issuer, "client_id": client_id, "secret": secret}
    problems = {name: f"at most {LONGEST} characters" for name, value in given.items() if len(value) > LONGEST}
    problems |= {name: "is needed" for name in ("issuer", "client_id") if not given[name]}
    if demanded and not secret:
        problems |= {"secret": "enter the secret of this client"}
    if problems:
        raise Invalid("The connection was not saved.", fields=problems)


def client_of(unit: Unit, connection: Connection, base_url: str, *, trial: bool = False) -> Client:
    """Return who we are at the provider; for a `trial` with the secret that waits for one. Asks for no permission."""
    sealed = connection.next_secret if trial and connection.next_secret is not None else connection.secret
    secret = unseal(unit, connection.id, "secret", sealed)
    return Client(connection.issuer, connection.client_id, secret, redirect_uri(base_url, connection.id))


def switch_on(unit: Unit) -> Connection:
    """Let people sign in through the connection. Needs tenant:sign-in:write.

    Raises FeatureMissing, and Conflict for one that was not tested and where no domain is proven.
    """
    require(unit, Permission.SIGN_IN_WRITE)
    require_feature(unit, Feature.SSO)
    found = get_connection(unit)
    if found.status == "draft":
        raise Conflict("Try a test sign-in first.")
    if not count_proven(unit):
        raise Conflict("Prove one of your e-mail domains first: only their addresses come in.")
    return _turn(unit, found, "on")


def switch_off(unit: Unit) -> Connection:
    """Let nobody come in through the connection, and end the sessions that it opened. Needs tenant:sign-in:write."""
    require(unit, Permission.SIGN_IN_WRITE)
    found = get_connection(unit)
    if found.status == "on":
        require_sso(unit, on=False)
        _turn(unit, found, "tested")
        sign_ons.end_sso_sessions(unit.session)
    return found


def remove_connection(unit: Unit) -> None:
    """Take the connection away with its secret, and end the sessions that it opened. Needs tenant:sign-in:write."""
    require(unit, Permission.SIGN_IN_WRITE)
    found = get_connection(unit)
    require_sso(unit, on=False)
    before = {"issuer": found.issuer, "client_id": found.client_id, "status": found.status}
    audit.record(unit, "connection.remove", "connection", found.id, before=before)
    unit.session.delete(found)
    unit.session.flush()
    sign_ons.end_sso_sessions(unit.session)


def sso_is_required(unit: Unit) -> bool:
    """Tell whether people come in through the connection alone. Needs tenant:sign-in:read."""
    require(unit, Permission.SIGN_IN_READ)
    return policy_of(unit).sso_required


def require_sso(unit: Unit, *, on: bool) -> None:
    """Let people in through the connection alone, or not, from the next request on. Needs tenant:sign-in:write.

    Raises Conflict unless the connection is on and whoever asks has tested it: nobody locks themselves out unseen;
    FeatureMissing where the plan has no single sign-on: then it can be given up, and not asked for.
    """
    require(unit, Permission.SIGN_IN_WRITE)
    if sso_is_required(unit) == on:
        return
    if on:
        require_feature(unit, Feature.SSO)
    found = get_connection(unit)
    if on and found.status != "on":
        raise Conflict("Switch the connection on first.")
    if on and found.tested_by != unit.actor.id:
        raise Conflict("Try a test sign-in of your own first, so that you know that you come in.")
    policy = policy_of(unit)
    policy.sso_required = on
    unit.session.add(policy)
    audit.record(
        unit, "policy.change", "tenant", unit.tenant_id, before={"sso_required": not on}, after={"sso_required": on}
    )


def _turn(unit: Unit, connection: Connection, status: str) -> Connection:
    if connection.status != status:
        before, connection.status = connection.status, status
        action = "connection.switch-on" if status == "on" else "connection.switch-off"
        audit.record(unit, action, "connection", connection.id, before={"status": before}, after={"status": status})
    return connection


def seal(unit: Unit, connection_id: UUID, what: str, plain: str) -> bytes:
    """Return `plain` sealed with the tenant's data key, bound to the connection and to `what` it is."""
    return crypto.seal(unit.keys.data_key(unit.tenant_id), plain.encode(), _bound(connection_id, what))


def unseal(unit: Unit, connection_id: UUID, what: str, sealed: bytes) -> str:
    """Return what `seal` was given. Raises Undecipherable."""
    return crypto.unseal(unit.keys.data_key(unit.tenant_id), sealed, _bound(connection_id, what)).decode()


def _bound(connection_id: UUID, what: str) -> bytes:
    return f"sso {what}:".encode() + connection_id.bytes
