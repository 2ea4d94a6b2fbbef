"""/Users: the people whom an identity provider sends."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from flask import Response
from scim2_models import Context, Meta, PatchOp, Reference

from app.api.scim.answers import tell, tell_list
from app.api.scim.queries import leaves_out, parameters, wanted
from app.api.scim.routing import body, location_of, nothing, require_version, scim_resource, unchanged
from app.api.scim.schemas import Email as EmailOfUser
from app.api.scim.schemas import GroupOfUser, Name, User
from app.core.permissions import Permission
from app.db.units import Unit
from app.models.provisioning import ProvisionedPerson
from app.services import provisioned_people
from app.services.provisioned_people import Described, Email
from app.services.scim_filters import PEOPLE


@scim_resource("GET", "/Users", Permission.PEOPLE_READ)
def list_users(unit: Unit) -> Response:
    """Return the people who fit."""
    asked = wanted(User, PEOPLE)
    people, count = provisioned_people.list_people(unit, asked.condition, skip=asked.skip, most=asked.count)
    shown = _shown(unit, people, groups=not leaves_out(asked.parameters, "groups"))
    return tell_list(User, shown, asked, count)


@scim_resource("POST", "/Users", Permission.PEOPLE_WRITE)
def create_user(unit: Unit) -> Response:
    """Take a person on."""
    given = User.model_validate(body(), scim_ctx=Context.RESOURCE_CREATION_REQUEST)
    person = provisioned_people.provision(unit, _described(given))
    return _told(unit, person, Context.RESOURCE_CREATION_RESPONSE, 201)


@scim_resource("GET", "/Users/<scim_person_id>", Permission.PEOPLE_READ)
def show_user(unit: Unit, scim_person_id: UUID) -> Response:
    """Return a person."""
    person = provisioned_people.get(unit, scim_person_id)
    if unchanged(_version(unit, person)):
        return Response(status=304)
    return _told(unit, person, Context.RESOURCE_QUERY_RESPONSE)


@scim_resource("PUT", "/Users/<scim_person_id>", Permission.PEOPLE_WRITE)
def replace_user(unit: Unit, scim_person_id: UUID) -> Response:
    """Make a person what was sent."""
    person = provisioned_people.get(unit, scim_person_id, held=True)
    require_version(_version(unit, person))
    given = User.model_validate(body(), scim_ctx=Context.RESOURCE_REPLACEMENT_REQUEST)
    provisioned_people.change(unit, person, _described(given))
    return _told(unit, person, Context.RESOURCE_REPLACEMENT_RESPONSE)


@scim_resource("PATCH", "/Users/<scim_person_id>", Permission.PEOPLE_WRITE)
def patch_user(unit: Unit, scim_person_id: UUID) -> Response:
    """Change parts of a person, all or none."""
    person = provisioned_people.get(unit, scim_person_id, held=True)
    present = _shown(unit, [person])[0]
    require_version(_tag(person, present.active is True))
    patch = PatchOp[User].model_validate(body(), scim_ctx=Context.RESOURCE_PATCH_REQUEST)
    if patch.patch(present):
        provisioned_people.change(unit, person, _described(present))
    return _told(unit, person, Context.RESOURCE_PATCH_RESPONSE)


@scim_resource("DELETE", "/Users/<scim_person_id>", Permission.PEOPLE_WRITE)
def delete_user(unit: Unit, scim_person_id: UUID) -> Response:
    """Forget a person; their membership ends."""
    person = provisioned_people.get(unit, scim_person_id, held=True)
    require_version(_version(unit, person))
    provisioned_people.remove(unit, person)
    return nothing()


def _described(given: User) -> Described:
    name = given.name
    return Described(
        user_name=given.user_name or "",
        active=given.active is not False,
        external_id=given.external_id,
        display_name=given.display_name,
        formatted=name.formatted if name else None,
        given_name=name.given_name if name else None,
        family_name=name.family_name if name else None,
        emails=tuple(
            Email(each.value, each.type, each.primary, each.display) for each in given.emails or () if each.value
        ),
    )


def _shown(unit: Unit, people: Sequence[ProvisionedPerson], *, groups: bool = True) -> list[User]:
    active = provisioned_people.members_among(unit, people)
    theirs = provisioned_people.groups_of(unit, [person.id for person in people]) if groups else {}
    return [_user(person, person.id in active, theirs.get(person.id, ())) for person in people]


def _user(person: ProvisionedPerson, active: bool, groups: Iterable[tuple[UUID, str]]) -> User:
    name = Name(formatted=person.formatted, given_name=person.given_name, family_name=person.family_name)
    rows = [
        GroupOfUser(value=str(group_id), ref=Reference(location_of("Groups", group_id)), display=label)
        for group_id, label in groups
    ]
    return User(
        id=str(person.id),
        external_id=person.external_id,
        user_name=person.user_name,
        display_name=person.display_name,
        name=name if name.formatted or name.given_name or name.family_name else None,
        active=active,
        emails=[EmailOfUser(**each) for each in person.emails] or None,
        groups=rows or None,
        meta=Meta(
            resource_type="User",
            created=person.created_at,
            last_modified=person.changed_at,
            location=location_of("Users", person.id),
            version=_tag(person, active),
        ),
    )


def _version(unit: Unit, person: ProvisionedPerson) -> str:
    return _tag(person, bool(provisioned_people.members_among(unit, [person])))


def _tag(person: ProvisionedPerson, active: bool) -> str:
    return f'W/"{person.version}.{int(active)}"'


def _told(unit: Unit, person: ProvisionedPerson, context: Context, status: int = 200) -> Response:
    chosen = parameters(User)
    shown = _shown(unit, [person], groups=not leaves_out(chosen, "groups"))[0]
    return tell(shown, chosen, context, status)
