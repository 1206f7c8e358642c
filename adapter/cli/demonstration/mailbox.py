"""A real SMTP server on loopback: the agency's mail, kept in memory and handed on as it comes."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from adapter.plugin.errors import TransientError

LINK = re.compile(r"https?://[^\s<>\"]+")
CODE = re.compile(r"(?<![\w-])(\d{6,8})(?![\w-])")


class Mailbox:
    """Takes mail for anybody, as an aiosmtpd handler."""

    def __init__(self) -> None:
        self.port = 0
        self.letters: list[EmailMessage] = []
        self._news = asyncio.Condition()
        self._server: asyncio.Server | None = None

    async def open(self, port: int = 0) -> None:
        """Listen on loopback; 0 takes any free port."""
        from aiosmtpd.smtp import SMTP

        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: SMTP(self, hostname="agency.example", enable_SMTPUTF8=True),
            "127.0.0.1",
            port,
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening."""
        if self._server:
            self._server.close()

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        """Keep a letter (the name is aiosmtpd's)."""
        letter = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(letter, EmailMessage)
        async with self._news:
            self.letters.append(letter)
            self._news.notify_all()
        return "250 kept"

    async def wait_for(
        self, wanted: Callable[[EmailMessage], bool], after: int, patience: float = 20.0
    ) -> EmailMessage:
        """The first letter after the first `after` ones that is wanted.

        Raises:
            TransientError: none came within `patience` seconds.
        """

        def found() -> EmailMessage | None:
            return next((each for each in self.letters[after:] if wanted(each)), None)

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience), self._news:
                await self._news.wait_for(lambda: found() is not None)
        letter = found()
        if letter is None:
            raise TransientError(
                "demo.no-letter",
                f"no e-mail came for the agency in {patience:.0f} s",
                fix="See the service's log; on a busy machine run the demo again.",
            )
        return letter


def text_of(letter: EmailMessage) -> str:
    """What the letter says, as plain text."""
    body = letter.get_body(("plain",))
    return str(body.get_content()) if body else ""


def link_in(letter: EmailMessage) -> str | None:
    """The first web address in a letter."""
    found = LINK.search(text_of(letter))
    return found.group(0).rstrip(".,)") if found else None


def code_in(letter: EmailMessage) -> str | None:
    """The one-time code in a letter."""
    without_links = LINK.sub("", text_of(letter))
    found = CODE.search(without_links)
    return found.group(1) if found else None
