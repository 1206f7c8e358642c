"""Public keys of clients that are registered by the address of their key set (RFC 7517).

A set is kept for five minutes. A key that is not in it is looked for once more, at most every half
minute, so that a client may rotate its keys, and nobody can make us ask without end.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import orjson
import structlog

from adapter.exchange.http.registered import registered_client
from adapter.exchange.service import Service
from adapter.plugin.errors import DataError
from adapter.plugin.http import Http

KEPT = timedelta(minutes=5)
PAUSE = timedelta(seconds=30)
Json = dict[str, Any]


class KeySets:
    """The key sets that were fetched by this process."""

    def __init__(self, service: Service, http: Http | None = None) -> None:
        self._service = service
        self._http = http
        self._held: dict[str, tuple[datetime, Json]] = {}

    async def of(self, url: str, key_id: str | None) -> Json:
        """The key set at an address, fetched anew where it is old or lacks this key.

        Raises:
            AdapterError: the address may not be asked, does not answer, or gives no key set.
        """
        now = self._service.now()
        held = self._held.get(url)
        if held is not None:
            at, jwks = held
            known = key_id is None or any(each.get("kid") == key_id for each in jwks["keys"])
            if now - at < (KEPT if known else PAUSE):
                return jwks
        fetched = await self._fetch(url)
        self._held[url] = (now, fetched)
        return fetched

    async def _fetch(self, url: str) -> Json:
        if self._http is None:
            test = all(each.test for each in self._service.sites.values())
            log = structlog.get_logger("api")
            self._http = registered_client(test=test, log=log, now=self._service.now)
        answer = await self._http.get(url, headers={"Accept": "application/json"}, route="jwks")
        try:
            found = orjson.loads(answer.content)
        except orjson.JSONDecodeError:
            found = None
        keys = found.get("keys") if isinstance(found, dict) else None
        if not isinstance(keys, list) or not all(isinstance(each, dict) for each in keys):
            raise DataError("client.no-key-set", "there is no key set at the client's address")
        return {"keys": keys}
