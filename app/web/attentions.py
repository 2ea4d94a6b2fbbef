"""What needs attention, in words: each matter with the way to where it is seen to."""

from collections.abc import Callable
from types import SimpleNamespace
from uuid import UUID

from flask import url_for

from app.services.attentions import SOON, Kind, Matter
from app.serving.words import CAP, capped, grouped

DAYS = SOON.days
Few = tuple[list[SimpleNamespace], str | None]


def attention_rows(matters: list[Matter]) -> list[SimpleNamespace]:
    """Return matters as the overview lists them: title, text, tone, icon, verb and address, examples with theirs."""
    return [_SAID[matter.kind](matter) for matter in matters]


def _row(
    title: str,
    text: str,
    verb: str,
    url: str,
    *,
    tone: str = "medium",
    mark: str = "alert-circle",
    few: Few = ([], None),
) -> SimpleNamespace:
    examples, more = few
    return SimpleNamespace(
        title=title, text=text, verb=verb, url=url, tone=tone, mark=mark, examples=examples, more=more
    )


def _few(matter: Matter, address: Callable[[UUID], str]) -> Few:
    """Return the examples with their addresses, and what to say of those besides; nothing where there is but one."""
    if matter.number == 1:
        return [], None
    rows = [SimpleNamespace(name=each.name, url=address(each.id)) for each in matter.examples]
    left = matter.number - len(rows)
    return rows, None if left <= 0 else "many more" if matter.number > CAP else f"{grouped(left)} more"


def _named(matter: Matter) -> str:
    """Return the name of the one row that there is, as the end of a title."""
    return f": {matter.examples[0].name}" if matter.number == 1 and matter.examples else ""


def _asset(asset_id: UUID) -> str:
    return url_for("assets.show", asset_id=asset_id)


def _key(key_id: UUID) -> str:
    return url_for("keys.show", key_id=key_id)


def _scan(scan_id: UUID) -> str:
    return url_for("scans.show", scan_id=scan_id)


def _many(number: int, one: str, several: str) -> str:
    return f"1 {one}" if number == 1 else f"{capped(number)} {several}"


def _critical(matter: Matter) -> SimpleNamespace:
    since = matter.since.date().isoformat() if matter.since else None
    return _row(
        _many(matter.number, "new critical finding", "new critical findings"),
        "First seen within the last seven days, and open.",
        "See to them" if matter.number > 1 else "See to it",
        url_for("findings.index", status="open", severity="critical", since=since),
        tone="critical",
        mark="alert-triangle",
    )


def _connection(matter: Matter) -> SimpleNamespace:
    return _row(
        "Company sign-in does not work",
        f"The last test sign-in failed: {matter.detail}",
        "Open the connection",
        url_for("connections.show", _anchor="test"),
        tone="high",
        mark="lock",
    )


def _quota(matter: Matter) -> SimpleNamespace:
    line = matter.quota
    if line is None:
        raise ValueError("a quota's matter names it")
    resets = f" It begins anew on {line.resets_at:%-d %B} (UTC)." if line.resets_at else ""
    return _row(
        f"{line.name}: {matter.number} % used",
        f"{grouped(line.used or 0)} of {grouped(line.limit or 0)}. What goes beyond is refused.{resets}",
        "Plan and usage",
        url_for("plans.show"),
        tone="high",
        mark="chart-bar",
    )


def _failed(matter: Matter) -> SimpleNamespace:
    since = matter.since.date().isoformat() if matter.since else None
    return _row(
        _many(matter.number, "scan failed", "scans failed") + _named(matter),
        "Within the last seven days, and not repeated since.",
        "See why",
        _scan(matter.examples[0].id) if matter.number == 1 else url_for("scans.index", status="failed", since=since),
        tone="high",
        mark="radar-2",
        few=_few(matter, _scan),
    )


def _factors(matter: Matter) -> SimpleNamespace:
    return _row(
        _many(matter.number, "member lacks a second factor", "members lack a second factor"),
        "It is asked for here, so they cannot come in until they have one.",
        "See who",
        url_for("policies.factor"),
        mark="shield-lock",
    )


def _proofs(matter: Matter) -> SimpleNamespace:
    return _row(
        _many(matter.number, "proof of control ends", "proofs of control end") + _named(matter),
        f"Expired, or will be within {DAYS} days: the address is not scanned without.",
        "Renew it" if matter.number == 1 else "See the assets",
        url_for("assets.show", asset_id=matter.examples[0].id, _anchor="proof")
        if matter.number == 1
        else url_for("assets.index", kind="web"),
        mark="shield-check",
        few=_few(matter, _asset),
    )


def _trial(matter: Matter) -> SimpleNamespace:
    when = "today" if matter.number == 0 else "in " + _many(matter.number, "day", "days")
    return _row(
        f"The trial ends {when}",
        "Then the free plan holds. Nothing is deleted; what goes beyond it becomes read-only.",
        "Compare plans",
        url_for("plans.compare"),
        mark="clock",
    )


def _keys_ending(matter: Matter) -> SimpleNamespace:
    return _row(
        _many(matter.number, "API key ends", "API keys end") + " soon" + _named(matter),
        f"Within {DAYS} days; programs that use it are refused then.",
        "Open it" if matter.number == 1 else "See the keys",
        url_for("keys.show", key_id=matter.examples[0].id) if matter.number == 1 else url_for("keys.index"),
        mark="key",
        few=_few(matter, _key),
    )


def _keys_amiss(matter: Matter) -> SimpleNamespace:
    return _row(
        _many(matter.number, "API key is in need of a look", "API keys are in need of a look") + _named(matter),
        "Never used, idle for 90 days, beyond the ceiling, or its old secret is still in use.",
        "Key hygiene",
        url_for("key_hygiene.index"),
        tone="low",
        mark="key",
        few=_few(matter, _key),
    )


def _domains(matter: Matter) -> SimpleNamespace:
    named = ", ".join(each.name for each in matter.examples)
    more = f" and {matter.number - len(matter.examples)} more" if matter.number > len(matter.examples) else ""
    return _row(
        _many(matter.number, "e-mail domain is not proven", "e-mail domains are not proven"),
        f"{named}{more}: such addresses cannot use company sign-in yet.",
        "Prove it" if matter.number == 1 else "Prove them",
        url_for("email_domains.index"),
        tone="low",
        mark="world",
    )


def _unscanned(matter: Matter) -> SimpleNamespace:
    return _row(
        _many(matter.number, "asset was never scanned", "assets were never scanned") + _named(matter),
        "What nobody looked at has no findings, whatever is wrong with it.",
        "See them" if matter.number > 1 else "See it",
        url_for("assets.index", scans="none") if matter.number > 1 else _asset(matter.examples[0].id),
        tone="low",
        mark="server",
        few=_few(matter, _asset),
    )


_SAID: dict[Kind, Callable[[Matter], SimpleNamespace]] = {
    Kind.CRITICAL: _critical,
    Kind.CONNECTION: _connection,
    Kind.QUOTA: _quota,
    Kind.FAILED: _failed,
    Kind.FACTORS: _factors,
    Kind.PROOFS: _proofs,
    Kind.TRIAL: _trial,
    Kind.KEYS_ENDING: _keys_ending,
    Kind.KEYS_AMISS: _keys_amiss,
    Kind.DOMAINS: _domains,
    Kind.UNSCANNED: _unscanned,
}
