"""The session of a visitor who passed the second factor: a random cookie, of which a hash is kept.

It ends after a time without use, and with its link. The token against forged forms follows from
the cookie, so a page that was shown before the session ended still proves where it came from.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime, timedelta

from adapter.plugin import Context

COOKIE = "visit"


class Sessions:
    """The sessions of one site."""

    def __init__(self, context: Context, minutes: int) -> None:
        self.context = context
        self.life = timedelta(minutes=minutes)

    async def start(self, link: str) -> str:
        """A new session for a link (by its hash); returns the cookie's value."""
        cookie = base64.urlsafe_b64encode(self.context.random(32)).rstrip(b"=").decode()
        await self._keep(cookie, link)
        return cookie

    async def valid(self, cookie: str | None, link: str) -> bool:
        """True if this cookie is a session of this link; using it keeps it alive."""
        if not cookie:
            return False
        kept = await self.context.state.get(_key(cookie))
        if kept is None:
            return False
        since, _, owner = kept.decode().partition("|")
        if not hmac.compare_digest(owner, link):
            return False
        if self.context.now() - datetime.fromisoformat(since) > self.life / 4:
            await self._keep(cookie, link)
        return True

    def csrf(self, cookie: str) -> str:
        """The token that the forms of this session carry."""
        key = self.context.token("csrf")
        return hmac.new(key, cookie.encode(), hashlib.sha256).hexdigest()

    def genuine(self, cookie: str | None, csrf: str) -> bool:
        """True if a form with this token was shown to the holder of this cookie."""
        return bool(cookie) and hmac.compare_digest(
            self.csrf(cookie or "").encode(), csrf.encode("utf-8", "replace")
        )

    async def _keep(self, cookie: str, link: str) -> None:
        now = self.context.now()
        await self.context.state.put(
            _key(cookie), f"{now.isoformat()}|{link}".encode(), expires=now + self.life
        )


def _key(cookie: str) -> str:
    return f"session|{hashlib.sha256(cookie.encode()).hexdigest()}"
