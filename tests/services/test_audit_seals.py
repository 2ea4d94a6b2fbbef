"""Seals: what they cover, and that each attack on an exported log is found."""

import json
import threading
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.cli import main
from app.core.settings import settings
from app.db.opening import open_units
from app.db.units import Home, Unit, Units
from app.services import audit, audit_exports, audit_seals
from app.services.audit import EVERYTHING
from app.services.sealers import Sealer
from app.services.signatures import canonical
from tests.peers.tenants import Made, make_tenant
from tests.plugins.servers import Database

BEGUN = "INSERT INTO auth.erasures (tenant_id, slug, reason, deleted_at) VALUES (%s, %s, 'asked for', now())"


@pytest.fixture
def sealer(worker_units: Units) -> Sealer:
    """The worker's sealer."""
    return Sealer(worker_units, settings().master)


def write(made: Made, *actions: str, home: Home = Home.CONTENT) -> None:
    with made.unit(home) as unit:
        for action in actions:
            audit.record(unit, action, "scan", None, after={"word": "ü", "number": 1.5})
        unit.commit()


def sealed_export(made: Made) -> list[bytes]:
    with made.unit(Home.ACCOUNT) as unit:
        begun = audit_exports.begin_export(unit, "sealed", EVERYTHING)
        unit.commit()
    return b"".join(audit_seals.stream_sealed(made.units, begun)).splitlines(keepends=True)


def numbers(made: Made) -> dict[str, int]:
    with made.unit() as unit:
        return {one.log: one.number for one in audit_seals.sealed_logs(unit)}


@pytest.fixture
def log(tenant: Made, sealer: Sealer) -> list[bytes]:
    """A log of two seals in the content's home and one in the account's."""
    write(tenant, "scan.a", "scan.b", "scan.c")
    sealer.turn()
    write(tenant, "scan.d", "scan.e")
    sealer.turn()
    assert numbers(tenant) == {"account": 1, "content": 2}
    return sealed_export(tenant)


@pytest.fixture
def check(tenant: Made, tmp_path: Path) -> Callable[..., Result]:
    """Runs the command on lines, with the installation's key."""

    def run(lines: list[bytes], *heads: str) -> Result:
        with tenant.units.identify() as door:
            pem = audit_seals.public_pem(door.session)
        assert pem is not None
        (tmp_path / "key.pem").write_bytes(pem)
        (tmp_path / "log").write_bytes(b"".join(lines))
        given = [part for head in heads for part in ("--head", head)]
        return CliRunner().invoke(
            main, ["audit", "verify", str(tmp_path / "log"), "--key", str(tmp_path / "key.pem"), *given]
        )

    return run


def heads_of(made: Made) -> list[str]:
    with made.unit() as unit:
        return [one.head for one in audit_seals.sealed_logs(unit)]


def place(lines: list[bytes], mark: bytes) -> int:
    return next(index for index, line in enumerate(lines) if mark in line)


def test_a_clean_log_is_whole(tenant: Made, log: list[bytes], check: Callable[..., Result]) -> None:
    """With the heads nothing is left unchecked; without them it is said that the tail is."""
    whole = check(log, *heads_of(tenant))
    assert whole.exit_code == 0 and "unchecked" not in whole.output and "6 events under 3 seals" in whole.output
    without = check(log)
    assert without.exit_code == 0 and without.output.count("the tail is unchecked") == 2


def test_an_edit_is_found(log: list[bytes], check: Callable[..., Result]) -> None:
    """One letter of one event."""
    index = place(log, b'"scan.b"')
    log[index] = log[index].replace(b"scan.b", b"scan.x")
    found = check(log)
    assert found.exit_code == 1 and "were changed" in found.output


def test_a_deletion_is_found(log: list[bytes], check: Callable[..., Result]) -> None:
    """One event, or a seal with all its events out of the middle."""
    index = place(log, b'"scan.b"')
    assert check(log[:index] + log[index + 1 :]).exit_code == 1
    first, seal = place(log, b'"scan.a"'), place(log, b'"scan.c"') + 1
    assert b'"seal"' in log[seal]
    found = check(log[:first] + log[seal + 1 :])
    assert found.exit_code == 1 and "missing or out of order" in found.output


def test_another_order_is_found(log: list[bytes], check: Callable[..., Result]) -> None:
    """Two events change places."""
    index = place(log, b'"scan.a"')
    log[index], log[index + 1] = log[index + 1], log[index]
    assert check(log).exit_code == 1


def test_a_truncation_is_found_by_the_head(tenant: Made, log: list[bytes], check: Callable[..., Result]) -> None:
    """The last seal is gone with its events: every seal left is good, and the head that was kept is not among them."""
    cut = log[: place(log, b'"scan.d"')]
    assert check(cut).exit_code == 0
    found = check(cut, *heads_of(tenant))
    assert found.exit_code == 1 and "ends before the seal" in found.output
    assert check(log[:-1]).exit_code == 1


def test_a_seal_of_ones_own_is_found(log: list[bytes], check: Callable[..., Result]) -> None:
    """Whoever changes a seal cannot sign it."""
    entry = json.loads(log[-1])
    entry["seal"]["at"] = "2020-01-01T00:00:00.000000+00:00"
    found = check([*log[:-1], canonical(entry) + b"\n"])
    assert found.exit_code == 1 and "signature" in found.output


def test_what_is_no_sealed_export_cannot_be_checked(check: Callable[..., Result]) -> None:
    """An empty file, one without seals and one that is not JSON are answered 2."""
    for lines in ([], [b'{"log":"content"}\n'], [b"PK"], [b"[]"]):
        assert check(lines).exit_code == 2


def test_nothing_is_sealed_that_an_open_transaction_can_precede(tenant: Made, sealer: Sealer) -> None:
    """What commits behind an older open transaction waits for it; then both are sealed, each once."""
    opened, go = threading.Event(), threading.Event()

    def slow() -> None:
        with tenant.unit() as unit:
            audit.record(unit, "scan.early", "scan", None)
            unit.session.flush()
            opened.set()
            go.wait(90)
            unit.commit()

    thread = threading.Thread(target=slow)
    thread.start()
    assert opened.wait(60)
    write(tenant, "scan.late")
    sealer.turn()
    assert "content" not in numbers(tenant)
    go.set()
    thread.join()
    sealer.turn()
    sealer.turn()
    text = b"".join(sealed_export(tenant))
    assert (text.count(b"scan.early"), text.count(b"scan.late"), numbers(tenant)["content"]) == (1, 1, 1)


def test_two_sealers_seal_each_event_once(
    tenant: Made, worker_units: Units, check: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sealers of several workers at once, a few events a seal: one chain without gaps or doubles."""
    monkeypatch.setattr(audit_seals, "MOST_EVENTS", 7)
    for number in range(10):
        write(tenant, *(f"scan.n{number}_{part}" for part in range(5)))
    key = settings().master

    def work() -> None:
        for _ in range(3):
            Sealer(worker_units, key).turn()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = check(sealed_export(tenant), *heads_of(tenant))
    assert found.exit_code == 0 and "51 events under 9 seals" in found.output


def test_a_log_that_cannot_be_sealed_holds_up_no_other(
    tenant: Made, units: Units, sealer: Sealer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fails in one tenant is tried again with the next turn; the others' logs are sealed meanwhile."""
    seal, other = audit_seals.seal_log, make_tenant(units)

    def failing(unit: Unit, key: Ed25519PrivateKey) -> int:
        if unit.tenant_id == tenant.id:
            raise RuntimeError
        return seal(unit, key)

    monkeypatch.setattr(audit_seals, "seal_log", failing)
    sealer.turn()
    assert (numbers(tenant), numbers(other)) == ({}, {"account": 1})
    monkeypatch.setattr(audit_seals, "seal_log", seal)
    sealer.turn()
    assert numbers(tenant) == {"account": 1}


def test_a_tenant_that_is_being_erased_is_sealed_no_more(
    environment: object, fresh_database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the beginning of its erasure on its log is not even offered, which would fail with each turn."""
    units, of_worker = (open_units(settings(), url) for url in (fresh_database.app, fresh_database.worker))
    erased, other = make_tenant(units), make_tenant(units)
    with psycopg.connect(fresh_database.superuser) as connection:
        connection.execute(BEGUN, [erased.id, erased.slug])
    Sealer(of_worker, settings().master).turn()
    assert (numbers(erased), numbers(other)) == ({}, {"account": 1})
    assert "sealer.failed" not in capsys.readouterr().out
    for each in (units, of_worker):
        each.engines.dispose()


@pytest.mark.parametrize("login", ["app", "worker", "platform"])
@pytest.mark.parametrize("table", ["shared.audit_seals", "account.audit_seals"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET number = 1", "DELETE FROM {}", "TRUNCATE {}"])
def test_no_login_changes_a_seal(postgres_server: Database, login: str, table: str, statement: str) -> None:
    """Seals can be added, and nobody's login can change, delete or clear them."""
    with (
        psycopg.connect(getattr(postgres_server, login)) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(statement.format(table).encode())


def test_the_web_cannot_have_the_signing_key(tenant: Made, log: list[bytes], postgres_server: Database) -> None:
    """Only the worker's login is given the key, and it is wrapped."""
    with psycopg.connect(postgres_server.app) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("SELECT auth.audit_key()")
