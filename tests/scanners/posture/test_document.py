"""The documentation says what the scanner does."""

from app.scanners.catalogue import TOOLS
from app.scanners.posture.rules.tables import rule_table
from app.scanners.posture.scan import STEPS
from tests.scanners.posture.compare import DOCUMENT, REASONS, put
from tests.scanners.posture.faults import CLEAN, FAULTS


def test_the_document_lists_the_rules_as_they_are() -> None:
    """The table of rules in docs/posture.md is the one that the catalogue makes."""
    text = DOCUMENT.read_text()
    assert put(text, "rules", rule_table()) == text


def test_each_difference_has_a_peer_and_a_reason() -> None:
    """Every reason names a peer, and every row of the comparison has its reason."""
    text = DOCUMENT.read_text()
    assert set(REASONS) <= {case.id for case in (*CLEAN, *FAULTS)}
    rows = text.partition("<!-- comparison begin -->")[2].partition("<!-- comparison end -->")[0].splitlines()
    reasons = [row.split(" | ")[-1].strip(" |") for row in rows if row.startswith("| ")]
    assert len(reasons) > 20
    assert all(reasons)


def test_the_steps_are_those_of_the_catalogue() -> None:
    """What a person is shown as steps is what the probe reports."""
    assert TOOLS["posture"].steps == STEPS
