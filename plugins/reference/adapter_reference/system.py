"""A peer with a small JSON API: messages both ways, moves, and what programs there are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, ClassVar

import orjson

from adapter.plugin import (
    FULL,
    AdapterError,
    Capabilities,
    Capacity,
    Check,
    Context,
    DataError,
    Delivered,
    HttpEndpoint,
    Inbound,
    ListedProgram,
    Listener,
    Outbound,
    System,
    SystemConfig,
    SystemFault,
)
from adapter_reference import programs
from adapter_reference.config import ReferenceConfig
from adapter_reference.door import Door
from adapter_reference.events import EVENTS
from adapter_reference.format import ReferenceFormat
from adapter_reference.quirks import ApiQuirks, quirks_from


class Reference(System):
    """One site whose peer speaks this JSON."""

    name = "reference"
    Config = ReferenceConfig
    capabilities = Capabilities(
        receives=FULL,
        polls=FULL,
        delivers=FULL,
        finds=FULL,
        acts=FULL,
        lists_programs=FULL,
        reports_capacity=FULL,
        outbound_format=ReferenceFormat.name,
        outbound_kinds=EVENTS,
    )
    format: ClassVar[ReferenceFormat] = ReferenceFormat()
    quirks: ClassVar[ApiQuirks] = ApiQuirks()
    config: ReferenceConfig

    @classmethod
    def adapted(cls, name: str, quirks: Mapping[str, Any]) -> type[System]:
        """A system of another name whose peer has other paths and words (level 0).

        Raises:
            ConfigError: the table says what we do not know.
        """
        made = quirks_from(ApiQuirks, quirks, name)
        return type(f"{cls.__name__}_{name}", (cls,), {"name": name, "quirks": made})

    def __init__(self, config: SystemConfig, context: Context) -> None:
        super().__init__(config, context)
        self._door = Door(context, self.config.max_bytes, self.format)

    def endpoints(self) -> Sequence[Listener | HttpEndpoint]:
        """POST messages here."""
        return [HttpEndpoint(self._door.app)]

    async def check(self) -> list[Check]:
        """Ask the peer how it is; it says so to those whom it lets in."""
        try:
            await self.context.http.get(self.quirks.status, route="/status")
        except AdapterError as error:
            return [Check(name="peer", state="fail", detail=error.message, fix=error.fix or _FIX)]
        return [Check(name="peer", state="ok", detail="the peer answers and lets us in")]

    async def deliver(self, message: Outbound) -> Delivered:
        """Hand over one message; the delivery's id makes a repetition harmless.

        Raises:
            AdapterError: as `adapter.plugin.http.Http` names them.
        """
        response = await self.context.http.post(
            self.quirks.messages,
            content=message.body,
            headers={
                "Content-Type": "application/json",
                self.quirks.idempotency_header: message.id,
            },
            idempotent=True,
            route="/messages",
        )
        return _delivered(_object(response.content))

    async def find(self, message: Outbound) -> Delivered | None:
        """What the peer has under this delivery's id."""
        response = await self.context.http.get(
            self.quirks.messages, params={self.quirks.key: message.id}, route="/messages"
        )
        items = _items(_object(response.content))
        return _delivered(items[0]) if items else None

    async def poll(self, cursor: str | None) -> AsyncIterator[tuple[Inbound, str]]:
        """Everything that the peer keeps for us after the cursor, page by page.

        A message that we cannot read is handed over all the same: the core sets it aside, and the
        others go on.
        """
        words = self.quirks
        params = {words.after: cursor or "", words.limit: str(self.config.page_size)}
        pages = self.context.http.pages(
            words.outbox,
            params=params,
            next_link=lambda page: _next(page.content),
            route="/outbox",
        )
        async for page in pages:
            for item in _items(_object(page.content)):
                if "message" not in item or not isinstance(item.get("cursor"), str | int):
                    raise _broken("has an item without a message or a cursor")
                yield _inbound(item, self.format), str(item["cursor"])

    async def list_programs(self) -> AsyncIterator[ListedProgram]:
        """Every program that the peer has, page by page.

        Raises:
            AdapterError: as `adapter.plugin.http.Http` names them; SystemFault: a page is none.
        """
        async for item in self._programs():
            yield programs.listed(item)

    async def report_capacity(self) -> AsyncIterator[Capacity]:
        """How much room each has, where the peer says so.

        Raises:
            AdapterError: as `list_programs`.
        """
        async for item in self._programs():
            said = programs.room(item)
            if said is not None:
                yield said

    async def _programs(self) -> AsyncIterator[dict[str, Any]]:
        words = self.quirks
        pages = self.context.http.pages(
            words.programs,
            params={words.after: "", words.limit: str(self.config.page_size)},
            next_link=lambda page: _next(page.content),
            route="/programs",
        )
        async for page in pages:
            for item in _items(_object(page.content)):
                if not isinstance(item.get("program"), dict):
                    raise _broken("has an item without a program")
                yield item["program"]


_FIX = "Look whether the peer runs, and whether base_url is right."


def _inbound(item: dict[str, Any], format: ReferenceFormat) -> Inbound:
    raw = orjson.dumps(item["message"])
    key = f"outbox-{item['cursor']}"
    try:
        tree = format.parse(raw)
    except DataError:
        return Inbound(raw=raw, format=format.name, kind="unknown", key=key)
    test = tree.get("test") is True
    return Inbound(
        raw=raw, format=format.name, kind=format.kind(tree), key=str(tree["id"]), test=test
    )


def _delivered(found: dict[str, Any]) -> Delivered:
    if not isinstance(found.get("id"), str):
        raise _broken("has no id")
    return Delivered(external_ids={"message": found["id"]})


def _items(found: dict[str, Any]) -> list[dict[str, Any]]:
    items = found.get("items")
    if not isinstance(items, list) or not all(isinstance(each, dict) for each in items):
        raise _broken("has no list of items")
    return items


def _next(content: bytes) -> str | None:
    following = _object(content).get("next")
    return following if isinstance(following, str) else None


def _object(content: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError:
        raise _broken("is no JSON") from None
    if not isinstance(found, dict):
        raise _broken("is no JSON object")
    return found


def _broken(why: str) -> SystemFault:
    return SystemFault(
        "reference.answer",
        f"the peer's answer {why}",
        fix="Check that base_url leads to the API; ask the peer's maker.",
    )
