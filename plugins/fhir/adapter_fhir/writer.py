"""Writing to a server: created once whatever happens, changed only as it was read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import orjson

from adapter.plugin import ConfigError, Context, DataError, TransientError
from adapter_fhir import standing
from adapter_fhir.answers import (
    FHIR_JSON,
    entries_of,
    etag_of,
    matches_of,
    place_put,
    resource_of,
    version_put,
)
from adapter_fhir.config import FhirConfig
from adapter_fhir.outward import Piece, placed, transaction
from adapter_fhir.references import LITERAL, relative, version_of
from adapter_fhir.statement import Offers

Json = dict[str, Any]
TRIES = 4
"""How often a change is made anew because somebody else changed the Task in between."""
_STALE = (409, 412)


class Writer:
    """Writes to the server of one site."""

    def __init__(self, context: Context, config: FhirConfig) -> None:
        self._context = context
        self._base = config.base_url
        self._search = config.search

    # -- creating -----------------------------------------------------------------------------

    async def create(self, pieces: Iterable[Piece], offers: Offers) -> dict[str, str]:
        """Have every piece on the server, once; where each is, by its name in the Bundle.

        In one transaction where that works with conditions; else one after the other, each asked
        for before it is made. What may not be created there is left out, unless it is the Task or
        the request itself.

        Raises:
            ConfigError: this server lets nobody create Tasks or requests.
        """
        wanted = [each for each in pieces if self._may(each, offers)]
        together = offers.transaction and all(
            offers.conditionally_creates(each.kind) for each in wanted
        )
        if together and len(wanted) > 1 and offers.quirks.keeps_identifiers:
            return await self._together(wanted)
        places: dict[str, str] = {}
        for piece in wanted:
            places[piece.url] = await self._single(piece, places, offers)
        return places

    def _may(self, piece: Piece, offers: Offers) -> bool:
        if offers.creates(piece.kind):
            return True
        if piece.kind in ("Task", "ServiceRequest"):
            raise ConfigError(
                "fhir.cannot-create",
                f"{offers.quirks.vendor} lets nobody create a {piece.kind}",
                fix="Send referrals to this site by another road; it can only send them to us.",
            )
        self._context.log.warning("resource.left-out", type=piece.kind)
        return False

    async def _together(self, pieces: list[Piece]) -> dict[str, str]:
        urls = {each.url for each in pieces}
        bundle = transaction(
            Piece(url=each.url, link=each.link, resource=_only(each.resource, urls))
            for each in pieces
        )
        response = await self._context.http.post(
            "", content=orjson.dumps(bundle), headers=FHIR_JSON, idempotent=True, route="/"
        )
        entries = entries_of(resource_of(response, "Bundle"))
        places = {}
        for number, piece in enumerate(pieces):
            entry = entries[number] if number < len(entries) else {}
            places[piece.url] = await self._place(piece, entry)
        return places

    async def _place(self, piece: Piece, entry: Json) -> str:
        """Where a transaction put a piece; asked for if its answer does not say."""
        answered = entry.get("response") or {}
        status = str(answered.get("status", ""))
        if status and not status.startswith("2"):
            raise DataError(
                "fhir.transaction-entry",
                f"the server refused a {piece.kind} within a transaction ({status[:3]})",
                fix="Look at the server's own log for why.",
            )
        place = relative(str(answered.get("location", "")), self._base)
        if LITERAL.fullmatch(place):
            return place
        resource = entry.get("resource")
        if isinstance(resource, dict) and resource.get("resourceType") == piece.kind:
            return f"{piece.kind}/{resource.get('id')}"
        found = await self.find(piece)
        if found is None:
            raise TransientError(
                "fhir.not-found-again", f"a {piece.kind} was created and is not found"
            )
        return found

    async def _single(self, piece: Piece, places: dict[str, str], offers: Offers) -> str:
        resource = placed(piece.resource, places)
        headers = dict(FHIR_JSON)
        conditional = offers.conditionally_creates(piece.kind) and offers.quirks.keeps_identifiers
        if conditional and piece.condition:
            headers["If-None-Exist"] = piece.condition
        elif piece.condition and offers.quirks.keeps_identifiers:
            found = await self.find(piece)
            if found is not None:
                return found
        response = await self._context.http.post(
            piece.kind,
            content=orjson.dumps(resource),
            headers=headers,
            idempotent="If-None-Exist" in headers,
            route=f"/{piece.kind}",
        )
        place = place_put(response, piece.kind, self._base)
        if place:
            return place
        again = await self.find(piece)
        if again is None:
            raise TransientError(
                "fhir.not-found-again", f"a {piece.kind} was created and is not found"
            )
        return again

    async def find(self, piece: Piece) -> str | None:
        """Where the server has a piece, by its link; None if it has not."""
        subject = str((piece.resource.get("subject") or {}).get("reference", ""))
        return await self.find_linked(piece.kind, piece.link, subject) if piece.link else None

    async def find_linked(self, kind: str, link: str, subject: str = "") -> str | None:
        """Where the server has the resource of a type that carries a link.

        Where the site's searches name a patient, this one names the subject.
        """
        needed = dict(self._search)
        if "patient" in needed:
            needed["patient"] = subject.rpartition("/")[2] or needed["patient"]
        response = await self._context.http.get(
            kind,
            params={"identifier": f"urn:ietf:rfc:3986|{link}", **needed},
            headers=FHIR_JSON,
            route=f"/{kind}",
        )
        found = matches_of(resource_of(response, "Bundle"), kind)
        found = [
            each
            for each in found
            if any(one.get("value") == link for one in _listed(each.get("identifier")))
        ]
        return f"{kind}/{found[0]['id']}" if found else None

    async def statuses(self, request: str, offers: Offers) -> set[str]:
        """The statuses of the Tasks that have a request as their focus; none if nobody can say."""
        if not offers.searched_by("Task", "focus"):
            return set()
        found: set[str] = set()
        pages = self._context.http.pages(
            "Task", params={"focus": request}, headers=FHIR_JSON, route="/Task"
        )
        async for page in pages:
            tasks = matches_of(resource_of(page, "Bundle"), "Task")
            found |= {str(each.get("status")) for each in tasks}
        return found

    # -- changing -----------------------------------------------------------------------------

    async def read(self, place: str) -> tuple[Json, str]:
        """A resource as it stands, and its entity tag."""
        kind = place.partition("/")[0]
        response = await self._context.http.get(place, headers=FHIR_JSON, route=f"/{kind}/{{id}}")
        resource = resource_of(response, kind)
        return resource, etag_of(response, resource)

    async def change(
        self, place: str, make: Callable[[Json], Json | None], offers: Offers
    ) -> tuple[Json, str]:
        """Change a resource as it stands now, and again if somebody was faster.

        Args:
            make: the resource as it is to be; equal to it, or None, for no change.

        Returns:
            The resource as it was when it was changed, and the version that came of it: empty if
            nothing had to be changed.

        Raises:
            TransientError: others changed it every time.
        """
        for _ in range(TRIES):
            before, tag = await self.read(place)
            after = make(before)
            if after is None or after == before:
                return before, ""
            version = await self.put(place, before, after, tag, offers)
            if version is not None:
                return before, version
        raise TransientError(
            "fhir.changed-meanwhile", "others kept changing the resource while we did"
        )

    async def put(
        self, place: str, before: Json, after: Json, tag: str, offers: Offers
    ) -> str | None:
        """Write one version on top of the one that was read; None if that is no longer the newest.

        A stale If-Match is 412 (R4 3.1.0.5); HAPI FHIR and Oracle say 409.
        """
        kind = place.partition("/")[0]
        headers = dict(FHIR_JSON)
        if tag and offers.quirks.if_match:
            headers["If-Match"] = tag
        route = f"/{kind}/{{id}}"
        if offers.quirks.update == "json-patch" and kind == "Task":
            headers["Content-Type"] = "application/json-patch+json"
            response = await self._context.http.patch(
                place,
                content=orjson.dumps(standing.patch(before, after)),
                headers=headers,
                idempotent="If-Match" in headers,
                expect=_STALE,
                route=route,
            )
        else:
            response = await self._context.http.put(
                place, content=orjson.dumps(after), headers=headers, expect=_STALE, route=route
            )
        if response.status_code in _STALE:
            if "If-Match" in headers and tag != (await self.read(place))[1]:
                return None
            raise DataError(
                "fhir.change-refused",
                f"the server refused to change the {kind} ({response.status_code})",
                fix="Look whether the Task may still be changed there, and retry or discard this "
                "delivery.",
            )
        version = version_put(response)
        return version or version_of((await self.read(place))[0])


def _only(resource: Json, urls: set[str]) -> Json:
    """The resource without references to what is not in the transaction."""
    return placed(resource, {each: each for each in urls})


def _listed(value: Any) -> list[Json]:
    listed = value if isinstance(value, list) else [value]
    return [each for each in listed if isinstance(each, dict)]
