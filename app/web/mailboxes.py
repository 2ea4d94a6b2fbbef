"""The mail of a development installation, which goes into a folder and not out. Elsewhere there is no such page."""

from datetime import datetime
from email import policy
from email.parser import BytesParser
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import SimpleNamespace
from uuid import UUID

from flask import Blueprint, render_template

from app.core.errors import NotFound
from app.serving.runtimes import runtime
from app.web.routing import Doorway, public_page

blueprint = Blueprint("mailboxes", __name__)
SHOWN = 100


@public_page(blueprint, "/mailbox")
def index(_door: Doorway) -> str:
    """List the newest messages."""
    found = sorted(_folder().glob("[!.]*.eml"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    return render_template("mailboxes/index.html", rows=[_read(path) for path in found[:SHOWN]])


@public_page(blueprint, "/mailbox/<uuid:mail_id>")
def show(_door: Doorway, mail_id: UUID) -> str:
    """Show one message as text, with its links."""
    path = _folder() / f"{mail_id}.eml"
    if not path.is_file():
        raise NotFound()
    return render_template("mailboxes/show.html", mail=_read(path))


def _folder() -> Path:
    given = runtime().settings
    if given.local_mail_dir is None or not given.demonstration:
        raise NotFound()
    return given.local_mail_dir


def _read(path: Path) -> SimpleNamespace:
    message = BytesParser(policy=policy.default).parsebytes(path.read_bytes())
    body = message.get_body(("plain",))
    at: datetime = parsedate_to_datetime(str(message["Date"]))
    text = body.get_content() if body else ""
    return SimpleNamespace(id=path.stem, subject=str(message["Subject"]), to=str(message["To"]), at=at, text=text)
