"""The system `link`: tells an agency by mail that something waits, and lets it in by a link."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import cast
from urllib.parse import urlsplit

from adapter.plugin import (
    FULL,
    Capabilities,
    Check,
    ConfigError,
    Context,
    DataError,
    Delivered,
    HttpEndpoint,
    Listener,
    Notice,
    Outbound,
    System,
    SystemConfig,
)
from adapter.plugin.errors import AdapterError
from adapter_link.codes import Codes
from adapter_link.config import LinkConfig, is_address, is_loopback
from adapter_link.door import Door
from adapter_link.links import Link as SecureLink
from adapter_link.links import Links
from adapter_link.mails import LANGUAGES, Envelope, compose, day
from adapter_link.sessions import Sessions
from adapter_link.smtp import Post

EVENTS = ("request", "modify", "note", "status-request", "cancel")


class Link(System):
    """One agency that reads its mail and has no software of its own."""

    name = "link"
    Config = LinkConfig
    capabilities = Capabilities(
        receives=FULL,
        delivers=FULL,
        acts=FULL,
        outbound_format=None,
        outbound_kinds=dict.fromkeys(EVENTS, ""),
    )

    def __init__(self, config: SystemConfig, context: Context) -> None:
        super().__init__(config, context)
        self.settings = cast(LinkConfig, config)
        self.links = Links(context, self.settings.link_days)
        self.post = Post(self.settings)
        self.door = Door(
            settings=self.settings,
            context=context,
            links=self.links,
            codes=Codes(context),
            sessions=Sessions(context, self.settings.session_minutes),
            post=self.post,
        )

    def endpoints(self) -> Sequence[Listener | HttpEndpoint]:
        """The pages behind the links."""
        return [HttpEndpoint(self.door.app)]

    async def check(self) -> list[Check]:
        """Look at our own address, and say EHLO to the mail server; no mail is sent."""
        return [self._check_address(), await self._check_mail()]

    def _check_address(self) -> Check:
        try:
            self._address("x")
        except ConfigError as error:
            return Check(name="address", state="fail", detail=str(error), fix=error.fix)
        return Check(name="address", state="ok", detail=self.context.url(""))

    async def _check_mail(self) -> Check:
        try:
            await self.post.greet()
        except AdapterError as error:
            return Check(name="smtp", state="fail", detail=str(error), fix=error.fix)
        where = f"{self.settings.smtp_host}:{self.settings.smtp_port}"
        return Check(name="smtp", state="ok", detail=f"{where} answers ({self.settings.smtp_tls})")

    async def deliver(self, message: Outbound) -> Delivered:
        """Mail the agency that something waits, changed, or was cancelled.

        Raises:
            DataError: nothing may be said (no notice), nobody can be told, or the server will not
                take the mail. ConfigError: nobody is named who could be told. TransientError,
                AuthError: as `Post.send`.
        """
        notice = message.notice
        if notice is None or message.event not in EVENTS:
            raise DataError(
                "link.nothing-to-say",
                f"A delivery of the event {message.event!r} has nothing that may be said by mail.",
                fix="Discard this delivery.",
            )
        recipient = self._recipient(notice)
        language = self._language(notice)
        values: dict[str, str | None] = {
            "reference": notice.reference,
            "program": notice.program,
            "reply_by": self._day(notice, language),
        }
        if message.event == "cancel":
            await self.links.revoke(notice.fulfilment)
        else:
            token, link = await self._link(message, notice, recipient, language)
            values["link"] = self._address(token)
            values["expires"] = day(_expiry(link, self.context), language)
        domain = self.settings.sender_address.rpartition("@")[2]
        message_id = f"<{message.id}@{domain}>"
        mail = compose(
            message.event,
            language,
            values,
            Envelope(
                sender=self.settings.sender,
                recipient=recipient,
                message_id=message_id,
                date=self.context.now(),
            ),
            urgent=notice.urgent and message.event != "cancel",
            test=message.test,
        )
        await self.post.send(mail, recipient)
        self.context.log.info("link.mailed", outbound=message.event, reference=notice.reference)
        return Delivered(external_ids={"message-id": message_id})

    async def _link(
        self, message: Outbound, notice: Notice, recipient: str, language: str
    ) -> tuple[str, SecureLink]:
        """The link that the agency has already, or a new one for a new request."""
        if message.event != "request":
            current = await self.links.current(notice.fulfilment)
            if current is not None:
                return current
        return await self.links.issue(
            message.id,
            created=message.created,
            fulfilment=notice.fulfilment,
            reference=notice.reference,
            recipient=recipient,
            language=language,
        )

    def _address(self, token: str) -> str:
        """The address of a link. Outside a test it is never one that others could listen to."""
        address = self.context.url(self.door.path(token))
        parts = urlsplit(address)
        if parts.scheme != "https" and not (
            self.context.site.test or is_loopback(parts.hostname or "")
        ):
            raise ConfigError(
                "link.plain-http",
                "The adapter's own address is plain http, so that others could read the referral.",
                fix="Put it behind a reverse proxy with https, and set that address as its own.",
            )
        return address

    def _recipient(self, notice: Notice) -> str:
        recipient = notice.recipient_email or self.settings.recipient
        if not recipient:
            raise ConfigError(
                "link.no-recipient",
                "Nobody is named who could be told: neither the directory nor the site says where.",
                fix='Set recipient = "…" for this site, or the program\'s e-mail in the directory.',
            )
        if not is_address(recipient):
            raise DataError(
                "link.recipient-invalid",
                "The agency's e-mail address in the directory is not valid.",
                fix="Correct the program's e-mail address in the directory, and send again.",
            )
        return recipient

    def _language(self, notice: Notice) -> str:
        wanted = self.settings.language or notice.language
        return wanted if wanted in LANGUAGES else self.context.site.language

    def _day(self, notice: Notice, language: str) -> str | None:
        if notice.reply_by is None:
            return None
        return day(notice.reply_by.astimezone(self.context.site.timezone), language)


def _expiry(link: SecureLink, context: Context) -> datetime:
    return datetime.fromisoformat(link.expires).astimezone(context.site.timezone)
