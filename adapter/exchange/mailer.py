"""E-mail of the adapter's own: short, in plain words, and about nobody."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from email.message import EmailMessage

from adapter.exchange.config import SmtpTable
from adapter.plugin.errors import TransientError

SECONDS = 20


class SmtpMailer:
    """Hands e-mail to the server of `[smtp]`."""

    def __init__(self, settings: SmtpTable, password: str | None) -> None:
        self._settings = settings
        self._password = password

    async def send(self, recipient: str, subject: str, text: str, attachment: bytes) -> None:
        """Send with a FHIR Bundle beside it.

        Raises:
            TransientError: the server cannot be reached, or does not take it.
        """
        letter = EmailMessage()
        letter["From"] = self._settings.sender
        letter["To"] = recipient
        letter["Subject"] = subject
        letter.set_content(text)
        letter.add_attachment(
            attachment, maintype="application", subtype="fhir+json", filename="notification.json"
        )
        try:
            await asyncio.to_thread(self._hand_over, letter)
        except (OSError, smtplib.SMTPException) as error:
            raise TransientError(
                "smtp.not-taken",
                f"the e-mail was not taken: {type(error).__name__}",
                fix="Check [smtp] in adapter.toml.",
            ) from None

    def _hand_over(self, letter: EmailMessage) -> None:
        said = self._settings
        context = ssl.create_default_context()
        if said.tls == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                said.host, said.port, timeout=SECONDS, context=context
            )
        else:
            server = smtplib.SMTP(said.host, said.port, timeout=SECONDS)
        with server:
            if said.tls == "starttls":
                server.starttls(context=context)
            if said.user and self._password is not None:
                server.login(said.user, self._password)
            server.send_message(letter)
