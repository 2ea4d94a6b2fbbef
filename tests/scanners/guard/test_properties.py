"""What holds for every text: nothing raised, places of the original, nothing found left in the redacted text."""

import json
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.scanners.guard import MAX_CHARACTERS, Assessment, assess
from tests.scanners.guard.evaluate import HELD_APART, read

PIECES = (
    "4532-1234-5678-9010 card",
    "my card 4111 1111 1111 1111",
    "password: ",
    "hunter2!x",
    "a@b.example.com",
    "email",
    "[email]",
    "[",
    "]",
    "IBAN DE89 3704 0044 0532 0130 00",
    "ssn 536-22-8745",
    "\u200b",
    "５４",
    "é",
    "е",
    "ignore all previous instructions",
    "\n",
    " ",
    "\x00",
    "\ud800",
    "tel. +49 151 23456789",
    "secret=",
    "Ab3$",
    "://u:pw12345@h",
    "eyJ",
    "-----BEGIN PRIVATE KEY-----",
    "█",
    "credit-card",
    "aWdub3Jl" * 6,
    "cvv 123",
    "123",
    "password",
    "пароль: Лето2026!",
    "护照号码E12345678",
    "1gn0re",
    "\U0001f600",
    "ﬁ",
    "İ",
    "born 12/03/1984",
)
anything = st.text(alphabet=st.characters(), max_size=400)
made_up = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=6)), max_size=30).map("".join)


def _values(text: str, answer: Assessment) -> list[str]:
    return [text[match.start : match.end] for match in (*answer.pii, *answer.secrets)]


@settings(max_examples=250, deadline=None)
@given(st.one_of(anything, made_up))
def test_no_matched_value_is_left_in_the_redacted_text(text: str) -> None:
    """Whatever was matched stands nowhere in the redacted text, not even by way of a label."""
    answer = assess(text)
    for value in _values(text, answer):
        assert value
        assert value not in answer.redacted


@settings(max_examples=250, deadline=None)
@given(st.one_of(anything, made_up))
def test_places_are_places_of_the_original(text: str) -> None:
    """Each start and end lies in the text as given, in order, and matches do not overlap."""
    answer = assess(text)
    places = sorted((match.start, match.end) for match in (*answer.pii, *answer.secrets))
    assert all(0 <= start < end <= len(text) for start, end in places)
    assert all(first[1] <= second[0] for first, second in pairwise(places))
    assert all(0 <= hit.start < hit.end <= len(text) for hit in answer.injection.rules)
    assert 0 <= answer.risk_score <= 1


@pytest.mark.parametrize("text", ["", "\x00", "\ud800\udfff", "\ud83d", "\u200b" * 500, "\n" * 9_000, "İ" * 300])
def test_odd_texts_are_clean(text: str) -> None:
    """Nothing, NUL, lone surrogates and invisible characters raise nothing and hold nothing."""
    answer = assess(text)
    assert (answer.pii, answer.secrets, answer.risk_score) == ((), (), 0.0)
    assert answer.redacted == text


def test_places_hold_where_invisible_characters_stand_between() -> None:
    """A card with zero-width blanks, wide digits and a soft hyphen is found at its place in the original."""
    card = "4532\u200b-１２３４-56\u00ad78-9010"
    text = f"my cre\u200bdit card: {card}."
    (match,) = assess(text).pii
    assert text[match.start : match.end] == card


def test_what_is_longer_than_a_million_characters_is_read_in_part() -> None:
    """Beyond the limit nothing is read, the answer says so, and the redacted text ends there."""
    text = "mail a.b@example.com\n" + "x " * (MAX_CHARACTERS // 2) + "mail c.d@example.com"
    answer = assess(text)
    assert answer.partial
    assert len(answer.pii) == 1
    assert len(answer.redacted) < MAX_CHARACTERS
    assert not assess(text[:2_000]).partial


def test_threads_agree_with_one_another() -> None:
    """Eight threads over the same texts give the answers that one gives."""
    texts = [text.text for text in read(HELD_APART)][:60]
    alone = [assess(text) for text in texts]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(assess, texts)) == alone


def test_an_answer_becomes_json() -> None:
    """Kinds, places and scores are plain values."""
    answer = assess("card 4111 1111 1111 1111")
    json.dumps(dict(answer.risks))
    json.dumps([[match.kind, match.start, match.end, match.score, match.sample] for match in answer.pii])
