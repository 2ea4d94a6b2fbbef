"""What makes a new password too weak: length and known words, no composition rules (NIST 800-63B)."""

from functools import lru_cache

SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 256
_ENDS = "0123456789!?.,-_ "


def password_problem(password: str, about: tuple[str, ...] = ()) -> str | None:
    """Return what is wrong with a new password, or None; `about` are words that others know of its owner."""
    if len(password) < SHORTEST_PASSWORD:
        return f"at least {SHORTEST_PASSWORD} characters"
    if len(password) > LONGEST_PASSWORD:
        return f"at most {LONGEST_PASSWORD} characters"
    lowered = password.lower()
    if len(set(lowered)) < 5:
        return "too many repeated characters"
    stem = lowered.strip(_ENDS)
    if any(word and len(word) > 3 and stem == word.lower().strip(_ENDS) for word in about):
        return "too close to your own details"
    if {lowered, stem, _unit(stem)} & _common():
        return "on the list of common passwords"
    return None


def _unit(text: str) -> str:
    """Return what `text` repeats, or the text itself."""
    period = (text + text).find(text, 1)
    return text[:period] if 0 < period < len(text) else text


@lru_cache(maxsize=1)
def _common() -> frozenset[str]:
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    words = "correcthorsebatterystaple qwertyuiopasdf changemenow administrator passwort"
    return frozenset(FREQUENCY_LISTS["passwords"]) | frozenset(words.split())
