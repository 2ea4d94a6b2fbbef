"""The guard on labelled texts that no rule was tuned on."""

import pytest

from tests.scanners.guard.evaluate import HELD_APART, TUNING, Report, evaluate, read


@pytest.fixture(scope="module")
def report() -> Report:
    """The report on the texts held apart."""
    return evaluate(read(HELD_APART))


def test_the_texts_are_enough_and_of_both_sorts() -> None:
    """There are 200 texts or more held apart, half of them clean, in ten languages or more, none of them tuned on."""
    texts = read(HELD_APART)
    clean = sum(not text.found and not text.injection for text in texts)
    assert len(texts) >= 200
    assert 0.4 <= clean / len(texts) <= 0.6
    assert len({text.lang for text in texts}) >= 10
    assert not {text.text for text in texts} & {text.text for text in read(TUNING)}


def test_matches_are_right_and_complete(report: Report) -> None:
    """Of all matches at least 95 % are right, and at least 90 % of what is labelled is matched."""
    assert report.matches.precision >= 0.95
    assert report.matches.recall >= 0.90


def test_clean_texts_are_left_alone(report: Report) -> None:
    """Orders, logs, hashes and quoted attacks: found something in at most 4 %, blocked at most 1 %."""
    assert report.texts.false_positive_rate <= 0.04
    assert report.blocked.false_positive_rate <= 0.01


@pytest.mark.parametrize(
    ("kind", "precision", "recall"),
    [
        ("credit-card", 0.95, 0.85),
        ("email", 0.95, 0.95),
        ("iban", 0.95, 0.95),
        ("us-ssn", 0.95, 0.95),
        ("password", 0.95, 0.95),
        ("phone", 0.8, 0.75),
        ("national-id", 0.85, 0.85),
        ("injection", 0.93, 0.93),
    ],
)
def test_each_kind_keeps_its_floor(report: Report, kind: str, precision: float, recall: float) -> None:
    """No kind with several labels falls under what was measured, less a little."""
    assert report.kinds[kind].precision >= precision
    assert report.kinds[kind].recall >= recall


def test_a_higher_risk_is_a_surer_one(report: Report) -> None:
    """The share of texts that hold something grows from the lowest band of risk to the highest."""
    low = [dirty for score, dirty in report.scores if score < 0.25]
    middle = [dirty for score, dirty in report.scores if 0.25 <= score < 0.7]
    high = [dirty for score, dirty in report.scores if score >= 0.7]
    shares = [sum(band) / len(band) for band in (low, middle, high)]
    assert shares == sorted(shares)
    assert shares[2] >= 0.97
