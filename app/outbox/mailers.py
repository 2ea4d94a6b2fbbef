"""Sending mail: over SMTP or into a folder, and the loop in the worker that sends what is due, at least once."""

import os
import smtplib
import ssl
import threading
from collections.abc import Callable
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.db import factors, people
from app.db.people import DueMail
from app.db.units import Doorway, Units

log = structlog.get_logger(__name__)
LEASE = timedelta(minutes=5)
AT_ONCE = 5
TRIES = 14
MOST_BACKOFF = timedelta(hours=1)
SWEEP_SECONDS = 600.0


class Transport(Protocol):
    """Takes a message to its recipient. Raises OSError or smtplib.SMTPException where it cannot now."""

    def deliver(self, message: EmailMessage) -> None: ...


class SmtpTransport:
    """SMTP: `smtps://` speaks TLS from the start; `smtp://` changes to TLS where the server offers it.

    A password is never sent, and with `?tls=required` nothing is, over a connection without TLS.
    """

    def __init__(self, url: str, *, context: ssl.SSLContext | None = None, seconds: float = 10.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise ValueError("SMTP_URL begins with smtp:// or smtps:// and names a host")
        self._implicit = parts.scheme == "smtps"
        self._host, self._port = parts.hostname, parts.port or (465 if self._implicit else 587)
        self._user = unquote(parts.username) if parts.username else None
        self._password = unquote(parts.password or "")
        self._tls_required = parts.query == "tls=required" or self._user is not None
        self._context = context or ssl.create_default_context()
        self._seconds = seconds

    def deliver(self, message: EmailMessage) -> None:
        """Hand the message to the server."""
        with self._connect() as server:
            if not self._implicit:
                server.ehlo()
                if server.has_extn("starttls"):
                    server.starttls(context=self._context)
                elif self._tls_required:
                    raise smtplib.SMTPNotSupportedError("the server offers no TLS")
            if self._user is not None:
                server.login(self._user, self._password)
            server.send_message(message)

    def _connect(self) -> smtplib.SMTP:
        if self._implicit:
            return smtplib.SMTP_SSL(self._host, self._port, timeout=self._seconds, context=self._context)
        return smtplib.SMTP(self._host, self._port, timeout=self._seconds)


class FolderTransport:
    """A folder of messages that only its owner reads: for development, where the console shows it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def deliver(self, message: EmailMessage) -> None:
        """Write the message under the name of its Message-ID, so that a second delivery changes nothing."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = str(message["Message-ID"]).strip("<>").partition("@")[0]
        unfinished = self._folder / f".{name}.{os.getpid()}"
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(message.as_bytes())
        unfinished.replace(self._folder / f"{name}.eml")


Compose = Callable[[Doorway, DueMail], EmailMessage | None]


class Mailer:
    """Runs in the worker; any number may run at once. A mail may go out twice, then with the same Message-ID."""

    def __init__(self, units: Units, transport: Transport, compose: Compose, *, poll_seconds: float = 1.0) -> None:
        self._units = units
        self._transport = transport
        self._compose = compose
        self._poll = poll_seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="mailer", daemon=True)

    def start(self) -> None:
        """Begin to send, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Take no more; return when what is being sent is sent, or after its time limit."""
        self._stop.set()
        self._thread.join(timeout=5)

    def run_once(self) -> int:
        """Send what is due in this thread; return how many mails were taken.

        Raises, once all were tried, what the database raised where the outcome of one could not be written down.
        """
        with self._units.identify() as door:
            due = people.claim_mails(door.session, AT_ONCE, LEASE)
            door.commit()
        away: SQLAlchemyError | None = None
        for mail in due:
            try:
                self._send(mail)
            except SQLAlchemyError as error:  # what comes of the next one is not this one's matter
                away = error
        if away is not None:
            raise away
        return len(due)

    def _loop(self) -> None:
        until_sweep = 0.0
        while not self._stop.is_set():
            try:
                if until_sweep <= 0:
                    self._sweep()
                    until_sweep = SWEEP_SECONDS
                if self.run_once() == 0:
                    self._stop.wait(self._poll)
                    until_sweep -= self._poll
            except Exception as error:  # whatever it is: without this loop no mail is sent any more
                log.warning("mailer.failed", error=type(error).__name__)
                self._stop.wait(self._poll)

    def _sweep(self) -> None:
        with self._units.identify() as door:
            people.sweep_accounts(door.session)
            factors.sweep_factors(door.session)
            door.commit()

    def _send(self, mail: DueMail) -> None:
        problem: str | None = None
        try:
            # The token's hash is kept before the mail that holds the token leaves.
            with self._units.identify() as door:
                message = self._compose(door, mail)
                door.commit()
            if message is not None:
                self._transport.deliver(message)
        except Exception as error:
            problem = type(error).__name__
            log.warning("mailer.not_sent", mail=str(mail.id), kind=mail.kind, attempt=mail.attempt, error=problem)
        with self._units.identify() as door:
            people.settle_mail(door.session, mail.id, again=_again(mail, problem), problem=problem)
            door.commit()


def _again(mail: DueMail, problem: str | None) -> timedelta | None:
    if problem is None or problem == "SMTPRecipientsRefused" or mail.attempt >= TRIES:
        return None
    return min(timedelta(seconds=2 ** min(mail.attempt, 12)), MOST_BACKOFF)
