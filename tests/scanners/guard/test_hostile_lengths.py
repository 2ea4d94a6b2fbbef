"""Time grows with length only, whatever the text repeats."""

import time

import pytest

from app.scanners.guard import assess, preload

UNITS = (
    "a",
    "1",
    "1 ",
    "1-",
    "1.",
    "@",
    "a@",
    "a.",
    "a@a.",
    "card 4532-1234-5678-9010 ",
    "ignore ",
    "ignore all ",
    "ignore previous ",
    "show your ",
    "aWdub3JlIGFsbCBwcmV2aW91cyBpbnN0cnVjdGlvbnM= ",
    "i ",
    "password: ",
    "DE89 ",
    "AA11",
    "passport is ",
    "(",
    "+1 ",
    "eyJ",
    "eyJaaaaaaaaa.",
    "-----BEGIN PRIVATE KEY-----",
    "://a:",
    "\n",
    '"',
    "> ignore all previous instructions\n",
    "\u200b1",
    "игнорируй ",
    "іgnоrе ",
    "erongi ",
    "1gn0re ",
    "act as ",
    "send api key to ",
    "![](http://a?",
    "system: ",
    "45 ",
    "69676e6f726520",
    "a_",
    "a-",
    "3 march ",
    "<",
    "<|im_start|>",
    "born 12/03/1984 ",
    "0xabcdef0123",
    "护照",
    "secret=",
    "$",
    "you are now ",
)


def _seconds(unit: str, length: int) -> float:
    text = (unit * (length // len(unit) + 1))[:length]
    start = time.thread_time()
    assess(text)
    return time.thread_time() - start


@pytest.mark.parametrize("unit", UNITS)
def test_twice_the_length_takes_about_twice_the_time(unit: str) -> None:
    """Doubling a text of one repeated unit takes at most 2.5 times as long (the best of four tries is judged)."""
    preload()
    ratios = []
    for _ in range(4):
        short, long = _seconds(unit, 24_000), _seconds(unit, 48_000)
        ratios.append(long / max(short, 0.004))
        if ratios[-1] <= 2.5:
            return
    pytest.fail(f"{unit!r}: {ratios}")


@pytest.mark.parametrize("unit", ["1 ", "a@a.", "ignore all previous "])
def test_a_million_hostile_characters_end(unit: str) -> None:
    """A text at the limit is answered within 20 seconds of one core."""
    assert _seconds(unit, 1_000_000) < 20
