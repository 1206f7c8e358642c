"""The whole agency side on loopback: a mail server, the link's door under uvicorn, the pages.

It runs in a thread of its own, so that a browser can be driven from the test. The exchange is the
one in memory (`memory_desk`); everything else is real.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Coroutine
from typing import Any

from memory_context import MemoryContext
from memory_desk import NOW, MemoryDesk
from starlette.applications import Starlette
from starlette.routing import Mount
from web_server import web_server

from adapter.plugin import Notice, Outbound
from adapter.portal.pages import Pages
from adapter_conformance.fakes.mail_server import MailServer
from adapter_link.config import LinkConfig
from adapter_link.system import Link


class Stage:
    """Start with `open`, end with `close`; in between, `deliver` and look at `mails`."""

    def __init__(self) -> None:
        self.desk = MemoryDesk()
        self.context = MemoryContext()
        self.context.pages = Pages()
        self.context.desk = self.desk
        self.room = MailServer()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),))
        self._end = asyncio.Event()

    def open(self) -> None:
        self._thread.start()
        assert self._ready.wait(10), "the stage did not start"

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)
        self._loop.close()

    def deliver(self, event: str = "request", *, number: int = 1, language: str = "en") -> str:
        """Deliver one event; gives the link of its mail."""
        message = Outbound(
            id=f"00000000-0000-7000-8000-{number:012d}",
            event=event,
            referral="referral-1",
            created=NOW,
            test=True,
            notice=Notice(
                reference="rx-7f3a2c",
                fulfilment="work-1",
                program="Thursday Garden Club",
                reply_by=self.desk.reply_by,
                language=language,
            ),
        )
        self._wait(self.link.deliver(message))
        found = re.search(r"http://\S+", self.text())
        return found.group() if found else ""

    def text(self) -> str:
        """The plain text of the newest mail."""
        part = self.room.mails[-1].get_body(("plain",))
        assert part is not None
        return str(part.get_content())

    def code(self) -> str:
        """The code in the newest mail."""
        found = re.search(r"^(\d{6})\r?$", self.text(), re.MULTILINE)
        assert found, "the newest mail carries no code"
        return found.group(1)

    def _wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _run(self) -> None:
        async with self.room:
            settings = LinkConfig(
                smtp_host="127.0.0.1",
                smtp_port=self.room.port,
                smtp_tls="none",
                sender="Rideau Test Clinic <referrals@clinic.example>",
                recipient="intake@agency.example",
            )
            self.link = Link(settings, self.context)
            [endpoint] = self.link.endpoints()
            app = Starlette(routes=[Mount("/sites/agency", endpoint.app)])
            async with web_server(app) as web:
                self.context.base = f"http://127.0.0.1:{web}/sites/agency/"
                self._ready.set()
                await self._end.wait()
