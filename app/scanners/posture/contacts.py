"""security.txt (RFC 9116): parsing, and whether finders of a flaw can use it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from app.scanners.posture.answers import Answer
from app.scanners.posture.evidence import found, listed
from app.scanners.probes import Fault

PATH = "/.well-known/security.txt"
_MOST_LINES = 500
_SCHEMES = ("mailto:", "tel:", "https://")


@dataclass(frozen=True)
class Contacts:
    """The fields that count: where to write, until when this holds, and what in the file breaks the standard."""

    contacts: tuple[str, ...]
    expires: datetime | None
    problems: tuple[str, ...]


def parse_contacts(text: str) -> Contacts:
    """Parse a security.txt; a clear signature around it (RFC 9116, 2.3) is skipped. Never raises."""
    fields = list(_fields(text))
    contacts = tuple(value for name, value in fields if name == "contact")
    expiries = [value for name, value in fields if name == "expires"]
    problems = []
    if not contacts:
        problems.append("no Contact")
    if any(not contact.lower().startswith(_SCHEMES) for contact in contacts):
        problems.append("a Contact that is no mailto:, tel: or https: address")
    expires = _moment(expiries[0]) if expiries else None
    if len(expiries) != 1:
        problems.append("no Expires" if not expiries else "more than one Expires")
    elif expires is None:
        problems.append("an Expires that is no date of RFC 3339")
    return Contacts(contacts, expires, tuple(problems))


def judge_contacts(answer: Answer | None, now: datetime) -> Iterator[Fault]:
    """Yield what is wrong with the answer for security.txt; None stands for an answer that was not to be had."""
    if answer is None or answer.status != 200:
        seen = f"{PATH} answered {answer.status}" if answer else f"{PATH} gave no answer"
        yield found("security-txt-missing", PATH, seen)
        return
    if answer.content_type in ("text/html", "application/xhtml+xml"):
        yield found("security-txt-missing", PATH, f"{PATH} answered with a page ({answer.content_type})")
        return
    read = parse_contacts(answer.body)
    problems = list(read.problems)
    if answer.content_type != "text/plain":
        problems.append(f"Content-Type is {answer.content_type or 'missing'}, not text/plain")
    if problems:
        yield found("security-txt-malformed", PATH, f"The file has {listed(problems)}")
    if read.expires is not None and read.expires <= now:
        yield found("security-txt-expired", PATH, f"Expires: {read.expires.isoformat()}")


def _fields(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines()[:_MOST_LINES]:
        name, colon, value = line.partition(":")
        if line.startswith("-----BEGIN PGP SIGNATURE"):
            return
        if colon and not line.startswith(("#", "-----")) and name.strip().lower() != "hash":
            yield name.strip().lower(), value.strip()


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text.strip().upper().replace("Z", "+00:00"))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
