"""Mail goes out over SMTP, at least once and recognisable when it comes twice."""

import smtplib
import socket
import ssl
import stat
from email.message import EmailMessage
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from app.core.settings import settings
from app.db.units import Units
from app.outbox.mailers import FolderTransport, SmtpTransport
from app.services import confirmations, mails
from tests.peers.authorities import Authority, Issue
from tests.peers.letters import Letters, text_of
from tests.peers.smtp import SmtpPeer
from tests.peers.tenants import Made, make_tenant
from tests.plugins.servers import Database
from tests.services.test_accounts import somewhere


@pytest.fixture(scope="module")
def authority() -> Authority:
    """An authority that our client trusts."""
    return Authority()


@pytest.fixture
def tenant(units: Units) -> Made:
    """A tenant whose owner is due a mail: the link that confirms the address."""
    return make_tenant(units, verified=False)


@pytest.fixture
def trusting(authority: Authority) -> ssl.SSLContext:
    """A client's context that trusts the authority."""
    return ssl.create_default_context(cadata=authority.roots)


def letter() -> EmailMessage:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = "Prüfung", "a@example.com", "b@example.com"
    message["Message-ID"] = "<one@example.com>"
    message.set_content("Grüße")
    return message


@pytest.mark.parametrize("implicit", [False, True])
def test_tls_and_password(authority: Authority, trusting: ssl.SSLContext, implicit: bool) -> None:
    """With STARTTLS and with TLS from the start the message arrives encrypted, after signing in."""
    with SmtpPeer(authority.context(), implicit=implicit, password=True) as peer:
        SmtpTransport(peer.url, context=trusting).deliver(letter())
    assert peer.over_tls == [True]
    assert peer.received[0]["Subject"] == "Prüfung"


def test_without_tls_no_password_is_sent() -> None:
    """A server that offers no TLS gets neither password nor message."""
    with SmtpPeer() as peer:
        with pytest.raises(smtplib.SMTPNotSupportedError):
            SmtpTransport(peer.url.replace("://", "://user:secret@")).deliver(letter())
        with pytest.raises(smtplib.SMTPNotSupportedError):
            SmtpTransport(peer.url + "?tls=required").deliver(letter())
        SmtpTransport(peer.url).deliver(letter())
    assert len(peer.received) == 1


def test_a_stranger_is_not_taken_for_the_server(authority: Authority, trusting: ssl.SSLContext) -> None:
    """A certificate that nobody trusts ends the delivery."""
    with SmtpPeer(authority.context(Issue(signer="stranger"))) as peer, pytest.raises(ssl.SSLCertVerificationError):
        SmtpTransport(peer.url, context=trusting).deliver(letter())
    assert peer.received == []


@pytest.mark.parametrize("url", ["http://mail.example", "smtp://", "mail.example:25"])
def test_another_url_is_refused(url: str) -> None:
    """SMTP_URL names its scheme and a host."""
    with pytest.raises(ValueError, match="SMTP_URL"):
        SmtpTransport(url)


def test_a_header_takes_no_line_break() -> None:
    """Even past our checks, an address with CR or LF makes no header."""
    with pytest.raises(ValueError, match=r"newline|linefeed|carriage|header"):
        letter()["Cc"] = "x@example.com\r\nBcc: all@example.com"


def due(database: Database, address: str) -> list[tuple[UUID, int, bool, str | None]]:
    with psycopg.connect(database.superuser) as outside:
        rows = outside.execute(
            "SELECT id, attempts, done_at IS NOT NULL, last_error FROM auth.mails WHERE recipient = %s ORDER BY id",
            [address],
        )
        return [(row[0], row[1], row[2], row[3]) for row in rows]


def hurry(database: Database, address: str) -> None:
    """Make the address's mails due now, as if time had passed; those that were sent too."""
    with psycopg.connect(database.superuser) as outside:
        outside.execute("UPDATE auth.mails SET due_at = now(), done_at = NULL WHERE recipient = %s", [address])


def test_a_server_that_is_away_is_tried_again(
    worker_units: Units, tenant: Made, tmp_path: Path, postgres_server: Database
) -> None:
    """A mail that could not go is due again later, and goes once the server is back."""
    with socket.socket() as nobody:  # holds the port, and does not listen
        nobody.bind(("127.0.0.1", 0))
        url = f"smtp://127.0.0.1:{nobody.getsockname()[1]}"
        Letters(worker_units, tmp_path, SmtpTransport(url)).send()
    assert [(done, why) for _, _, done, why in due(postgres_server, tenant.email)] == [
        (False, "ConnectionRefusedError")
    ]
    hurry(postgres_server, tenant.email)
    with SmtpPeer() as peer:
        Letters(worker_units, tmp_path, SmtpTransport(peer.url)).send()
    assert tenant.email in [message["To"] for message in peer.received]
    assert [(done, why) for _, _, done, why in due(postgres_server, tenant.email)] == [(True, None)]


def test_what_comes_twice_is_the_same_message(
    units: Units, worker_units: Units, tenant: Made, tmp_path: Path, postgres_server: Database
) -> None:
    """A second delivery has the same Message-ID and link, in text and HTML; a link that was used stays used."""
    with SmtpPeer() as peer:
        post = Letters(worker_units, tmp_path, SmtpTransport(peer.url))
        post.send()
        mail_id = due(postgres_server, tenant.email)[0][0]
        token = mails.mail_token(mail_id, settings())
        with units.identify() as door:
            confirmations.verify(door, token, tenant.password, origin=somewhere())
            door.commit()
        hurry(postgres_server, tenant.email)
        post.send()
    first, second = [message for message in peer.received if message["To"] == tenant.email]
    assert first["Message-ID"] == second["Message-ID"] == f"<{mail_id}@localhost>"
    for kind in ("plain", "html"):
        assert f"/verification/{token}" in text_of(first, kind)
        assert text_of(first, kind) == text_of(second, kind)
    with units.identify() as door, pytest.raises(confirmations.NotFound):
        confirmations.verify(door, token, tenant.password, origin=somewhere())


def test_a_recipient_that_is_refused_is_given_up(
    worker_units: Units, tenant: Made, tmp_path: Path, postgres_server: Database
) -> None:
    """A mailbox that does not exist is not asked again."""
    Letters(worker_units, tmp_path / "others").send()
    hurry(postgres_server, tenant.email)
    with SmtpPeer(refuse=["550 no such mailbox"]) as peer:
        Letters(worker_units, tmp_path, SmtpTransport(peer.url)).send()
    assert [(done, why) for _, _, done, why in due(postgres_server, tenant.email)] == [(True, "SMTPRecipientsRefused")]


def test_the_folder_is_its_owners_alone(tmp_path: Path) -> None:
    """Messages lie in files of mode 0600 in a folder of mode 0700; a second delivery replaces the first."""
    folder = tmp_path / "mail"
    for _ in range(2):
        FolderTransport(folder).deliver(letter())
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    (path,) = folder.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and path.name == "one.eml"
