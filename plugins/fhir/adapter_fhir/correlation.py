"""The correlation table of one site: our ids, and the peer's own ids for the same things."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

import orjson

from adapter.plugin import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A Task on the peer's server that carries one of our fulfilments, or that we fulfil.

    Attributes:
        side: ``made``: we asked for it, and they carry it out; ``taken``: they asked, and we do.
        task, request, patient: ``Type/id`` on the peer's server; empty where it has none.
        first: the version of the Task (or request) that we took it as.
        wrote: the version of the Task that our last write made; what comes back is no news.
    """

    side: Literal["made", "taken"]
    fulfilment: str
    referral: str
    task: str = ""
    request: str = ""
    patient: str = ""
    first: str = ""
    wrote: str = ""


class Correlation:
    """Keeps `Known` in the site's durable state, to be found from both ends."""

    def __init__(self, context: Context) -> None:
        self._state = context.state

    async def keep(self, known: Known) -> None:
        """Durable when it returns; replaces what was known of this fulfilment."""
        value = orjson.dumps(asdict(known))
        await self._state.put(f"fulfilment|{known.fulfilment}", value)
        if known.task or known.request:
            await self._state.put(f"place|{known.task or known.request}", value)

    async def of_fulfilment(self, fulfilment: str) -> Known | None:
        """What the peer has for one of our fulfilments."""
        return _known(await self._state.get(f"fulfilment|{fulfilment}"))

    async def of_place(self, place: str) -> Known | None:
        """What we have for a Task (or, where there are none, a request) of the peer's."""
        return _known(await self._state.get(f"place|{place}"))

    async def note_accepted(self, place: str) -> None:
        """Remember that the news of an acceptance was handed over."""
        await self._state.put(f"accepted|{place}", b"1")

    async def was_accepted(self, place: str) -> bool:
        """Whether an acceptance was ever handed over."""
        return await self._state.get(f"accepted|{place}") is not None

    async def keep_places(self, referral: str, places: Mapping[str, str]) -> None:
        """What the peer calls the resources of a referral: our id and type, its ``Type/id``."""
        await self._state.put(f"places|{referral}", orjson.dumps(dict(places)))

    async def places(self, referral: str) -> dict[str, str]:
        """See `keep_places`; empty if nothing was kept."""
        found = await self._state.get(f"places|{referral}")
        return dict(orjson.loads(found)) if found else {}


def _known(value: bytes | None) -> Known | None:
    return Known(**orjson.loads(value)) if value else None
