"""The text guard for programs: one text in, its assessment out; the text is neither kept nor logged."""

from pydantic import Field

from app.api.routing import Answer, noun_blueprint, resource
from app.api.shapes import Asked, Told
from app.core.errors import PayloadTooLarge
from app.core.permissions import Permission
from app.db.units import Unit
from app.scanners import guard
from app.services import configurations, quotas
from app.services.plans import Quota

LARGEST_TEXT = 64 * 1024
# JSON may spell each byte of a text in six ("\u0001").
LARGEST_BODY = 6 * LARGEST_TEXT + 4096

blueprint = noun_blueprint("guards", __name__)


class ProcessRequest(Asked):
    """A text to assess."""

    user_input: str = Field(
        description="At most 65,536 bytes in UTF-8", examples=["My credit card is 4532-1234-5678-9010"]
    )
    user_id: str | None = Field(None, max_length=200, description="Who wrote it, in your own terms; not kept")


class MatchView(Told):
    """Something found, from `start` to before `end`, in characters of user_input."""

    kind: str
    start: int
    end: int
    score: float = Field(description="Certainty, 0 to 1")
    sample: str = Field(description="The value's shape, masked")


class RuleHitView(Told):
    """A rule of the injection detector that fired."""

    rule: str
    start: int
    end: int
    score: float
    evasion: str | None


class InjectionView(Told):
    """Whether the text tries to give orders to a model."""

    score: float = Field(description="0 to 1")
    rules: list[RuleHitView]


class RisksView(Told):
    """What each detector adds to the risk, 0 to 1."""

    pii: float
    secrets: float
    injection: float


class AssessmentView(Told):
    """What is in the text and whether the policy blocks it."""

    blocked: bool
    risk_score: float = Field(description="0 to 1")
    risks: RisksView
    pii_detected: bool
    pii_kinds: list[str]
    pii: list[MatchView]
    secrets_detected: bool
    secret_kinds: list[str]
    secrets: list[MatchView]
    injection: InjectionView
    redacted_text: str = Field(description="The text with each value found replaced by its kind")
    policy_version: str


@resource(
    blueprint,
    "POST",
    "/process",
    Permission.GUARD_PROCESS,
    body=ProcessRequest,
    answer=AssessmentView,
    largest=LARGEST_BODY,
    aliases=("/process",),
    unkept="it changes nothing, and a text is never kept",
)
def process(unit: Unit, body: ProcessRequest) -> Answer:
    """Assess a text: personal data, secrets, prompt injection."""
    if len(body.user_input.encode()) > LARGEST_TEXT:
        raise PayloadTooLarge(f"user_input may have at most {LARGEST_TEXT:,} bytes in UTF-8.")
    found = guard.assess(body.user_input, policy=configurations.guard_policy(unit))
    quotas.consume(unit, Quota.TEXTS)
    view = AssessmentView(
        blocked=found.blocked,
        risk_score=found.risk_score,
        risks=RisksView(**{str(detector): risk for detector, risk in found.risks.items()}),
        pii_detected=bool(found.pii),
        pii_kinds=list(found.pii_kinds),
        pii=[MatchView.model_validate(match) for match in found.pii],
        secrets_detected=bool(found.secrets),
        secret_kinds=list(found.secret_kinds),
        secrets=[MatchView.model_validate(match) for match in found.secrets],
        injection=InjectionView.model_validate(found.injection),
        redacted_text=found.redacted,
        policy_version=found.policy_version,
    )
    return Answer(view, verdict="blocked" if found.blocked else "allowed")
