"""The catalogue as a table for the documentation, so that what is written there stays what is done."""

from app.scanners.posture.rules import ALL_RULES

_HEAD = "| rule | severity | CWE | what it says | what to do | source |\n|---|---|---|---|---|---|\n"


def rule_table() -> str:
    """Return every rule as a row of a Markdown table, in the catalogue's order."""
    rows = []
    for rule in ALL_RULES.values():
        cwe = f"[{rule.cwe}](https://cwe.mitre.org/data/definitions/{rule.cwe}.html)" if rule.cwe else ""
        remedy = rule.remedy.replace("|", "\\|").replace("<", "&lt;")
        cells = [f"`{rule.id}`", rule.severity.value, cwe, rule.title, remedy, f"[source]({rule.source})"]
        rows.append(f"| {' | '.join(cells)} |\n")
    return _HEAD + "".join(rows)
