"""What can go wrong, once for pages and JSON alike: each error knows its status, code and title.

JSON answers are problem documents (RFC 9457); `code` is the last part of the problem's type URI.
"""

from collections.abc import Mapping


class AppError(Exception):
    """An error that its reader may be told about; `detail` never holds a secret."""

    status = 500
    code = "internal"
    title = "Something failed on our side"
    problem_type: str | None = None  # a registered type in place of our own

    def __init__(
        self,
        detail: str = "",
        *,
        fields: Mapping[str, str] | None = None,
        extra: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.fields = dict(fields or {})
        self.extra = dict(extra or {})
        self.headers = dict(headers or {})


class MalformedRequest(AppError):
    status, code, title = 400, "malformed-request", "The request could not be read"


class Unauthenticated(AppError):
    status, code, title = 401, "unauthenticated", "No valid credential"


class PermissionDenied(AppError):
    status, code, title = 403, "permission-denied", "Not allowed"


class FactorRequired(PermissionDenied):
    """The tenant asks for a second factor, which this session has not shown."""

    code, title = "factor-required", "A second factor is needed"


class SsoRequired(PermissionDenied):
    """The tenant lets its people in through its own provider alone."""

    code, title = "sso-required", "Sign in through your company"


class SessionConfined(PermissionDenied):
    """One tenant's provider opened this session; it opens no other tenant."""

    code, title = "session-confined", "Sign in with your own password"


class SignInRefused(PermissionDenied):
    """What a provider vouches for opens no account here; the detail says why, for the person."""

    code, title = "sign-in-refused", "You were not signed in"


class ConfirmationRequired(PermissionDenied):
    """What is asked for wants a proof of who asks that is not old."""

    code, title = "confirmation-required", "Confirm that it is you"


class OwnProofRequired(ConfirmationRequired):
    """What is asked for wants something of the person's own, and not what a tenant's provider says."""


class FeatureMissing(PermissionDenied):
    """The tenant's plan does not include what was asked for; `extra` names the feature and the plans that do."""

    code, title = "feature-missing", "Not part of this plan"


class BeyondPlan(PermissionDenied):
    """Who asks, or what is to be changed, is beyond what the plan allows, and so read-only; `extra` names the quota."""

    code, title = "beyond-plan", "Read-only: beyond the plan"


class TenantClosed(AppError):
    """The tenant is suspended or deleted."""

    status, code, title = 403, "tenant-closed", "This tenant is closed"


class WorkspaceArchived(PermissionDenied):
    """The credential belongs to a workspace that is archived."""

    code, title = "workspace-archived", "This workspace is archived"


class NotFound(AppError):
    status, code, title = 404, "not-found", "Not found"


class MethodNotAllowed(AppError):
    status, code, title = 405, "method-not-allowed", "Method not allowed"


class Conflict(AppError):
    status, code, title = 409, "conflict", "Conflict with the present state"


class RequestInProgress(AppError):
    """Another request with the same Idempotency-Key is at work."""

    status, code, title = 409, "request-in-progress", "The same request is still at work"


class PreconditionFailed(AppError):
    """The thing is not in the state that If-Match names."""

    status, code, title = 412, "precondition-failed", "It was changed meanwhile"


class PayloadTooLarge(AppError):
    status, code, title = 413, "payload-too-large", "The request is too large"


class UnsupportedMediaType(AppError):
    status, code, title = 415, "unsupported-media-type", "The body is of another type than this takes"


class Misdirected(AppError):
    status, code, title = 421, "misdirected-request", "This host is not served here"


class Invalid(AppError):
    """The request was read, but a value in it will not do; `fields` names each."""

    status, code, title = 422, "invalid", "Some values will not do"


class KeyReused(AppError):
    """The Idempotency-Key came before with another body."""

    status, code, title = 422, "idempotency-key-reused", "This Idempotency-Key belongs to another body"


class TooManyRequests(AppError):
    status, code, title = 429, "too-many-requests", "Too many requests"


class QuotaExceeded(AppError):
    """The tenant used what its plan allows; `extra` names quota, used, limit, reset and where to get more.

    One that comes back with the next period is 429 with Retry-After; one that counts what is there is 409.
    """

    status, code, title = 429, "quota-exceeded", "This quota is used up"


class Unavailable(AppError):
    """A part that this needs is down for now; `detail` names it."""

    status, code, title = 503, "unavailable", "A part of the service is not available"
