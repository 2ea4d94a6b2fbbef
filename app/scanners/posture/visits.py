"""The few HTTP requests of a posture scan: to the proved host and port, one after the other, never further."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass

from app.core.outbound import Refused, Response, Unreachable, fetch
from app.scanners.posture.answers import Answer, kept_headers, origin_of
from app.scanners.posture.budgets import Budget
from app.scanners.posture.redirects import MOST_HOPS, leaves, next_address

_BASE_HEADERS = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@dataclass(frozen=True)
class Chain:
    """The answers from the first address on; `foreign` is where a redirect led that was not followed."""

    answers: tuple[Answer, ...]
    circular: bool = False
    foreign: str | None = None


class Visitor:
    """Asks one origin. `context` decides what TLS it takes; nothing secret is ever sent."""

    def __init__(self, budget: Budget, context: ssl.SSLContext) -> None:
        self._budget = budget
        self._context = context

    def ask(self, url: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Return the answer to one GET. Raises Refused, Unreachable or OutOfTime."""
        sent = {**_BASE_HEADERS, **(headers or {})}
        return _answer(
            fetch("GET", url, self._budget.policy(), headers=sent, verify=self._context, follow=False),
        )

    def ask_or_none(self, url: str, headers: Mapping[str, str] | None = None) -> Answer | None:
        """Do as `ask`, but return None where no proper answer came."""
        try:
            return self.ask(url, headers)
        except (Refused, Unreachable):
            return None

    def follow(self, url: str) -> Chain:
        """Ask, and follow redirects that stay on this scheme, host and port. Raises as `ask`."""
        origin = origin_of(url)
        answers = [self.ask(url)]
        visited = {url}
        while (target := next_address(answers[-1])) is not None:
            if origin is None or leaves(origin, target):
                return Chain(tuple(answers), foreign=target)
            if target in visited:
                return Chain(tuple(answers), circular=True)
            if len(answers) > MOST_HOPS:
                return Chain(tuple(answers))
            visited.add(target)
            following = self.ask_or_none(target)
            if following is None:
                break
            answers.append(following)
        return Chain(tuple(answers))


def _answer(response: Response) -> Answer:
    headers = kept_headers(list(response.headers))
    body = response.body.decode(_charset(dict(headers).get("content-type", "")), "replace")
    return Answer(response.url, response.status, headers, body.replace("\x00", "\ufffd"), response.truncated)


def _charset(content_type: str) -> str:
    """Return utf-16 where the type says so; for all else the markup's own signs are ASCII, and UTF-8 will do."""
    return "utf-16" if "utf-16" in content_type.lower() else "utf-8"
