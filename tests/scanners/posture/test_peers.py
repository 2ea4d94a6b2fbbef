"""Peers with exactly one fault, and peers with none."""

import pytest

from app.scanners.posture.rules import ALL_RULES
from app.scanners.posture.scan import examine
from app.scanners.probes import Artefact, Ticket
from tests.peers.authorities import Authority
from tests.peers.faulty import serving
from tests.scanners.posture.faults import CLEAN, FAULTS, Case

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()


def scanned(case: Case, authority: Authority) -> Artefact:
    tls = case.tls(authority) if case.tls else None
    with serving(case.site, tls) as served:
        ticket = Ticket("scan", "posture", target=served.url, allowed=[served.endpoint], seconds=20)
        return examine(ticket, roots=authority.roots)


@pytest.mark.parametrize("case", FAULTS, ids=lambda case: case.id)
def test_the_one_fault_of_a_peer_is_named_and_nothing_else(case: Case, authority: Authority) -> None:
    """Each peer is clean but for one thing, and exactly that is named, whatever its severity."""
    artefact = scanned(case, authority)
    assert artefact.failure is None
    assert [(fault.rule, fault.evidence) for fault in artefact.faults if fault.rule not in case.named] == []
    assert {fault.rule for fault in artefact.faults} == case.named
    assert not artefact.partial, artefact.notes


@pytest.mark.parametrize("case", CLEAN, ids=lambda case: case.id)
def test_a_clean_peer_has_no_fault(case: Case, authority: Authority) -> None:
    """A peer that does all as it should gets no fault, not even of severity info."""
    artefact = scanned(case, authority)
    assert artefact.failure is None
    assert artefact.faults == []
    assert not artefact.partial, artefact.notes


def test_every_rule_has_a_peer() -> None:
    """The table of faulty peers covers the whole catalogue, and the catalogue has forty rules and more."""
    assert {rule for case in FAULTS for rule in case.named} == set(ALL_RULES)
    assert len(ALL_RULES) >= 40
