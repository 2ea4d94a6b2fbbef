"""What staff can have done to a tenant: one table, from which the pages and the commands are made."""

from dataclasses import dataclass

from app.services.lifecycles import PLANS


@dataclass(frozen=True)
class Act:
    """Something that staff can have done to a tenant: its words, when it can be, what it asks for besides a reason."""

    action: str
    command: str
    title: str
    verb: str
    consequence: str
    statuses: tuple[str, ...]
    danger: bool = False
    asks: str | None = None


# By their names in addresses.
ACTS = {
    "suspension": Act(
        "tenant.suspend",
        "suspend",
        "Suspend",
        "Suspend the tenant",
        "Its pages and API keys are refused from now on, its scans are cancelled. Its people see the reason.",
        ("trial", "active"),
        danger=True,
    ),
    "resumption": Act(
        "tenant.resume",
        "resume",
        "Resume",
        "Resume the tenant",
        "Its people and keys come in again.",
        ("suspended",),
    ),
    "plan": Act(
        "tenant.change-plan",
        "change-plan",
        "Change plan",
        "Change the plan",
        "The new plan’s limits hold from now on; what it has no room for is read-only, the newest first. "
        "A trial ends with it, and a request for a plan is answered by it.",
        ("trial", "active", "suspended"),
        asks="plan",
    ),
    "deletion": Act(
        "tenant.delete",
        "delete",
        "Delete",
        "Delete the tenant",
        "Its pages and API keys are refused from now on. It can be restored for as long as its plan keeps it.",
        ("trial", "active", "suspended"),
        danger=True,
        asks="slug",
    ),
    "restoration": Act(
        "tenant.restore",
        "restore",
        "Restore",
        "Restore the tenant",
        "Everything comes back as it was.",
        ("deleted",),
    ),
    "erasure": Act(
        "tenant.purge",
        "purge",
        "Erase",
        "Erase the tenant",
        "Everything that it holds is removed at once and for ever. Nothing can bring it back; its slug stays taken.",
        ("suspended", "deleted"),
        danger=True,
        asks="slug",
    ),
}
NAMES = f"any({', '.join(ACTS)})"
PLAN_CHOICES = [(plan, plan.capitalize()) for plan in PLANS]
