"""The links: a secret of 256 bits for each request, of which only the hash is kept.

The token follows from the delivery's id, so that every attempt carries the same link. State keys:
``link|<hash>`` holds a `Link`; ``current|<fulfilment>`` the id of the delivery whose link is valid.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from adapter.plugin import Context

REMEMBER = timedelta(days=90)
"""How long an ended link is told from one that never was ("no longer works", "not found")."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What a token opens. `hash` is the SHA-256 of the token, in hex."""

    hash: str
    fulfilment: str
    reference: str
    recipient: str
    language: str
    expires: str
    state: Literal["open", "revoked"] = "open"

    def open_at(self, now: datetime) -> bool:
        """True if it still works."""
        return self.state == "open" and now < datetime.fromisoformat(self.expires)

    @property
    def actor(self) -> str:
        """How the journal and the audit name whoever uses it."""
        return f"link:{self.hash[:16]}"


def hashed(token: str) -> str:
    """The SHA-256 of a token, in hex."""
    return hashlib.sha256(token.encode()).hexdigest()


class Links:
    """The links of one site."""

    def __init__(self, context: Context, days: int) -> None:
        self.context = context
        self.days = days

    def token(self, delivery: str) -> str:
        """The token of a delivery: 43 characters of base64url."""
        secret = self.context.token(f"link|{delivery}")
        return base64.urlsafe_b64encode(secret).rstrip(b"=").decode()

    async def issue(
        self,
        delivery: str,
        *,
        created: datetime,
        fulfilment: str,
        reference: str,
        recipient: str,
        language: str,
    ) -> tuple[str, Link]:
        """Make the link of a delivery, once, and end the one before it."""
        token = self.token(delivery)
        made = Link(
            hash=hashed(token),
            fulfilment=fulfilment,
            reference=reference,
            recipient=recipient,
            language=language,
            expires=(created + timedelta(days=self.days)).isoformat(),
        )
        await self.context.state.add(f"link|{made.hash}", _kept(made), expires=_until(made))
        before = await self.context.state.get(f"current|{fulfilment}")
        if before != delivery.encode():
            if before is not None:
                await self._end(self.token(before.decode()))
            await self.context.state.put(
                f"current|{fulfilment}", delivery.encode(), expires=_until(made)
            )
        return token, made

    async def current(self, fulfilment: str) -> tuple[str, Link] | None:
        """The link of a fulfilment that works now."""
        delivery = await self.context.state.get(f"current|{fulfilment}")
        if delivery is None:
            return None
        token = self.token(delivery.decode())
        found = await self.find(token)
        return (token, found) if found and found.open_at(self.context.now()) else None

    async def find(self, token: str) -> Link | None:
        """What a token opens, or opened; None if it never existed."""
        if not 40 <= len(token) <= 50:
            return None
        kept = await self.context.state.get(f"link|{hashed(token)}")
        return Link(**json.loads(kept)) if kept else None

    async def revoke(self, fulfilment: str) -> None:
        """End the link of a fulfilment."""
        delivery = await self.context.state.get(f"current|{fulfilment}")
        if delivery is not None:
            await self._end(self.token(delivery.decode()))

    async def _end(self, token: str) -> None:
        found = await self.find(token)
        if found and found.state == "open":
            ended = replace(found, state="revoked")
            await self.context.state.put(f"link|{found.hash}", _kept(ended), expires=_until(ended))


def _kept(link: Link) -> bytes:
    return json.dumps(asdict(link)).encode()


def _until(link: Link) -> datetime:
    return datetime.fromisoformat(link.expires) + REMEMBER
