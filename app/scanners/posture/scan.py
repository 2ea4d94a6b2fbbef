"""The posture scan of one web address: its certificate and handshakes, its headers, its page, its contacts."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urljoin

from app.core.clock import Clock, SystemClock
from app.core.outbound import Location, Policy, Refused, Unreachable, locate
from app.scanners.posture import contacts, cors
from app.scanners.posture.answers import Answer
from app.scanners.posture.budgets import Budget, OutOfTime
from app.scanners.posture.cookies import judge_cookies
from app.scanners.posture.csp import CspSet, judge_policies, parse_policies
from app.scanners.posture.evidence import one_line, without_query
from app.scanners.posture.handshakes import (
    Survey,
    judge_survey,
    lenient_context,
    survey_acceptance,
    survey_certificates,
)
from app.scanners.posture.headers import (
    judge_disclosure,
    judge_framing,
    judge_referrer,
    judge_sniffing,
    judge_transport,
)
from app.scanners.posture.markup import judge_page, read_page
from app.scanners.posture.redirects import judge_redirects
from app.scanners.posture.visits import Chain, Visitor
from app.scanners.probes import Artefact, Fault, Ticket
from app.scanners.progress import report_step

STEPS = ("Certificate", "Protocols and ciphers", "Page and headers", "Cross-origin answers", "Contacts")
_MOST_BODY = 1_000_000
_MOST_FAULTS = 200
_MOST_NOTE = 300


def probe(ticket: Ticket) -> Artefact:
    """Examine `ticket.target`, an absolute http(s) address. Raises nothing for what the far end does."""
    return examine(ticket)


def examine(ticket: Ticket, *, roots: str | None = None, clock: Clock | None = None) -> Artefact:
    """Do as `probe`, with further trusted roots (PEM) and another clock than the machine's."""
    if not ticket.target:
        return Artefact(ticket.tool, failure="The ticket names no address")
    policy = Policy(
        allowed=frozenset(ticket.allowed),
        resolvers=tuple(ticket.resolvers),
        user_agent=ticket.user_agent,
        max_bytes=_MOST_BODY,
    )
    run = _Run(ticket, Budget(policy, ticket.seconds), roots, clock or SystemClock())
    try:
        run.examine(locate(ticket.target))
    except OutOfTime:
        run.stop(f"The time of {ticket.seconds:g} seconds was used up")
    except (Refused, Unreachable) as failure:
        run.stop(failure.why)
    return run.artefact()


@dataclass
class _Run:
    ticket: Ticket
    budget: Budget
    roots: str | None
    clock: Clock
    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    observed: dict[str, str] = field(default_factory=dict)
    partial: bool = False
    seen: bool = False
    stopped: str | None = None

    def examine(self, place: Location) -> None:
        if place.scheme == "https" and not self._handshakes(place):
            return
        report_step(STEPS[2])
        visitor = Visitor(self.budget, lenient_context())
        try:
            chain = visitor.follow(place.url)
        except Unreachable as failure:
            self.stop(failure.why)
            return
        self._answers(chain)
        self._origins(visitor, chain, place)
        self._contacts(visitor, place)

    def stop(self, why: str) -> None:
        """Note that the rest could not be examined."""
        self.stopped = why
        self.notes.append(why)
        self.partial = True

    def artefact(self) -> Artefact:
        unique = {(fault.rule, fault.location): fault for fault in reversed(self.faults)}
        faults = list(reversed(unique.values()))[:_MOST_FAULTS]
        failure = None if self.seen else self.stopped
        partial = (self.partial or len(unique) > _MOST_FAULTS) and failure is None
        notes = [one_line(note, _MOST_NOTE) for note in self.notes]
        observed = {key: one_line(value, _MOST_NOTE) for key, value in self.observed.items()}
        return Artefact(self.ticket.tool, faults, partial, notes, observed, failure)

    def _handshakes(self, place: Location) -> bool:
        """Return whether TLS was spoken, so that pages can be asked for."""
        survey = Survey()
        report_step(STEPS[0])
        try:
            survey_certificates(survey, place.host, place.port, self.budget, self.roots)
            report_step(STEPS[1])
            survey_acceptance(survey, place.host, place.port, self.budget)
        except Unreachable as failure:
            if not survey.version:
                raise
            self.partial = True
            self.notes.append(f"Not every version and cipher could be asked for: {failure.why}")
        finally:
            self.faults += judge_survey(survey, place.host, place.port, self.clock.now())
            self.seen = self.seen or bool(survey.version or survey.accepted)
        if survey.version:
            self.observed["tls"] = f"{survey.version} {survey.cipher or ''}".strip()
        if survey.chain:
            self.observed["certificate_until"] = survey.chain[0].not_after.isoformat()
        if survey.unread:
            self.notes.append("The certificate could not be read")
        if survey.refusal:
            self.stop(survey.refusal)
        return survey.refusal is None

    def _answers(self, chain: Chain) -> None:
        self.seen = True
        first, last = chain.answers[0], chain.answers[-1]
        self.observed["status"] = str(last.status)
        self.observed["address"] = without_query(last.url)
        if chain.foreign:
            elsewhere = without_query(chain.foreign)
            self.notes.append(f"A redirect leads to {elsewhere}; it is an asset of its own and was not followed")
        if last.truncated:
            self.partial = True
            self.notes.append("The page was not read to its end")
        self.faults += judge_redirects(chain.answers, circular=chain.circular)
        self.faults += judge_transport(first)
        self.faults += judge_cookies([value for answer in chain.answers for value in answer.all("set-cookie")])
        self.faults += judge_disclosure(last)
        if not last.redirects:
            self.faults += _judge_document(last)

    def _origins(self, visitor: Visitor, chain: Chain, place: Location) -> None:
        report_step(STEPS[3])
        url = chain.answers[-1].url
        answers = {}
        for origin in (cors.FOREIGN, cors.NULL, cors.lookalike_of(place.host)):
            answer = visitor.ask_or_none(url, {"Origin": origin})
            if answer is None:
                self.partial = True
                self.notes.append("A request with a foreign Origin got no answer")
                break
            answers[origin] = answer
            if origin == cors.FOREIGN and cors.granted(answer, origin).echoed:
                break
        self.faults += cors.judge_origins(answers, place.host)

    def _contacts(self, visitor: Visitor, place: Location) -> None:
        if place.scheme != "https":  # RFC 9116, 3: the file must be served over HTTPS
            return
        report_step(STEPS[4])
        chain = visitor.follow(urljoin(place.url, contacts.PATH))
        if chain.foreign:
            self.notes.append(f"security.txt is said to be at {without_query(chain.foreign)}, which was not followed")
            return
        self.faults += contacts.judge_contacts(chain.answers[-1], self.clock.now())


def _judge_document(answer: Answer) -> Iterator[Fault]:
    """Yield what is wrong with the answer itself; rules for pages hold only for what a browser shows as one."""
    yield from judge_sniffing(answer)
    if not answer.is_page:
        return
    page = read_page(answer.url, answer.body)
    policies = CspSet(
        enforced=parse_policies(answer.all("content-security-policy")),
        reported=parse_policies(answer.all("content-security-policy-report-only")),
        in_meta=parse_policies(page.policies, meta=True),
    )
    yield from judge_policies(policies)
    yield from judge_framing(answer, policies)
    yield from judge_referrer(answer, page.referrer)
    upgrades = any("upgrade-insecure-requests" in policy.directives for policy in policies.all)
    yield from judge_page(answer, page, upgrades=upgrades)
