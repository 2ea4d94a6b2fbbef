"""The staff by command: `sentinel staff …`, with the platform's login."""

import json

import click

from app.core.settings import settings
from app.db import staff as directory
from app.platform.terminal import HERE, door, json_too, named, show
from app.services import staff as services


@click.group()
def staff() -> None:
    """Who operates this installation."""


@staff.command()
@click.argument("email")
@named
@json_too
def invite(email: str, who: str, reason: str, as_json: bool) -> None:
    """Print a one-use link that makes EMAIL a member of staff, or sets their password and factor anew."""
    with door() as opened:
        token = services.invite(opened, email, by=services.inviter(opened, who), reason=reason, origin=HERE)
        opened.commit()
    link = f"{(settings().platform_base_url or settings().base_url).rstrip('/')}/welcome/{token}"
    click.echo(json.dumps({"email": email, "link": link}) if as_json else link)
    click.echo("It works once, within 24 hours.", err=True)


@staff.command("list")
@json_too
def list_staff(as_json: bool) -> None:
    """List the members of staff."""
    with door() as opened:
        rows = directory.list_staff(opened.session)
    show(rows, ("email", "name", "created_at", "used_at", "disabled_at"), as_json=as_json)


@staff.command()
@click.argument("email")
@named
@json_too
def disable(email: str, who: str, reason: str, as_json: bool) -> None:
    """Let EMAIL in no more, and end their sessions."""
    with door() as opened:
        services.disable(opened, email, by=services.named(opened, who).email, reason=reason, origin=HERE)
        opened.commit()
    click.echo(json.dumps({"email": email, "outcome": "disabled"}) if as_json else "disabled")
