"""The second factor: a code of six digits by mail, for ten minutes and five tries.

Tries and sends are counted with `State.add` on numbered keys, so that two requests at the same
moment cannot share one count.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from adapter.plugin import Context

MINUTES = 10
TRIES = 5
SENDS: tuple[tuple[int, timedelta], ...] = ((3, timedelta(minutes=15)), (10, timedelta(days=1)))
"""How many codes may be sent for one link in how long: with five tries each, a guesser who has the
link for 14 days hits one of a million codes with a chance below one in a thousand."""

Verdict = Literal["right", "wrong", "expired", "spent"]


@dataclass(frozen=True, slots=True)
class TooSoon:
    """No more codes for now; wait so many seconds."""

    seconds: int


class Codes:
    """The codes of one site, by the hash of the link that they open."""

    def __init__(self, context: Context) -> None:
        self.context = context

    async def make(self, link: str) -> str | TooSoon:
        """A new code, which replaces the one before; or `TooSoon`."""
        now = self.context.now()
        for most, window in SENDS:
            if not await self._take(f"send|{link}|{window.total_seconds():.0f}", most, window):
                return TooSoon(int(min(window, timedelta(minutes=15)).total_seconds()))
        code = f"{int.from_bytes(self.context.random(8), 'big') % 1_000_000:06d}"
        batch = self.context.random(8).hex()
        kept = {"batch": batch, "digest": self._digest(link, batch, code)}
        await self.context.state.put(
            f"code|{link}", json.dumps(kept).encode(), expires=now + timedelta(minutes=MINUTES)
        )
        return code

    async def check(self, link: str, typed: str) -> Verdict:
        """Hold a typed code against the one that was sent; a right one is used up."""
        kept = await self.context.state.get(f"code|{link}")
        if kept is None:
            return "expired"
        known = json.loads(kept)
        batch = known["batch"]
        if not await self._take(f"try|{link}|{batch}", TRIES, timedelta(minutes=MINUTES)):
            return "spent"
        digits = "".join(each for each in typed[:40] if each in "0123456789")
        if not hmac.compare_digest(self._digest(link, batch, digits), known["digest"]):
            return "wrong"
        await self.context.state.delete(f"code|{link}")
        return "right"

    async def _take(self, key: str, most: int, window: timedelta) -> bool:
        """Take the next of `most` places that are free again after `window`."""
        expires = self.context.now() + window
        for number in range(most):
            if await self.context.state.add(f"{key}|{number}", b"1", expires=expires):
                return True
        return False

    def _digest(self, link: str, batch: str, code: str) -> str:
        """A keyed hash: six digits alone would be guessed from a plain one."""
        key = self.context.token("code")
        return hmac.new(key, f"{link}|{batch}|{code}".encode(), hashlib.sha256).hexdigest()
