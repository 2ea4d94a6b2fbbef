"""The service against scim2-tester, which creates, reads, changes and deletes whatever the schemas allow."""

from typing import Annotated

import pytest
from flask import Flask
from scim2_client.engines.wsgi import WSGISCIMClient
from scim2_models import Required, ScimProvider
from scim2_tester import Status, check_server

from app.api.scim import schemas
from app.core.settings import settings
from app.services import provisioned_people
from tests.peers.directories import Directory


class Email(schemas.Email):
    """An address that is one."""

    value: Annotated[str | None, Required.true] = None


class User(schemas.User):
    """A user as the tester must make one: with an address, since a member has one, and never without a state."""

    __schema__ = schemas.User.__schema__

    active: Annotated[bool | None, Required.true] = None
    emails: Annotated[list[Email] | None, Required.true] = None


def test_scim2_tester_finds_nothing(directory: Directory, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every check of scim2-tester passes; its random addresses count as proven here."""
    monkeypatch.setattr(provisioned_people, "in_proven_domain", lambda _unit, _address: True)
    client = WSGISCIMClient(
        app,
        base_url=f"{settings().base_url}/scim/v2",
        headers={"Authorization": f"Bearer {directory.secret}"},
        provider=ScimProvider(models=[User, schemas.Group]),
    )
    results = check_server(client)
    wrong = [
        (one.title, one.resource_type, one.status.name, one.reason)
        for one in results
        if one.status not in (Status.SUCCESS, Status.COMPLIANT, Status.ACCEPTABLE)
        and not (one.status is Status.SKIPPED and "several resource types" in (one.reason or ""))
    ]
    assert not wrong, "\n".join(str(one) for one in wrong)
    assert len(results) >= 40
