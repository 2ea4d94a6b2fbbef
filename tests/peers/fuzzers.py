"""Requests made by schemathesis from the API's own description, sent with a credential and to ids that exist."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi import checks

PROMISED = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
SECURITY = ("X-API-Key", "X-Tenant-Key", "Authorization")


@dataclass
class Fuzzer:
    """Sends what the description allows, and what it does not, and demands an answer that it promises.

    Rate limits are off: a refusal of each request would be an answer that is promised too.

    `ids` are of things that exist, by the name that addresses and bodies call them; half of the requests name them.
    """

    app: Flask
    base_url: str
    headers: Mapping[str, str]
    ids: Mapping[str, UUID]
    seen: dict[str, Counter[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.app.extensions["sentinel_limits"].limiter.enabled = False

    def operations(self, document: str = "/api/v1/openapi.json") -> Iterator[Any]:
        """Yield the operations of the description."""
        answer = self.app.test_client().get(document, base_url=self.base_url)
        schema = schemathesis.openapi.from_dict(answer.json or {})
        schema.app = self.app
        schema.config.update(base_url=self.base_url)
        for found in schema.get_all_operations():
            yield found.ok()

    def ask(self, operation: Any, *, examples: int, repeat: bool) -> None:
        """Ask an operation so often, for each kind of request; the same ones each time where it shall `repeat`.

        Raises with the request that got a server error, an undocumented status or an answer of another shape.
        """
        seen = self.seen.setdefault(operation.label, Counter())
        raw = operation.definition.raw
        for mode in schemathesis.GenerationMode:
            if mode.is_negative and not raw.get("parameters") and "requestBody" not in raw:
                continue  # nothing to get wrong

            @settings(
                max_examples=examples,
                deadline=None,
                database=None,
                derandomize=repeat,
                suppress_health_check=list(HealthCheck),
                phases=(Phase.explicit, Phase.generate, Phase.shrink),
            )
            @given(case=operation.as_strategy(generation_mode=mode), real=st.booleans(), own=st.integers(0, 5))
            def run(case: Any, real: bool, own: int) -> None:
                if real:
                    self._name_what_exists(case)
                if own:  # but for one in six, which brings a credential that was made up
                    case.headers = {k: v for k, v in (case.headers or {}).items() if k not in SECURITY}
                answer = case.call(base_url=self.base_url, headers=dict(self.headers))
                seen[answer.status_code] += 1
                case.validate_response(answer, checks=PROMISED)

            run()

    def _name_what_exists(self, case: Any) -> None:
        for place in (case.path_parameters, case.body):
            if isinstance(place, dict):
                place.update({name: str(self.ids[name]) for name in place.keys() & self.ids.keys()})
