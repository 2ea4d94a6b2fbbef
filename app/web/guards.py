"""The text guard, tried in the console."""

import time
from collections import Counter
from types import SimpleNamespace

from flask import render_template
from wtforms import TextAreaField

from app.core.errors import Invalid
from app.core.permissions import Permission
from app.db.units import Unit
from app.scanners.guard import Assessment, assess
from app.services import configurations
from app.serving.forms import Form
from app.web.keys import example
from app.web.routing import tenant_blueprint, tenant_page

blueprint = tenant_blueprint("guards", __name__)
LONGEST = 20_000


class GuardForm(Form):
    """A text to judge."""

    user_input = TextAreaField("Text")


@tenant_page(blueprint, "/guard", Permission.GUARD_PROCESS)
def show(_unit: Unit) -> str:
    return _page(GuardForm(), None)


@tenant_page(blueprint, "/guard", Permission.GUARD_PROCESS, methods=("POST",))
def judge(unit: Unit) -> str | tuple[str, int]:
    """Judge the text and show it with the verdict: nothing is kept, hence no redirect."""
    form = GuardForm()
    text = form.user_input.data or ""
    if not text.strip() or len(text) > LONGEST:
        form.blame(Invalid(fields={"user_input": f"between 1 and {LONGEST:,} characters"}))
        return _page(form, None), 422
    started = time.perf_counter()
    verdict = assess(text, policy=configurations.guard_policy(unit))
    return _page(form, _shown(verdict, (time.perf_counter() - started) * 1000))


def _shown(verdict: Assessment, milliseconds: float) -> SimpleNamespace:
    def counted(kinds: list[str]) -> list[SimpleNamespace]:
        return [SimpleNamespace(name=kind, number=number) for kind, number in Counter(kinds).most_common()]

    return SimpleNamespace(
        blocked=verdict.blocked,
        risk_score=verdict.risk_score,
        kinds=counted([match.kind for match in verdict.pii]),
        secrets=counted([match.kind for match in verdict.secrets]),
        injection=[hit.rule for hit in verdict.injection.rules],
        redacted=verdict.redacted,
        milliseconds=milliseconds,
        policy_version=verdict.policy_version,
    )


def _page(form: GuardForm, verdict: SimpleNamespace | None) -> str:
    curl = example("YOUR-KEY", [Permission.GUARD_PROCESS])
    return render_template("guards/show.html", form=form, verdict=verdict, curl=curl)
