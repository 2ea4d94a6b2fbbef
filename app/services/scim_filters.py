"""SCIM filters (RFC 7644, 3.4.2.2), parsed and checked by scim2-models, as conditions of the database."""

import operator
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from scim2_models.path import (
    AttrPath,
    CompareOperator,
    Comparison,
    FilterNode,
    FilterVisitor,
    LogicalExpr,
    LogicalOperator,
    Not,
    Present,
    ValuePath,
)
from sqlalchemy import ColumnElement, and_, exists, false, func, not_, or_, true
from sqlalchemy.orm import InstrumentedAttribute

from app.core.errors import MalformedRequest
from app.models.accounts import Membership
from app.models.provisioning import ProvisionedGroup, ProvisionedGroupMember, ProvisionedPerson
from app.services.provisioned_people import comparable

Condition = ColumnElement[bool]
Compare = Callable[[CompareOperator, Any], Condition]
ORDERS: dict[CompareOperator, Callable[[Any, Any], Any]] = {
    CompareOperator.gt: operator.gt,
    CompareOperator.ge: operator.ge,
    CompareOperator.lt: operator.lt,
    CompareOperator.le: operator.le,
}


def _refused(what: str) -> MalformedRequest:
    return MalformedRequest(f"The filter cannot be used: {what}.", extra={"scimType": "invalidFilter"})


def _text(column: Any, fold: Callable[[str], str] | None = None, *, folded: bool = False) -> Compare:
    """Compare a text, as `fold` writes it; `folded` where the column holds it in that form already."""
    side = column if fold is None or folded else func.lower(column)

    def compare(op: CompareOperator, value: Any) -> Condition:
        if value is None and op in (CompareOperator.eq, CompareOperator.ne):
            return column.is_(None) if op == CompareOperator.eq else column.is_not(None)  # type: ignore[no-any-return]
        if not isinstance(value, str) or "\0" in value:
            raise _refused(f"{op} wants a text")
        text = value if fold is None else fold(value)
        if op == CompareOperator.eq:
            return side == text
        if op == CompareOperator.ne:
            return or_(side != text, column.is_(None))
        if op == CompareOperator.co:
            return side.contains(text, autoescape=True)
        if op == CompareOperator.sw:
            return side.startswith(text, autoescape=True)
        if op == CompareOperator.ew:
            return side.endswith(text, autoescape=True)
        return ORDERS[op](side, text)  # type: ignore[no-any-return]

    return compare


def _flag(holds: Condition) -> Compare:
    def compare(op: CompareOperator, value: Any) -> Condition:
        wanted = value if isinstance(value, bool) else {"true": True, "false": False}.get(str(value).lower())
        if wanted is None or op not in (CompareOperator.eq, CompareOperator.ne):
            raise _refused("active is compared with true or false by eq or ne")
        return holds if wanted is (op == CompareOperator.eq) else not_(holds)

    return compare


def _id(match: Callable[[UUID], Condition]) -> Compare:
    def compare(op: CompareOperator, value: Any) -> Condition:
        if op not in (CompareOperator.eq, CompareOperator.ne):
            raise _refused("ids are compared by eq or ne")
        try:
            found = match(UUID(str(value)))
        except ValueError:
            found = false()
        return found if op == CompareOperator.eq else not_(found)

    return compare


def _moment(column: InstrumentedAttribute[datetime]) -> Compare:
    def compare(op: CompareOperator, value: Any) -> Condition:
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError as error:
            raise _refused(f"{value} is no moment") from error
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        if op in (CompareOperator.eq, CompareOperator.ne):
            return column == moment if op == CompareOperator.eq else column != moment
        if op not in ORDERS:
            raise _refused("moments have no parts")
        return ORDERS[op](column, moment)  # type: ignore[no-any-return]

    return compare


def _emails(kind: str | None = None) -> Compare:
    """Compare each address of a person, or those of a kind, in the lines that hold them."""
    lines = ProvisionedPerson.email_keys
    before = "\t" if kind is None else f"\n{kind}\t"

    def compare(op: CompareOperator, value: Any) -> Condition:
        if not isinstance(value, str) or not value.isprintable():
            raise _refused("emails are compared with a text")
        text = value.lower()
        if op == CompareOperator.eq:
            return lines.contains(f"{before}{text}\n", autoescape=True)
        if op == CompareOperator.sw:
            return lines.contains(f"{before}{text}", autoescape=True)
        if op == CompareOperator.co and kind is None:
            return lines.contains(text, autoescape=True)
        raise _refused(f"{op} does not compare emails")

    return compare


def _in_group(group_id: UUID) -> Condition:
    return exists().where(
        ProvisionedGroupMember.person_id == ProvisionedPerson.id, ProvisionedGroupMember.group_id == group_id
    )


def _has_member(person_id: UUID) -> Condition:
    return exists().where(
        ProvisionedGroupMember.group_id == ProvisionedGroup.id, ProvisionedGroupMember.person_id == person_id
    )


_IS_MEMBER = exists().where(Membership.user_id == ProvisionedPerson.user_id)
PEOPLE: dict[str, Compare] = {
    "id": _id(lambda value: ProvisionedPerson.id == value),
    "externalid": _text(ProvisionedPerson.external_id),
    "username": _text(ProvisionedPerson.user_key, comparable, folded=True),
    "displayname": _text(ProvisionedPerson.display_name, str.lower),
    "name.formatted": _text(ProvisionedPerson.formatted, str.lower),
    "name.givenname": _text(ProvisionedPerson.given_name, str.lower),
    "name.familyname": _text(ProvisionedPerson.family_name, str.lower),
    "active": _flag(and_(ProvisionedPerson.active.is_(True), _IS_MEMBER)),
    "emails": _emails(),
    "emails.value": _emails(),
    "groups": _id(_in_group),
    "groups.value": _id(_in_group),
    "meta.created": _moment(ProvisionedPerson.created_at),
    "meta.lastmodified": _moment(ProvisionedPerson.changed_at),
}
GROUPS: dict[str, Compare] = {
    "id": _id(lambda value: ProvisionedGroup.id == value),
    "externalid": _text(ProvisionedGroup.external_id),
    "displayname": _text(ProvisionedGroup.display_name, str.lower),
    "members": _id(_has_member),
    "members.value": _id(_has_member),
    "meta.created": _moment(ProvisionedGroup.created_at),
    "meta.lastmodified": _moment(ProvisionedGroup.changed_at),
}
ALWAYS = frozenset({"id", "username", "active", "emails", "emails.value", "meta.created", "meta.lastmodified"})


class _Conditions(FilterVisitor[Condition]):
    """Turns each node of a filter into a condition."""

    def __init__(self, known: Mapping[str, Compare]) -> None:
        self.known = known

    def _compare(self, path: AttrPath) -> Compare:
        name = path.attr if path.sub_attr is None else f"{path.attr}.{path.sub_attr}"
        if name.lower() not in self.known:
            raise _refused(f"{name} cannot be filtered on")
        return self.known[name.lower()]

    def visit_comparison(self, node: Comparison) -> Condition:
        return self._compare(node.attr_path)(node.op, node.value)

    def visit_present(self, node: Present) -> Condition:
        compare, name = self._compare(node.attr_path), node.attr_path.attr.lower()
        if name in ALWAYS or (name == "displayname" and self.known is GROUPS):
            return true()
        return compare(CompareOperator.ne, None)

    def visit_not(self, node: Not) -> Condition:
        return not_(self.visit(node.expr))

    def visit_logical_expr(self, node: LogicalExpr) -> Condition:
        parts = [self.visit(term) for term in node.terms]
        return and_(*parts) if node.op == LogicalOperator.and_ else or_(*parts)

    def visit_value_path(self, node: ValuePath) -> Condition:
        """Take `emails[type eq "work" and value eq "x"]` and `members[value eq "x"]`."""
        inner = node.val_filter
        terms = inner.terms if isinstance(inner, LogicalExpr) and inner.op == LogicalOperator.and_ else (inner,)
        by_name = {term.attr_path.attr.lower(): term for term in terms if isinstance(term, Comparison)}
        name, value, kind = node.attr_path.attr.lower(), by_name.pop("value", None), by_name.pop("type", None)
        if value is None or by_name or len(terms) > 2 or f"{name}.value" not in self.known:
            raise _refused(f"{node} is too much")
        if kind is None:
            return self.known[f"{name}.value"](value.op, value.value)
        if name != "emails" or kind.op != CompareOperator.eq or not str(kind.value).isprintable():
            raise _refused(f"{node} is too much")
        return _emails(str(kind.value).lower())(value.op, value.value)


def condition(tree: FilterNode, known: Mapping[str, Compare]) -> Condition:
    """Return what a row must fulfil; `known` is PEOPLE or GROUPS.

    Raises MalformedRequest for an attribute or a comparison that is not served.
    """
    return _Conditions(known).visit(tree)
