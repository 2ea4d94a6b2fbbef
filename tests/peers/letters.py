"""The mail of a test: sends what is due into a folder, and reads it as its recipient would."""

import functools
import re
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path

from app.core.settings import settings
from app.db.units import Units
from app.outbox.mailers import FolderTransport, Mailer, Transport
from app.services import mails

LINK = re.compile(r"https?://[^\s/]+(/[a-z-]+/[A-Za-z0-9_-]{43})\b")


class Letters:
    """A mailer that is asked to run, and what it delivered."""

    def __init__(self, units: Units, folder: Path, transport: Transport | None = None) -> None:
        self.folder = folder
        compose = functools.partial(mails.compose, settings=settings())
        self.mailer = Mailer(units, transport or FolderTransport(folder), compose)

    def send(self) -> None:
        """Send all that is due."""
        while self.mailer.run_once():
            pass

    def to(self, address: str) -> list[EmailMessage]:
        """Send what is due, and return what this address got, oldest first."""
        self.send()
        paths = sorted(self.folder.glob("*.eml"))
        found = [BytesParser(policy=policy.default).parsebytes(path.read_bytes()) for path in paths]
        return [message for message in found if message["To"] == address]

    def last(self, address: str) -> EmailMessage:
        """Return the newest message to this address."""
        return self.to(address)[-1]

    def link(self, address: str) -> str:
        """Return the path of the link in the newest message that has one."""
        for message in reversed(self.to(address)):
            if found := LINK.search(text_of(message)):
                return found.group(1)
        raise AssertionError(f"no link for {address}")


def text_of(message: EmailMessage, kind: str = "plain") -> str:
    """Return the message's part for text or HTML."""
    body = message.get_body((kind,))
    assert body is not None
    content: str = body.get_content()
    return content
