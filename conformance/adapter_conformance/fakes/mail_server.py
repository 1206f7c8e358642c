"""A fake mail server on loopback: a real SMTP server (aiosmtpd) that keeps what it takes.

::

    async with MailServer() as mail:
        mail.fail_next("greylisted", "lost-answer")   # the next two connections
        ...                                           # send to 127.0.0.1, mail.port
        assert mail.mails[0]["Subject"] == "A referral is waiting for you"
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, Literal

from aiosmtpd.smtp import MISSING, SMTP, AuthResult, LoginPassword

from adapter_conformance.fakes.on_socket import Closable, OnSocket

FAULTS = {
    "hang-up": "it closes the connection before it says anything",
    "busy": "421 instead of a greeting, and it closes",
    "nonsense": "it greets like a web server",
    "login-refused": "535 to the login, and to a sender who does not log in",
    "login-required": "530 to a sender",
    "unavailable": "451 to a sender",
    "sender-refused": "550 to a sender",
    "greylisted": "450 to a recipient",
    "unknown-recipient": "550 to a recipient",
    "full-disk": "452 after the mail; not kept",
    "refused": "554 after the mail; not kept",
    "cut-off": "it closes after the mail instead of answering; not kept",
    "lost-answer": "it keeps the mail and closes instead of answering",
    "slow": "it keeps the mail and answers after `slow_seconds`",
}
_OPENINGS = {
    "hang-up": b"",
    "busy": b"421 4.3.2 mail.kit.example is closing\r\n",
    "nonsense": b"HTTP/1.1 400 Bad Request\r\n\r\n<html>Bad request</html>",
}
_REPLIES = {
    ("login-refused", "MAIL"): "535 5.7.8",
    ("login-required", "MAIL"): "530 5.7.0",
    ("unavailable", "MAIL"): "451 4.3.0",
    ("sender-refused", "MAIL"): "550 5.7.1",
    ("greylisted", "RCPT"): "450 4.2.1",
    ("unknown-recipient", "RCPT"): "550 5.1.1",
    ("full-disk", "DATA"): "452 4.3.1",
    ("refused", "DATA"): "554 5.7.1",
}
"""RFC 5321, 4.2.3, and RFC 3463 for the second number."""
TEXT = "SECRET-TEXT of Synthetic Person"


class MailServer(OnSocket):
    """It takes every mail, and lets in everybody unless it has a `login`.

    Attributes:
        faults: what it does wrong; names are in `FAULTS`.
        port: where it listens on 127.0.0.1.
        raw: what it took, byte for byte; `mails` is the same, read.
        senders, recipients: the envelope of each.
        commands: what clients said, by its first word.
        slow_seconds: how long the fault ``slow`` takes.
        text: what follows the numbers of a refusal; nobody may repeat it.
        heard: is told each mail that came, kept or not.

    Args:
        tls: its side of TLS, with a certificate (`fakes.certificates`).
        mode: whether TLS is there not at all, at once, or after STARTTLS, which it then requires.
        login: user name and password that it requires.
    """

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        mode: Literal["none", "tls", "starttls"] = "none",
        login: tuple[str, str] | None = None,
    ) -> None:
        super().__init__(FAULTS)
        self.raw: list[bytes] = []
        self.senders: list[str] = []
        self.recipients: list[list[str]] = []
        self.commands: list[str] = []
        self.slow_seconds = 1.0
        self.text = TEXT
        self.heard: Callable[[bytes], None] = lambda mail: None
        self._tls, self._mode, self._login = tls, mode, login
        self._talks: list[SMTP] = []

    @property
    def mails(self) -> list[EmailMessage]:
        """What it took, in order."""
        return [message_from_bytes(each, policy=policy.default) for each in self.raw]

    @property
    def wants_login(self) -> bool:
        """Whether a sender must have logged in."""
        return self._login is not None

    async def listen(self, listening: socket.socket) -> Closable:
        """Take connections from a socket."""
        return await asyncio.get_running_loop().create_server(
            self._talk, sock=listening, ssl=self._tls if self._mode == "tls" else None
        )

    def hang_up(self) -> None:
        """Close every connection."""
        for each in self._talks:
            if each.transport is not None:
                each.transport.close()
        self._talks.clear()

    def _talk(self) -> asyncio.Protocol:
        own = self.faults.taken()
        if (opening := _OPENINGS.get(own or self.faults.always or "")) is not None:
            return _Opening(opening)
        later = self._mode == "starttls"
        made = SMTP(
            _Talk(self, own),
            hostname="mail.kit.example",
            loop=asyncio.get_running_loop(),
            tls_context=self._tls if later else None,
            require_starttls=later,
            authenticator=self._lets_in if self._login else None,
            auth_require_tls=later,
        )
        self._talks = [each for each in self._talks if each.transport is not None]
        self._talks.append(made)
        return made

    def _lets_in(self, server: Any, session: Any, *said: Any) -> AuthResult:
        data = said[-1]
        right = isinstance(data, LoginPassword) and self._login == (
            data.login.decode(),
            data.password.decode(),
        )
        return AuthResult(success=right, handled=right)


class _Opening(asyncio.Protocol):
    """One that says this, and closes."""

    def __init__(self, words: bytes) -> None:
        self._words = words

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(self._words)
        transport.close()


class _Talk:
    """The handler of one connection (aiosmtpd names the methods)."""

    def __init__(self, server: MailServer, own: str | None) -> None:
        self._server = server
        self._own = own

    async def handle_EHLO(  # noqa: N802
        self, server: Any, session: Any, envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        self._server.commands.append("EHLO")
        return responses

    async def handle_AUTH(  # noqa: N802
        self, server: Any, session: Any, envelope: Any, args: list[str]
    ) -> Any:
        self._server.commands.append("AUTH")
        if self._fault == "login-refused":
            return f"{_REPLIES['login-refused', 'MAIL']} {self._server.text}"
        return MISSING

    async def handle_MAIL(  # noqa: N802
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        reply = self._reply("MAIL")
        if self._server.wants_login and not session.authenticated:
            return f"530 5.7.0 {self._server.text}"
        if reply.startswith("2"):
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return reply

    async def handle_RCPT(  # noqa: N802
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        reply = self._reply("RCPT")
        if reply.startswith("2"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        whole, fault = self._server, self._fault
        whole.heard(envelope.content)
        reply = self._reply("DATA")
        if reply.startswith("2") and fault != "cut-off":
            whole.raw.append(envelope.content)
            whole.senders.append(envelope.mail_from)
            whole.recipients.append(list(envelope.rcpt_tos))
        if fault in ("cut-off", "lost-answer"):
            server.transport.abort()
        if fault == "slow":
            await asyncio.sleep(whole.slow_seconds)
        return reply

    @property
    def _fault(self) -> str | None:
        return self._own or self._server.faults.always

    def _reply(self, command: str) -> str:
        self._server.commands.append(command)
        code = _REPLIES.get((self._fault or "", command))
        return f"{code} {self._server.text}" if code else "250 2.0.0 OK"
