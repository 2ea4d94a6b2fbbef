"""Rate limits: per tenant, key, action and client address, counted by flask-limiter.

What is left is told by the fields of draft-ietf-httpapi-ratelimit-headers-11, and refusals by its problem types.
A window begins with its first call and is counted exactly over all processes that share a store.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from flask import Flask, Response, current_app, g, request
from flask_limiter import Limiter, RateLimitExceeded
from prometheus_client import Counter

from app.core.errors import TooManyRequests, Unavailable
from app.core.settings import Settings
from app.db.directory import KeyHolder
from app.db.units import Unit
from app.services.key_rules import limits_of
from app.services.plans import RATE_NAMES, Rate, entitlements
from app.serving import counted_stores

PROBLEMS = "https://iana.org/assignments/http-problem-types#"
# So long a process may go by what a tenant's plan allowed a moment ago.
REMEMBERED_SECONDS = 1.0
MOST_REMEMBERED = 10_000
REFUSALS = Counter("sentinel_rate_limited_total", "Requests refused by a rate limit", ["policy"])
# endpoint that a form is sent to -> the policy that bounds it for each client address
ADDRESSED = {
    "api_signups.register": "sign-up",
    "api_signups.register_organization": "sign-up",
    "api_tokens.login": "sign-in",
    "api_tokens.login_alias": "sign-in",
    "login_factors.create": "sign-in",
    "login_passkeys.challenge": "sign-in",
    "login_passkeys.create": "sign-in",
    "login_passkeys.finish": "sign-in",
    "logins.create": "sign-in",
    "mailed_links.create": "reset",
    "mailed_links.redeem": "sign-in",
    "provider_step_ups.begin": "sign-in",
    "sign_ons.begin": "sign-in",
    "sign_ons.confirm_link": "sign-in",
    "sign_ons.create": "sign-in",
    "resets.create": "reset",
    "signups.create": "sign-up",
}


class RateLimited(TooManyRequests):
    """A rate limit refused the request; `extra` names the policies and when to come back."""

    code, title = "rate-limited", "Too many requests"
    problem_type = PROBLEMS + "quota-exceeded"


class NoCounter(Unavailable):
    """The store that counts is down, and the settings say to refuse then."""

    code, title = "temporary-reduced-capacity", "Calls cannot be counted for now"
    problem_type = PROBLEMS + "temporary-reduced-capacity"


@dataclass(frozen=True, slots=True)
class Standing:
    """One policy at this request: how many in how many seconds, how many are left, when it begins anew (seconds)."""

    policy: str
    most: int
    window: int
    left: int
    again: int


@dataclass(frozen=True)
class Limits:
    """The checks of one application."""

    limiter: Limiter
    check_call: Callable[[], None]
    check_keyed_call: Callable[[], None]
    check_action: Callable[[], None]
    check_address: Callable[[], None]


def register_limits(app: Flask, settings: Settings) -> None:
    """Count calls and sign-ins, and tell what is left on every answer that was counted."""
    url = settings.rate_limit_storage_url
    limiter = Limiter(
        lambda: "nobody",
        storage_uri=url.get_secret_value() if url else "memory://",
        storage_options=counted_stores.OPTIONS if url else {},
        strategy="fixed-window",
        headers_enabled=False,
        in_memory_fallback_enabled=settings.rate_limit_on_store_failure == "memory",
        swallow_errors=settings.rate_limit_on_store_failure == "allow",
        key_prefix="sentinel",
        # Nothing is limited by its route: the library then neither remembers nor resolves, at each question anew, what
        # other questions the route has asked before.
        request_identifier=lambda: "any route",
    )
    limiter.init_app(app)
    addressed = {
        "sign-in": settings.rate_limit_sign_in,
        "reset": settings.rate_limit_reset,
        "sign-up": settings.rate_limit_sign_up,
    }
    app.extensions["sentinel_limits"] = Limits(
        limiter,
        _checks(limiter, "call", ("tenant", _tenant_limit, _tenant)),
        # The key's own comes first: a key that is over its own limit takes nothing from its tenant's.
        _checks(limiter, "keyed_call", ("tenant", _tenant_limit, _tenant), ("key", _key_limit, _key)),
        _checks(limiter, "action", (_action, _action_limit, _tenant)),
        _checks(limiter, "form", (_form, lambda: addressed.get(_form(), ""), _address)),
    )
    app.before_request(_begin)
    app.after_request(_tell)


Policy = tuple[str | Callable[[str], str], Callable[[], str], Callable[[], str]]


def _checks(limiter: Limiter, name: str, *policies: Policy) -> Callable[[], None]:
    """Return what asks for the policies, the last one first."""

    def check() -> None:
        """Nothing is left to do once the limits let it pass."""

    check.__qualname__ = f"check_{name}"  # the library knows limits by the names of functions
    wrapped: Callable[[], None] = check
    for scope, limit, key in reversed(policies):
        wrapped = limiter.shared_limit(limit, scope, key_func=key)(wrapped)
    return wrapped


# The library also asks for limits that are not checked in this request: those are none.


def _tenant_limit() -> str:
    return f"{g.rates[Rate.API_REQUESTS]} per minute" if "rates" in g else ""


def _own_limit() -> int | None:
    """Return the calls a minute that the key was given, less than its tenant's."""
    holder: KeyHolder | None = g.get("key_holder")
    return None if holder is None else limits_of(holder)


def _key_limit() -> str:
    own = _own_limit()
    return f"{own} per minute" if own else ""


def _action(_endpoint: str = "") -> str:
    return str(g.get("limited_action", "none"))


def _action_limit() -> str:
    return f"{g.rates[Rate(_action())]} per minute" if "limited_action" in g else ""


def _form(_endpoint: str = "") -> str:
    return str(g.get("limited_form", "none"))


def _tenant() -> str:
    return str(g.get("tenant_id", "none"))


def _key() -> str:
    holder = g.get("key_holder")
    return str(holder.key_id) if holder is not None else "none"


def _address() -> str:
    return str(g.get("client_address") or "unknown")


def _limits() -> Limits:
    return cast(Limits, current_app.extensions["sentinel_limits"])


_remembered: dict[UUID, tuple[float, Mapping[Rate, int]]] = {}


def _rates(unit: Unit) -> Mapping[Rate, int]:
    """Return what the tenant's plan allows a minute, at most a second old."""
    now = time.monotonic()
    found = _remembered.get(unit.tenant_id)
    if found is None or found[0] < now:
        if len(_remembered) >= MOST_REMEMBERED:
            _remembered.clear()
        found = (now + REMEMBERED_SECONDS, entitlements(unit).rates)
        _remembered[unit.tenant_id] = found
    return found[1]


def limit_call(unit: Unit) -> None:
    """Count a call of the API against its key's own limit and its tenant's. Raises RateLimited, NoCounter."""
    g.rates = _rates(unit)
    limits = _limits()
    _ask(limits.check_call if _own_limit() is None else limits.check_keyed_call)


def limit_action(unit: Unit, rate: Rate) -> None:
    """Count something that a tenant does, whichever way it came. Raises RateLimited, NoCounter."""
    g.rates, g.limited_action, g.tenant_id = _rates(unit), str(rate), unit.tenant_id
    _ask(_limits().check_action)


def _begin() -> None:
    counted_stores.forget_counts()
    g.standings = []
    policy = ADDRESSED.get(request.endpoint or "")
    if policy is not None and request.method == "POST":
        g.limited_form = policy
        _ask(_limits().check_address)


def _ask(check: Callable[[], None]) -> None:
    limiter = _limits().limiter
    limiter.context.reset()
    try:
        check()
    except RateLimitExceeded:
        g.standings += _standings(limiter)
        raise _refusal([each.policy for each in _standings(limiter, only_breached=True)]) from None
    except Exception as error:
        raise NoCounter(
            "The part that counts calls does not answer. Try again in a moment.", headers={"Retry-After": "5"}
        ) from error
    g.standings += _standings(limiter)


def _standings(limiter: Limiter, *, only_breached: bool = False) -> list[Standing]:
    found = []
    for limit in limiter.current_limits:
        if limit.breached or not only_breached:
            again = max(1, math.ceil(limit.window.reset_time - time.time()))
            window = limit.limit.get_expiry()
            found.append(
                Standing(
                    limit.request_args[-1], limit.limit.amount, window, max(0, limit.remaining), min(again, window)
                )
            )
    return found


def _refusal(policies: list[str]) -> RateLimited:
    standing = next(each for each in g.standings if each.policy in policies)
    REFUSALS.labels(standing.policy).inc()
    seconds = "1 second" if standing.again == 1 else f"{standing.again} seconds"
    name = RATE_NAMES.get(cast(Any, standing.policy), "Requests")
    return RateLimited(
        f"{name}: at most {standing.most:,} in {standing.window} seconds. Come back in {seconds}.",
        extra={"violated-policies": policies},
        headers={"Retry-After": str(standing.again)},
    )


def _tell(response: Response) -> Response:
    """Write the fields of the draft: every policy that was asked, and what is left of it."""
    standings: list[Standing] = g.get("standings") or []
    if standings and response.status_code != 304:
        response.headers["RateLimit-Policy"] = ", ".join(f'"{s.policy}";q={s.most};w={s.window}' for s in standings)
        response.headers["RateLimit"] = ", ".join(f'"{s.policy}";r={s.left};t={s.again}' for s in standings)
    return response
