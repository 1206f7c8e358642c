"""A door that cuts off what is in flight: a listener of its own that speaks HTTP by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from adapter.plugin import HttpEndpoint, Listener
from adapter_reference.system import Reference


class CutsOff(Reference):
    """Serves the same application, but forgets everybody when it is told to stop."""

    def __init__(self, config: Any, context: Any) -> None:
        super().__init__(config, context)
        self._stopped = asyncio.Event()

    def endpoints(self) -> Sequence[Listener | HttpEndpoint]:
        inner = super().endpoints()[0]
        assert isinstance(inner, HttpEndpoint)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            work = asyncio.ensure_future(inner.app(scope, receive, send))
            stop = asyncio.ensure_future(self._stopped.wait())
            await asyncio.wait([work, stop], return_when=asyncio.FIRST_COMPLETED)
            stop.cancel()
            if not work.done():
                work.cancel()
                raise ConnectionResetError

        async def start() -> str:
            return "in this process"

        async def stop() -> None:
            self._stopped.set()

        return [HttpEndpoint(app), Listener(start, stop)]
