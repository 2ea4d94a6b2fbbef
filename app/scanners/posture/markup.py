"""A walk over a page's markup: what it loads from where, and the policies that it sets in <meta>."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

from app.scanners.posture.answers import Answer, origin_of
from app.scanners.posture.evidence import found, listed, without_query
from app.scanners.posture.tags import Tag, start_tags
from app.scanners.probes import Fault

_MOST_MARKUP = 1_000_000
_MOST_RESOURCES = 2_000
_ACTIVE = {"script": "src", "iframe": "src", "frame": "src", "object": "data", "embed": "src"}
_PASSIVE = {"img": "src", "audio": "src", "video": "src", "source": "src", "track": "src", "input": "src"}
_ACTIVE_LINKS = frozenset({"stylesheet", "modulepreload", "manifest", "import"})
_HASHES = ("sha256-", "sha384-", "sha512-")


@dataclass(frozen=True)
class Resource:
    """Something that a page loads: its tag, its absolute address, whether it can act on the page, its integrity."""

    tag: str
    url: str
    active: bool
    code: bool
    integrity: str


@dataclass
class Page:
    """What the markup says, in the order it was read."""

    resources: list[Resource] = field(default_factory=list)
    form_actions: list[str] = field(default_factory=list)
    policies: list[str] = field(default_factory=list)
    referrer: str | None = None


def read_page(url: str, markup: str) -> Page:
    """Walk the markup as far as it can be read; it may be broken, huge or hostile. Never raises."""
    walk = _Walk(url)
    for tag in start_tags(markup[:_MOST_MARKUP]):
        walk.visit(tag)
    return walk.page


class _Walk:
    def __init__(self, url: str) -> None:
        self.page = Page()
        self._base = url
        self._base_set = False

    def visit(self, tag: Tag) -> None:
        if tag.name == "base" and "href" in tag.attributes and not self._base_set:
            self._base, self._base_set = self._absolute(tag.get("href")) or self._base, True
        elif tag.name == "meta":
            self._meta(tag)
        elif tag.name == "link":
            self._link(tag)
        elif tag.name == "form" and tag.get("action"):
            action = self._absolute(tag.get("action"))
            if action and len(self.page.form_actions) < _MOST_RESOURCES:
                self.page.form_actions.append(action)
        elif tag.name in _ACTIVE:
            self._resource(tag, _ACTIVE[tag.name], active=True, code=tag.name == "script")
        elif tag.name in _PASSIVE:
            self._resource(tag, _PASSIVE[tag.name], active=False, code=False)

    def _meta(self, tag: Tag) -> None:
        if tag.get("http-equiv").lower() == "content-security-policy" and len(self.page.policies) < 20:
            self.page.policies.append(tag.get("content"))
        if tag.get("name").lower() == "referrer":
            self.page.referrer = tag.get("content")

    def _link(self, tag: Tag) -> None:
        kinds = set(tag.get("rel").lower().split())
        active = bool(kinds & _ACTIVE_LINKS)
        if active or kinds & {"icon", "preload"}:
            self._resource(tag, "href", active=active, code="stylesheet" in kinds)

    def _resource(self, tag: Tag, attribute: str, *, active: bool, code: bool) -> None:
        address = tag.get(attribute)
        url = self._absolute(address) if address else None
        if url and len(self.page.resources) < _MOST_RESOURCES:
            self.page.resources.append(Resource(tag.name, url, active, code, tag.get("integrity")))

    def _absolute(self, address: str) -> str | None:
        try:
            joined = urljoin(self._base, address[:4096])
            urlsplit(joined)
        except ValueError:
            return None
        return joined


def judge_page(answer: Answer, page: Page, *, upgrades: bool) -> Iterator[Fault]:
    """Yield mixed content, plain forms, foreign code without integrity; `upgrades`: a policy lifts http to https."""
    if answer.secure:
        yield from _judge_mixed(page, upgrades)
    bare = [res for res in page.resources if res.code and _is_foreign(res.url, answer.url) and not _is_pinned(res)]
    for host, urls in _by_host(res.url for res in bare):
        yield found("sri-missing", host, f"Without a valid integrity: {urls}")


def _judge_mixed(page: Page, upgrades: bool) -> Iterator[Fault]:
    plain = [res for res in page.resources if res.url.lower().startswith("http://")] if not upgrades else []
    for rule, active in (("mixed-active", True), ("mixed-passive", False)):
        for host, urls in _by_host(res.url for res in plain if res.active is active):
            yield found(rule, host, f"Loaded over plain HTTP: {urls}")
    forms = [url for url in page.form_actions if url.lower().startswith("http://")] if not upgrades else []
    for host, urls in _by_host(forms):
        yield found("form-plain", host, f"A form's action: {urls}")


def _by_host(urls: Iterator[str] | list[str]) -> Iterator[tuple[str, str]]:
    """Group addresses by host, at most ten hosts: one fault for each host, whatever the page loads from there."""
    groups: dict[str, dict[str, None]] = {}
    for url in urls:
        groups.setdefault(urlsplit(url).netloc.rpartition("@")[2].lower(), {})[without_query(url)] = None
    for host in sorted(groups)[:10]:
        yield host, listed(groups[host], most=3)


def _is_foreign(url: str, page_url: str) -> bool:
    origin = origin_of(url)
    return origin is not None and origin != origin_of(page_url)


def _is_pinned(resource: Resource) -> bool:
    return any(token.lower().startswith(_HASHES) for token in resource.integrity.split())
