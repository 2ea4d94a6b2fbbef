"""A real SMTP server on loopback: with or without TLS and a password; it may refuse, as servers do."""

import ssl
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, cast

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from app.local.ports import free_port

USER, PASSWORD = "sentinel", "p@ss/word"


@dataclass
class SmtpPeer:
    """Serves within a `with` block; `received` is what arrived, `over_tls` whether each came encrypted."""

    tls: ssl.SSLContext | None = None
    implicit: bool = False
    password: bool = False
    refuse: list[str] = field(default_factory=list)
    received: list[EmailMessage] = field(default_factory=list)
    over_tls: list[bool] = field(default_factory=list)
    _controller: Controller | None = None

    @property
    def url(self) -> str:
        """The SMTP_URL of this server, with its password where it asks for one."""
        assert self._controller is not None
        secret = f"{USER}:p%40ss%2Fword@" if self.password else ""
        return f"{'smtps' if self.implicit else 'smtp'}://{secret}127.0.0.1:{self._controller.port}"

    def __enter__(self) -> "SmtpPeer":
        options: dict[str, Any] = {"hostname": "127.0.0.1", "port": free_port(), "enable_SMTPUTF8": True}
        if self.tls is not None and self.implicit:
            options["ssl_context"] = self.tls
        elif self.tls is not None:
            options.update(tls_context=self.tls, require_starttls=True)
        if self.password:
            options.update(authenticator=_knows, auth_required=True, auth_require_tls=not self.implicit)
        self._controller = Controller(self, **options)
        self._controller.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        assert self._controller is not None
        self._controller.stop()

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self.refuse:
            return self.refuse.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:
        content = cast(bytes, envelope.content)
        self.received.append(cast(EmailMessage, message_from_bytes(content, policy=policy.default)))
        self.over_tls.append(self.implicit or session.ssl is not None)
        return "250 OK"


def _knows(_server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any) -> AuthResult:
    good = isinstance(data, LoginPassword) and (data.login, data.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=good)
