"""/Groups: the groups that an identity provider sends."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from flask import Response, request
from scim2_models import Context, Meta, PatchOp, Reference

from app.api.scim.answers import tell, tell_list
from app.api.scim.queries import leaves_out, parameters, wanted
from app.api.scim.routing import body, location_of, nothing, require_version, scim_resource, unchanged
from app.api.scim.schemas import Group, MemberOfGroup
from app.core.errors import Invalid
from app.core.ids import parse_id
from app.core.permissions import Permission
from app.db.units import Unit
from app.models.provisioning import ProvisionedGroup
from app.services import provisioned_groups
from app.services.provisioned_groups import DescribedGroup, Member
from app.services.scim_filters import GROUPS


@scim_resource("GET", "/Groups", Permission.PEOPLE_READ)
def list_groups(unit: Unit) -> Response:
    """Return the groups that fit."""
    asked = wanted(Group, GROUPS)
    groups, count = provisioned_groups.list_groups(unit, asked.condition, skip=asked.skip, most=asked.count)
    shown = _shown(unit, groups, members=not leaves_out(asked.parameters, "members"))
    return tell_list(Group, shown, asked, count)


@scim_resource("POST", "/Groups", Permission.PEOPLE_WRITE)
def create_group(unit: Unit) -> Response:
    """Take a group on."""
    given = Group.model_validate(body(), scim_ctx=Context.RESOURCE_CREATION_REQUEST)
    group = provisioned_groups.create(unit, _described(given))
    return _told(unit, group, Context.RESOURCE_CREATION_RESPONSE, 201)


@scim_resource("GET", "/Groups/<scim_group_id>", Permission.PEOPLE_READ)
def show_group(unit: Unit, scim_group_id: UUID) -> Response:
    """Return a group."""
    group = provisioned_groups.get(unit, scim_group_id)
    if unchanged(_tag(group)):
        return Response(status=304)
    return _told(unit, group, Context.RESOURCE_QUERY_RESPONSE)


@scim_resource("PUT", "/Groups/<scim_group_id>", Permission.PEOPLE_WRITE)
def replace_group(unit: Unit, scim_group_id: UUID) -> Response:
    """Make a group what was sent."""
    group = provisioned_groups.get(unit, scim_group_id, held=True)
    require_version(_tag(group))
    given = Group.model_validate(body(), scim_ctx=Context.RESOURCE_REPLACEMENT_REQUEST)
    provisioned_groups.change(unit, group, _described(given))
    return _told(unit, group, Context.RESOURCE_REPLACEMENT_RESPONSE)


@scim_resource("PATCH", "/Groups/<scim_group_id>", Permission.PEOPLE_WRITE)
def patch_group(unit: Unit, scim_group_id: UUID) -> Response:
    """Change parts of a group, all or none; it is told again only where attributes of it are asked for."""
    group = provisioned_groups.get(unit, scim_group_id, held=True)
    require_version(_tag(group))
    patch = PatchOp[Group].model_validate(body(), scim_ctx=Context.RESOURCE_PATCH_REQUEST)
    present = _shown(unit, [group])[0]
    if patch.patch(present):
        provisioned_groups.change(unit, group, _described(present))
    if not request.args.get("attributes"):
        return nothing()
    return _told(unit, group, Context.RESOURCE_PATCH_RESPONSE)


@scim_resource("DELETE", "/Groups/<scim_group_id>", Permission.PEOPLE_WRITE)
def delete_group(unit: Unit, scim_group_id: UUID) -> Response:
    """Forget a group."""
    group = provisioned_groups.get(unit, scim_group_id, held=True)
    require_version(_tag(group))
    provisioned_groups.remove(unit, group)
    return nothing()


def _described(given: Group) -> DescribedGroup:
    members = []
    for member in given.members or ():
        found = parse_id(member.value or "")
        if found is None:
            raise Invalid("A member is named by the id of a user.")
        members.append(found)
    return DescribedGroup(given.display_name or "", given.external_id, frozenset(members))


def _shown(unit: Unit, groups: Sequence[ProvisionedGroup], *, members: bool = True) -> list[Group]:
    theirs = provisioned_groups.members_of(unit, [group.id for group in groups]) if members else {}
    return [_group(group, theirs.get(group.id, ())) for group in groups]


def _group(group: ProvisionedGroup, members: Iterable[Member]) -> Group:
    rows = [
        MemberOfGroup(value=str(one.id), ref=Reference(location_of("Users", one.id)), type="User") for one in members
    ]
    return Group(
        id=str(group.id),
        external_id=group.external_id,
        display_name=group.display_name,
        members=rows or None,
        meta=Meta(
            resource_type="Group",
            created=group.created_at,
            last_modified=group.changed_at,
            location=location_of("Groups", group.id),
            version=_tag(group),
        ),
    )


def _tag(group: ProvisionedGroup) -> str:
    return f'W/"{group.version}"'


def _told(unit: Unit, group: ProvisionedGroup, context: Context, status: int = 200) -> Response:
    chosen = parameters(Group)
    shown = _shown(unit, [group], members=not leaves_out(chosen, "members"))[0]
    return tell(shown, chosen, context, status)
