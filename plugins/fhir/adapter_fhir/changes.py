"""What changed on a server: which Tasks concern us, asked for in the ways that it offers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from adapter.plugin import Context
from adapter_fhir.answers import FHIR_JSON, matches_of, resource_of
from adapter_fhir.config import FhirConfig
from adapter_fhir.cursor import Cursor, moment
from adapter_fhir.outputs import codings
from adapter_fhir.references import version_of
from adapter_fhir.statement import Offers

Json = dict[str, Any]
CHUNK = 20
"""Ids in one search."""


class Changes:
    """Searches one site's server."""

    def __init__(self, context: Context, config: FhirConfig) -> None:
        self._context = context
        self._config = config
        self._overlap = timedelta(seconds=config.overlap_seconds)

    async def of(self, cursor: Cursor, offers: Offers, kind: str = "Task") -> list[Json]:
        """Tasks (or ServiceRequests) since the cursor, oldest first, each once, with its newest.

        All pages are read before the first is given: a server may not sort as asked. It may also
        ignore a parameter: the caller looks at what comes.
        """
        found: dict[str, Json] = {}
        for query in self._queries(offers, kind):
            async for resource in self._found(kind, query, cursor, offers):
                found[place(resource)] = resource
        fresh = [each for each in found.values() if cursor.is_new(place(each), version_of(each))]
        return sorted(fresh, key=lambda each: moment(updated(each)) if updated(each) else _FIRST)

    async def requests(self, places: list[str], since: str, offers: Offers) -> list[Json]:
        """ServiceRequests by their ids, as they are now: those that changed since, if given."""
        found = []
        newer = {}
        if since and offers.searched_by("ServiceRequest", "_lastUpdated"):
            newer = {"_lastUpdated": f"ge{since}"}
        for start in range(0, len(places), CHUNK):
            ids = ",".join(each.rpartition("/")[2] for each in places[start : start + CHUNK])
            pages = self._context.http.pages(
                "ServiceRequest",
                params={"_id": ids, "_count": str(CHUNK), **newer, **self._config.search},
                headers=FHIR_JSON,
                route="/ServiceRequest",
            )
            async for page in pages:
                found += matches_of(resource_of(page, "Bundle"), "ServiceRequest")
        return found

    def claimable(self, task: Json) -> bool:
        """An open request that anyone may take (SDOH-CC 3.0: owner is 0..1 on purpose)."""
        return (
            self._config.claim
            and task.get("resourceType") == "Task"
            and "owner" not in task
            and task.get("status") == "requested"
            and is_referral(task)
        )

    def _queries(self, offers: Offers, kind: str) -> Iterator[dict[str, str]]:
        """The searches that together find what concerns us; an empty one where none would."""
        us, them = self._config.us, self._config.them
        role = self._context.site.role
        wanted: list[tuple[str, str]] = []
        if kind != "Task":  # performers of a request are seldom named: the site's own search says
            yield {}
            return
        if role != "performer" and us:
            wanted.append(("owner", us))
        if role != "requester" and (us or them):
            wanted.append(("requester", us) if us else ("owner", them))
        if not wanted or not all(offers.searched_by(kind, name) for name, _ in wanted):
            yield {}
            return
        for name, value in wanted:
            yield {name: value}
        if self._config.claim and role != "performer":
            yield {"owner:missing": "true", "status": "requested"}

    async def _found(self, kind: str, query: dict[str, str], cursor: Cursor, offers: Offers) -> Any:
        params = {**query, "_count": str(self._config.page_size)}
        params |= self._config.search
        if offers.searched_by(kind, "_lastUpdated"):
            params["_sort"] = "_lastUpdated"
            since = cursor.asked_from(self._overlap)
            if since:
                params["_lastUpdated"] = f"ge{since}"
        pages = self._context.http.pages(kind, params=params, headers=FHIR_JSON, route=f"/{kind}")
        async for page in pages:
            for resource in matches_of(resource_of(page, "Bundle"), kind):
                yield resource


def place(resource: Json) -> str:
    """``Type/id`` on its server."""
    return f"{resource.get('resourceType')}/{resource.get('id')}"


def updated(resource: Json) -> str:
    """When a resource was last updated, by its server's clock; empty if it does not say."""
    return str((resource.get("meta") or {}).get("lastUpdated") or "")


def is_referral(task: Json) -> bool:
    """A Task that asks to fulfil a request; others (a client's own tasks) are none of ours."""
    codes = {each.get("code") for each in codings(task.get("code"))}
    return "fulfill" in codes or (not codes and "focus" in task)


_FIRST = moment("1970-01-01T00:00:00+00:00")
