"""Personal data by shape, checksum and the words around it."""
# ruff: noqa: E501 - a pattern is one line, to be read and searched as one

import re
from collections.abc import Iterator

from app.scanners.guard import vocabularies as said
from app.scanners.guard.cards import Found, cards, digits_of, security_codes
from app.scanners.guard.contexts import Around, around
from app.scanners.guard.identities import identities
from app.scanners.guard.recognisers import certainty, is_public_address
from app.scanners.guard.words import Words, word_set

_IBAN = re.compile(
    r"(?<![A-Z0-9])[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,3})?(?![A-Z0-9])",
    re.IGNORECASE,
)
_SSN = re.compile(
    r"(?<![\w.-])(?!000|666|9\d\d)\d{3}([- .])(?!00)\d{2}\1(?!0000)\d{4}(?![\w-])(?!\.\d)"
    r"|(?<![\w.-])\d{9}(?![\w-])(?!\.\d)"
)
_DOMAIN = re.compile(r"@(?=[^\W_])[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_LOCAL = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}\Z")
_PHONE = re.compile(
    r"(?<![A-Za-z0-9_.+@#/:=-])(?:\+|00)?(?:\(\+?\d{1,4}\)|\d{1,5})(?:(?:[ ./-]{1,3}|\)[ ]?|[ ]?\()\(?\d{1,9}\)?){1,6}"
    r"(?![A-Za-z0-9_@])(?!-\w)(?!\.\d)"
    r"|(?<![A-Za-z0-9_.+@#/:=-])\+?\d{7,15}(?![A-Za-z0-9_@])(?!-\w)(?!\.\d)"
)
_PHONE_LABEL = re.compile(r"(?<![^\W_])(?:m|t|p|ph|tel|mob|cell|fax)[:.] {0,2}\Z", re.IGNORECASE)
_FORMATTED_PHONE = re.compile(r"\(\d{3}\)[ -]?\d{3}[ .-]\d{4}|\+1[ .-]?\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}")
_NOT_A_PHONE = re.compile(
    r"(?:\d{1,3}\.){3}\d{1,3}|(?:19|20)\d\d[-/. ][01]?\d[-/. ][0-3]?\d(?:[ -]\d.*)?|[0-3]?\d[-/.][01]?\d[-/.](?:19|20)\d\d(?: .*)?"
    r"|(?:(?:19|20)\d\d[ /-]{1,3}){1,5}(?:19|20)\d\d|\d{1,3}(?:\.\d{3}){2,}|\d+\.\d+|\d{4}-\d{4}(?:-\d{4}){1,3}|(?:\d{1,2} ){4,}\d{1,2}"
)
_DATE = re.compile(
    r"(?<![A-Za-z0-9_./-])(?:\d{1,2}([./-])\d{1,2}\1\d{4}|\d{4}([./-])\d{1,2}\2\d{1,2}|\d{1,2}([./-])\d{1,2}\3\d{2}"
    r"|\d{1,2}(?:st|nd|rd|th|\.|er)? (?:de |of )?[^\W\d_]{3,10}\.?,? (?:de )?\d{4}"
    r"|[^\W\d_]{3,9} \d{1,2}(?:st|nd|rd|th)?,? \d{4})(?![\w/-])(?!\.\d)"
)
_WALLET = re.compile(r"(?<!\w)(?:bc1[a-z0-9]{25,87}|[13][1-9A-HJ-NP-Za-km-z]{25,34}|0x[0-9a-fA-F]{40})(?!\w)")
_ADDRESS = re.compile(
    r"(?<![\w.:-])(?:\d{1,3}\.){3}\d{1,3}(?![\w:-])(?!\.\d)|(?<![\w.:])(?:[0-9a-fA-F]{1,4}:){2,7}:?[0-9a-fA-F]{0,4}(?![\w:.])"
)
_DIGIT = re.compile(r"\d")
_TELEPHONY = said.PHONE | said.CALLING | word_set("m t p ph")
_MONTHS = word_set(
    "jan feb mar apr may jun jul aug sep oct nov dec fev avr mai jui aou mrz okt dez ene abr ago gen mag giu lug set ott dic maa mei"
)


def personal(text: str, words: Words) -> Iterator[Found]:
    """What in `text` is personal data. Each pattern is bounded, so that time grows with length only."""
    if "@" in text:
        yield from _emails(text)
    if _DIGIT.search(text):
        yield from identities(text, words)
        yield from _birthdays(text, words)
        yield from _social_security(text, words)
        yield from _phones(text, words)
        for find in _FINDERS:
            yield from find(text)
    if ":" in text or "." in text:
        yield from _addresses(text, words)


def _emails(text: str) -> Iterator[Found]:
    for found in _DOMAIN.finditer(text):
        local = _LOCAL.search(text, max(0, found.start() - 64), found.start())
        if not local or local.group() in ("git", "hg"):
            continue
        start = local.start()
        while text[start] in ".!#$%&'*+/=?^`{|}~-" and start < found.start() - 1:
            start += 1
        end = found.end()
        while text[end - 1] in "-_":
            end -= 1
        before = text[max(0, start - 3) : start]
        password_before = before.endswith(":") or before.endswith("://")
        if not password_before and certainty("EMAIL_ADDRESS", text[start:end]) > 0:
            yield "email", start, end, 0.95


def _ibans(text: str) -> Iterator[Found]:
    for found in _IBAN.finditer(text):
        value = found.group()
        start, end = found.span()
        compact = re.sub(r"[ -]", "", value).upper()
        while " " in value and not _iban_holds(compact) and not value.rpartition(" ")[2].isdigit():
            value = value.rpartition(" ")[0]
            compact = re.sub(r"[ -]", "", value).upper()
        end = start + len(value)
        if len(compact) < 15 or sum(character.isdigit() for character in compact) < 8:
            continue
        if _iban_holds(compact):
            yield "iban", start, end, 1.0
        elif around(text, start, end).speaks_of(said.IBAN, rather_than=said.NOT_CARD, reach=6):
            yield "iban", start, end, 0.75


def _iban_holds(compact: str) -> bool:
    return 15 <= len(compact) <= 34 and certainty("IBAN_CODE", compact) == 1.0


def _social_security(text: str, words: Words) -> Iterator[Found]:
    named = words.holds_any(said.SSN)
    for found in _SSN.finditer(text):
        start, end = found.span()
        if not named and not found.group(1):
            continue
        near = around(text, start, end)
        reach = 8 if found.group(1) else 4
        called = near.speaks_of(said.SSN, rather_than=said.NOT_PERSONAL - {"example"}, reach=reach)
        if called:
            yield "us-ssn", start, end, 0.95
        elif found.group(1) == "-" and near.distance(said.NOT_PHONE, reach=5) is None:
            yield "us-ssn", start, end, 0.55 if certainty("US_SSN", found.group()) else 0.0


def _phones(text: str, words: Words) -> Iterator[Found]:
    named = not text.isascii() or words.holds_any(_TELEPHONY)
    for found in _PHONE.finditer(text):
        value = found.group().rstrip(" .-/(")
        digits = digits_of(value)
        if not 7 <= len(digits) <= 15:
            continue
        start = found.start()
        end = start + len(value)
        if value[0] not in "+(0":
            if (value.isdigit() and len(digits) < 9) or _looks_otherwise(value, digits):
                continue
            if not named and not _FORMATTED_PHONE.fullmatch(value):
                continue
        labelled = _PHONE_LABEL.search(text, max(0, start - 8), start) is not None
        score = _phone_score(value, digits, around(text, start, end), labelled=labelled)
        if score:
            yield "phone", start, end, score


def _phone_score(value: str, digits: str, near: Around, *, labelled: bool) -> float:
    called = labelled or _is_called_phone(near)
    if value.startswith(("+", "(+", "00")) and not value.startswith("000"):
        known = certainty("PHONE_NUMBER", value.replace("00", "+", 1) if value[0] == "0" else value) > 0
        if value[0] != "0":
            return 0.9 if known and called else 0.75 if known else 0.6 if called else 0.0
        if known and called:
            return 0.9
    if _looks_otherwise(value, digits):
        return 0.0
    if called and (len(digits) >= 9 or (len(digits) != len(value) and value[0] in "0(")):
        return 0.8
    other = near.distance(said.NOT_PHONE, reach=5)
    return 0.65 if other is None and _FORMATTED_PHONE.fullmatch(value) else 0.0


def _is_called_phone(near: Around) -> bool:
    """Whether a telephone is named near, or someone is to be called who is a person."""
    if near.speaks_of(said.PHONE, rather_than=said.NOT_PHONE - {"number", "id"}, reach=5):
        return True
    calling = near.speaks_of(said.CALLING, rather_than=said.NOT_PHONE - {"number"}, reach=6)
    return calling and near.distance(said.SPEAKER, reach=6) is not None


def _looks_otherwise(value: str, digits: str) -> bool:
    """Dates, addresses of machines, years and numbers with separators for thousands."""
    return bool(_NOT_A_PHONE.fullmatch(value)) or len(set(digits)) < 3


def _birthdays(text: str, words: Words) -> Iterator[Found]:
    if not words.holds_any(said.BIRTH) and text.isascii():
        return
    for found in _DATE.finditer(text):
        value = found.group()
        month = re.search(r"[^\W\d_]{3,}", value)
        if month and month.group()[:3].lower() not in _MONTHS and not any(ord(c) > 127 for c in month.group()):
            continue
        if around(text, *found.span()).just_before(said.BIRTH, reach=5):
            yield "date-of-birth", found.start(), found.end(), 0.85


def _wallets(text: str) -> Iterator[Found]:
    for found in _WALLET.finditer(text):
        value = found.group()
        if value.startswith("0x"):
            known = around(text, *found.span()).distance(said.ROUTES, reach=6) is not None
        else:
            known = certainty("CRYPTO", value) == 1.0
        if known:
            yield "crypto-wallet", found.start(), found.end(), 0.85


def _addresses(text: str, words: Words) -> Iterator[Found]:
    if not words.holds_any(said.ADDRESSES):
        return
    for found in _ADDRESS.finditer(text):
        near = around(text, *found.span())
        if near.distance(said.ADDRESSES, reach=4) is None or near.distance(said.PERSON, reach=9) is None:
            continue
        if is_public_address(found.group()):
            yield "ip-address", found.start(), found.end(), 0.7


_FINDERS = (cards, security_codes, _ibans, _wallets)
