"""Secrets: tokens whose form names their issuer, key blocks, passwords and keys that are assigned or told."""
# ruff: noqa: E501 - a pattern is one line, to be read and searched as one

import math
import re
from collections import Counter
from collections.abc import Iterator

Found = tuple[str, int, int, float]

_ISSUED: tuple[tuple[str, str, str], ...] = (
    ("aws-access-key", "A", r"(?<![A-Z0-9])(?:AKIA|ASIA|AGPA|AROA)[A-Z2-7]{16}(?![A-Z0-9])"),
    ("github-token", "gh", r"(?<!\w)gh[pousr]_[A-Za-z0-9]{36,255}(?!\w)"),
    ("github-token", "github_pat_", r"(?<!\w)github_pat_[A-Za-z0-9_]{22,255}(?!\w)"),
    ("gitlab-token", "glpat-", r"(?<!\w)glpat-[\w-]{20,64}(?![\w-])"),
    ("slack-token", "xox", r"(?<!\w)xox[abeoprs]-[A-Za-z0-9-]{10,250}"),
    ("slack-webhook", "hooks.slack.com", r"hooks\.slack\.com/services/T\w{6,12}/B\w{6,14}/\w{16,40}"),
    ("sentinel-key", "sntl_", r"(?<!\w)sntl_[a-z]{2,20}_[A-Za-z0-9_-]{20,128}"),
    ("stripe-key", "k_", r"(?<!\w)[rs]k_(?:live|test)_[A-Za-z0-9]{16,200}(?!\w)"),
    ("stripe-webhook-key", "whsec_", r"(?<!\w)whsec_[A-Za-z0-9+/=]{24,100}"),
    ("google-api-key", "AIza", r"(?<!\w)AIza[\w-]{35}(?![\w-])"),
    ("openai-key", "sk-", r"(?<![\w-])sk-(?:proj-|svcacct-|ant-(?:api|admin)\d\d-)?[A-Za-z0-9_-]{20,200}"),
    ("npm-token", "npm_", r"(?<!\w)npm_[A-Za-z0-9]{36}(?!\w)"),
    ("pypi-token", "pypi-", r"(?<!\w)pypi-AgEIcHlwaS[\w-]{50,250}"),
    ("sendgrid-key", "SG.", r"(?<!\w)SG\.[\w-]{16,32}\.[\w-]{32,64}(?![\w-])"),
    ("digitalocean-token", "do", r"(?<!\w)do[opr]_v1_[a-f0-9]{64}(?!\w)"),
    ("huggingface-token", "hf_", r"(?<!\w)hf_[A-Za-z0-9]{30,50}(?!\w)"),
    ("azure-storage-key", "AccountKey=", r"(?<=AccountKey=)[A-Za-z0-9+/]{80,90}={0,2}"),
    ("jwt", "eyJ", r"(?<![\w-])eyJ[\w-]{8,4000}\.eyJ[\w-]{8,8000}\.[\w-]{16,2000}"),
)
_COMPILED = tuple((kind, hint, re.compile(pattern)) for kind, hint, pattern in _ISSUED)
_KEY_BLOCK = re.compile(r"-----BEGIN (?:[A-Z0-9]{2,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_URL_PASSWORD = re.compile(r"(?<=://)[^\s:/@?#\[\]]{0,64}:([^\s:/@?#\[\]█]{3,128})@(?=[\w.\[-])")
_STEMS = (
    *("pass", "pwd", "kennwort", "contrasena", "senha", "wachtwoord", "haslo", "пароль", "密码", "パスワード"),
    *("secret", "token", "credential", "key"),
)
_ASSIGNED = re.compile(
    r"(?P<name>pass(?:word|wd|phrase|code|wort|e(?=\W))|pwd|kennwort|contrasena|senha|wachtwoord|haslo|пароль|密码|パスワード|"
    r"secret(?:[_-]?key)?|token|credentials?|key)s?[\"'`]?"
    r"(?P<said>\s{0,2}(?:=>|:=|==?|:)\s{0,3}| (?:is now|is|lautet|ist|es|est|was) {1,2}:? ?)(?P<open>[\"'`]?)"
    r"(?P<value>[^\s\"'`,;<>█]{4,256})",
    re.IGNORECASE,
)
_KEY_OF = re.compile(r"(?:api|access|auth|account|private|encryption|signing|client|service)[_ -]?\Z", re.IGNORECASE)
_BEARER = re.compile(
    r"(?:authorization|x-api-key)[\"']?\s{0,2}[:=]\s{0,2}[\"']?(?:bearer |basic |token )?([A-Za-z0-9._~+/-]{16,2000}={0,2})",
    re.IGNORECASE,
)
_PASSWORD = re.compile(r"pass|pwd|kennwort|contrasena|senha|wachtwoord|haslo|пароль|密码|パスワード", re.IGNORECASE)
_EXPLAINED = re.compile(
    r"^(?:\*+|x{3,}|\.{3,}|-+|_+|#+|•+|\$\{?.*|\{\{?.*|%[\w(].*|<.*|\[.*|null|none|nil|undefined|true|false|string|str|text|required|optional|"
    r"redacted.*|masked|hidden|changed?|change-?me.*|your[-_]?.*|my[-_]?(?:password|secret|token|key).*|example.*|placeholder.*|password|secret|token|"
    r"process\.env.*|os\.(?:environ|getenv).*|env[.(\[].*|config[.(\[].*|settings[.(\[].*|self\..*|request\..*|args\..*|vault:.*|file:.*|env:.*|arn:.*|"
    r"get[A-Z_].*|\w+\(.*|https?://.*|/\w.*|expired?|incorrect|invalid|wrong|missing|empty|reset|forgotten|hashed|encrypted|rotated|stored|sha\d*|bcrypt|argon2.*|"
    r"\d{1,5}|\w+\.\w+(?:\.\w+)*\)?|int|bool|varchar.*|char.*|not|the|too|at|case|must|should|in|a|an|and|or|ok|yes|no|set|unset|n/a|tbd|todo)[.)\]}!?]*$",
    re.IGNORECASE,
)


def credentials(text: str) -> Iterator[Found]:
    """Kind, start, end and score of each secret in `text`. Bounded patterns: time grows with length only."""
    for kind, hint, pattern in _COMPILED:
        if hint in text:
            for found in pattern.finditer(text):
                if kind != "openai-key" or any(character.isdigit() for character in found.group()):
                    yield kind, found.start(), found.end(), 0.95
    if "-----BEGIN" in text:
        yield from _key_blocks(text)
    if "://" in text:
        for found in _URL_PASSWORD.finditer(text):
            if not _EXPLAINED.match(found.group(1)):
                yield "password", found.start(1), found.end(1), 0.9
    yield from _assigned(text)


def _key_blocks(text: str) -> Iterator[Found]:
    last = 0
    for found in _KEY_BLOCK.finditer(text):
        if found.start() < last:
            continue
        close = text.find("-----END", found.end(), found.end() + 20_000)
        after = text.find("-----", close + 8, close + 80) if close >= 0 else -1
        last = after + 5 if after >= 0 else _base64_end(text, found.end())
        yield "private-key", found.start(), last, 1.0


def _base64_end(text: str, start: int) -> int:
    body = re.compile(r"[A-Za-z0-9+/=\s\\]{0,20000}").match(text, start)
    return body.end() if body else start


def _assigned(text: str) -> Iterator[Found]:
    for found in _BEARER.finditer(text):
        if entropy(found.group(1)) >= 3.0 and any(character.isdigit() for character in found.group(1)):
            yield "generic-secret", found.start(1), found.end(1), 0.85
    for found in _assignments(text):
        value = found.group("value")
        told = not any(mark in found.group("said") for mark in "=:")
        value = value.rstrip(".)") if not found.group("open") else value
        if len(value) < 4 or _EXPLAINED.match(value):
            continue
        start = found.start("value")
        if _PASSWORD.search(found.group("name")):
            if _chosen(value, told):
                yield "password", start, start + len(value), 0.75 if told else 0.85
        elif len(value) >= 12 and _random(value):
            yield "generic-secret", start, start + len(value), 0.85


def _assignments(text: str) -> Iterator[re.Match[str]]:
    """Where a name of a password, key or token is given a value: found by the stem, then matched there."""
    lower = text.lower() if len(text.lower()) == len(text) else text
    for stem in _STEMS:
        place = lower.find(stem)
        while place >= 0:
            named = stem != "key" or _KEY_OF.search(text, max(0, place - 12), place)
            found = _ASSIGNED.match(text, place) if named else None
            if found:
                yield found
            place = lower.find(stem, place + len(stem))


def _chosen(value: str, told: bool) -> bool:
    """Whether `value` looks chosen as a password, and not like the next word of a sentence."""
    kinds = sum(bool(re.search(pattern, value)) for pattern in ("[a-z]", "[A-Z]", r"\d", r"[^\w.,:-]"))
    if any(character.isdigit() for character in value):
        return len(value) >= 6 and (kinds >= 2 or not told)
    if re.search(r"[^\w.,:()/'’-]", value):
        return kinds >= 2 and len(value) >= 6
    return not told and (len(value) >= 14 or (len(value) >= 8 and kinds >= 2 and not value.istitle()))


def _random(value: str) -> bool:
    digits = sum(character.isdigit() for character in value)
    return digits >= 2 and len(value) - digits >= 2 and entropy(value) >= 3.0


def entropy(value: str) -> float:
    """Shannon entropy of the characters of `value`, in bits a character."""
    total = len(value)
    return -sum(count / total * math.log2(count / total) for count in Counter(value).values()) if total else 0.0
