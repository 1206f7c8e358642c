"""Sending over SMTP, and what each failure means for the delivery."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage

import aiosmtplib
from aiosmtplib import errors

from adapter.plugin import AdapterError, AuthError, ConfigError, DataError, TransientError
from adapter_link.config import LinkConfig

_LOGIN_REFUSED = (530, 534, 535, 538)


class Post:
    """The mail server of one site; a new connection for each mail."""

    def __init__(self, config: LinkConfig) -> None:
        self.config = config

    async def send(self, message: EmailMessage, recipient: str) -> None:
        """Hand one mail to the server; it is the server's when this returns.

        Raises:
            TransientError: the server cannot be reached, or says to come back later (4xx).
            AuthError: the login was refused.
            DataError: the server will not take this mail (5xx).
            ConfigError: the server does not offer what the settings ask for.
        """
        async with self._conversation(login=True) as client:
            await client.send_message(
                message, sender=self.config.sender_address, recipients=[recipient]
            )

    async def greet(self) -> str:
        """Say EHLO and good-bye; returns what the server says that it can do."""
        async with self._conversation(login=False) as client:
            await client.ehlo()
            return ", ".join(sorted(client.esmtp_extensions))

    @asynccontextmanager
    async def _conversation(self, *, login: bool) -> AsyncIterator[aiosmtplib.SMTP]:
        config = self.config
        client = aiosmtplib.SMTP(
            hostname=config.smtp_host,
            port=config.smtp_port,
            timeout=config.smtp_timeout,
            use_tls=config.smtp_tls == "tls",
            start_tls=config.smtp_tls == "starttls",
            cert_bundle=str(config.smtp_ca_file) if config.smtp_ca_file else None,
            username=config.smtp_username if login else None,
            password=(
                config.smtp_password.get_secret_value() if login and config.smtp_password else None
            ),
        )
        client.local_hostname = await _own_name()
        try:
            async with client:
                yield client
        except (errors.SMTPException, OSError, ValueError) as error:
            raise classed(error) from error


_named: list[str] = []


async def _own_name() -> str:
    """What this machine calls itself in EHLO (RFC 5321 4.1.1.1), looked up once: the library would
    ask the name servers anew for each mail, and wait when they do not answer."""
    if not _named:
        _named.append(await asyncio.to_thread(socket.getfqdn))
    return _named[0]


def classed(error: Exception) -> AdapterError:
    """The error of ours that a failure of the conversation is (RFC 5321 4.2.1)."""
    if isinstance(error, errors.SMTPRecipientsRefused):
        codes = [each.code for each in error.recipients]
        return _by_code(min(codes, default=0), "link.recipient-refused", error)
    if isinstance(error, ssl.SSLCertVerificationError):
        return TransientError(
            "link.smtp-certificate",
            "The mail server's certificate is not from an authority that is trusted here.",
            fix="Set smtp_ca_file to the authority's PEM file, or renew the server's certificate.",
        )
    if isinstance(error, errors.SMTPNotSupported) or type(error) is errors.SMTPException:
        return ConfigError(
            "link.smtp-not-supported",
            "The mail server does not offer what the settings ask for (STARTTLS or login).",
            fix="Compare smtp_tls, smtp_port and smtp_username with what the mail server offers.",
            detail=_said(error),
        )
    if isinstance(error, errors.SMTPResponseException):
        return _by_code(error.code, "link.smtp-refused", error)
    if isinstance(error, ValueError) and not isinstance(error, OSError):
        return DataError(
            "link.mail-invalid",
            "The mail cannot be built: an address or a header is not valid.",
            fix="Correct the e-mail address of the agency in the directory.",
        )
    return TransientError(
        "link.smtp-unreachable",
        "The mail server cannot be reached.",
        fix="Check smtp_host, smtp_port and smtp_tls, and that the server is up.",
        detail=type(error).__name__,
    )


def _by_code(code: int, word: str, error: Exception) -> AdapterError:
    if code in _LOGIN_REFUSED:
        return AuthError(
            "link.smtp-login",
            f"The mail server refused the login ({code}).",
            fix="Correct smtp_username and smtp_password.",
            detail=_said(error),
        )
    if 500 <= code < 600:
        return DataError(
            word,
            f"The mail server will not take this mail ({code}).",
            fix="Check the agency's e-mail address and that the sender may send to it.",
            detail=_said(error),
        )
    return TransientError(
        "link.smtp-later",
        f"The mail server says to come back later ({code}).",
        fix="Nothing to do now; it is tried again. If it stays so, ask who runs the mail server.",
        detail=_said(error),
    )


def _said(error: Exception) -> str:
    """The kind of failure; a server's own words may repeat an address, so they are left out."""
    code = getattr(error, "code", "")
    return f"{type(error).__name__} {code}".strip()
