"""How often the guard is right on labelled texts: `python -m tests.scanners.guard.evaluate`."""

import argparse
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from app.scanners.guard import Assessment, assess, preload

HERE = Path(__file__).parent
HELD_APART = HERE / "texts.jsonl"
TUNING = HERE / "texts_tuning.jsonl"
INJECTION_AT = 0.5
"""The injection score from which a text counts as an injection."""


@dataclass(frozen=True)
class Text:
    """A labelled text; `found` are pairs of kind and the exact stretch."""

    id: str
    genre: str
    lang: str
    text: str
    found: list[tuple[str, str]]
    injection: bool


@dataclass
class Tally:
    """Counts of one kind, or of whole texts."""

    true: int = 0
    false: int = 0
    missed: int = 0
    clean: int = 0

    @property
    def precision(self) -> float:
        """The share of what was reported that is right; 1 if nothing was reported."""
        return self.true / (self.true + self.false) if self.true + self.false else 1.0

    @property
    def recall(self) -> float:
        """The share of what is there that was reported; 1 if nothing is there."""
        return self.true / (self.true + self.missed) if self.true + self.missed else 1.0

    @property
    def false_positive_rate(self) -> float:
        """The share of clean texts in which something was reported."""
        return self.false / (self.false + self.clean) if self.false + self.clean else 0.0


@dataclass
class Report:
    """The tallies by kind (of matches), of all matches together, and of whole texts, with what went wrong."""

    kinds: dict[str, Tally] = field(default_factory=dict)
    matches: Tally = field(default_factory=Tally)
    texts: Tally = field(default_factory=Tally)
    blocked: Tally = field(default_factory=Tally)
    mistakes: list[str] = field(default_factory=list)
    scores: list[tuple[float, bool]] = field(default_factory=list)


def read(path: Path) -> list[Text]:
    """The texts of a file. `{+}` parts what a scanner of repositories would take for a live token, and is taken out."""
    texts = []
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line.replace("{+}", ""))
        row["found"] = [(kind, value) for kind, value in row["found"]]
        texts.append(Text(**row))
    return texts


def evaluate(texts: Iterable[Text]) -> Report:
    """Assess each text with the default policy and compare with its labels.

    A match is right if it has the kind of a label and shares at least four fifths of its characters with it, both ways.
    """
    report = Report()
    for text in texts:
        answer = assess(text.text)
        _matches(report, text, answer)
        _injection(report, text, answer)
        dirty = bool(text.found) or text.injection
        said = bool(answer.pii or answer.secrets) or answer.injection.score >= INJECTION_AT
        _count(report.texts, dirty, said)
        _count(report.blocked, dirty, answer.blocked)
        report.scores.append((answer.risk_score, dirty))
    return report


def _matches(report: Report, text: Text, answer: Assessment) -> None:
    open_labels = [(kind, text.text.index(value), value) for kind, value in text.found]
    for match in (*answer.pii, *answer.secrets):
        tally = report.kinds.setdefault(match.kind, Tally())
        hit = next(
            (label for label in open_labels if label[0] == match.kind and _same(label, match.start, match.end)), None
        )
        if hit:
            open_labels.remove(hit)
            tally.true += 1
            report.matches.true += 1
        else:
            tally.false += 1
            report.matches.false += 1
            report.mistakes.append(f"{text.id} false {match.kind}: {text.text[match.start : match.end]!r}")
    for kind, _, value in open_labels:
        report.kinds.setdefault(kind, Tally()).missed += 1
        report.matches.missed += 1
        report.mistakes.append(f"{text.id} missed {kind}: {value!r}")


def _same(label: tuple[str, int, str], start: int, end: int) -> bool:
    _, low, value = label
    shared = min(end, low + len(value)) - max(start, low)
    return shared >= 0.8 * len(value) and shared >= 0.8 * (end - start)


def _injection(report: Report, text: Text, answer: Assessment) -> None:
    fired = answer.injection.score >= INJECTION_AT
    _count(report.kinds.setdefault("injection", Tally()), text.injection, fired)
    if fired != text.injection:
        word = "false" if fired else "missed"
        report.mistakes.append(f"{text.id} {word} injection {answer.injection.score}: {text.text[:90]!r}")


def _count(tally: Tally, there: bool, said: bool) -> None:
    if there:
        tally.true += said
        tally.missed += not said
    else:
        tally.false += said
        tally.clean += not said


def table(report: Report) -> str:
    """The report as a Markdown table."""
    rows = [
        *sorted(report.kinds.items()),
        ("**all matches**", report.matches),
        ("whole texts, something found", report.texts),
        ("whole texts, blocked", report.blocked),
    ]
    lines = ["| kind | there | found | precision | recall |", "|---|---|---|---|---|"]
    for name, tally in rows:
        counts = f"{tally.true + tally.missed} | {tally.true + tally.false}"
        lines.append(f"| {name} | {counts} | {tally.precision:.3f} | {tally.recall:.3f} |")
    clean = report.texts.false + report.texts.clean
    found, blocked = report.texts.false_positive_rate, report.blocked.false_positive_rate
    lines += ["", f"False-positive rate over {clean} clean texts: {found:.3f} found, {blocked:.3f} blocked."]
    return "\n".join(lines)


def reliability(report: Report) -> str:
    """For each band of the risk score, the share of texts in it that hold something."""
    lines = ["| risk score | texts | with something in them |", "|---|---|---|"]
    for low in (0.0, 0.01, 0.25, 0.5, 0.7, 0.9):
        high = {0.0: 0.01, 0.01: 0.25, 0.25: 0.5, 0.5: 0.7, 0.7: 0.9, 0.9: 1.01}[low]
        band = [dirty for score, dirty in report.scores if low <= score < high]
        share = f"{sum(band) / len(band):.2f}" if band else "-"
        lines.append(f"| {low:.2f} to {min(high, 1):.2f} | {len(band)} | {share} |")
    return "\n".join(lines)


def main() -> None:
    """Print the tables for one file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tuning", action="store_true", help="the texts that rules are tuned on, with each mistake")
    parser.add_argument("--mistakes", action="store_true", help="list each mistake")
    options = parser.parse_args()
    preload()
    report = evaluate(read(TUNING if options.tuning else HELD_APART))
    print(table(report), reliability(report), sep="\n\n")
    if options.tuning or options.mistakes:
        print("", *report.mistakes, sep="\n")


if __name__ == "__main__":
    main()
