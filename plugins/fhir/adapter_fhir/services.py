"""Asking a server for its HealthcareServices: what a community offers, and how much room it has."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from adapter.plugin import Capacity, ConfigError, Context, DataError, ListedProgram
from adapter_fhir import programs
from adapter_fhir.answers import FHIR_JSON, matches_of, resource_of
from adapter_fhir.config import FhirConfig
from adapter_fhir.references import LITERAL, relative
from adapter_fhir.statement import Offers

Json = dict[str, Any]
KIND = "HealthcareService"


class Services:
    """Searches one site's server."""

    def __init__(self, context: Context, config: FhirConfig) -> None:
        self._context = context
        self._config = config

    async def listed(self, offers: Offers) -> AsyncIterator[ListedProgram]:
        """Every HealthcareService as a program, each once, also where pages overlap.

        Raises:
            ConfigError: the server says that it has none.
        """
        names: dict[str, str] = {}
        async for service in self._all(offers):
            yield programs.listed(service, await self._provider(service, names))

    async def capacities(self, offers: Offers) -> AsyncIterator[Capacity]:
        """What each says of its capacity.

        Raises:
            ConfigError: as `listed`.
        """
        now = self._context.now()
        async for service in self._all(offers):
            found = programs.capacity(service, now)
            if found is not None:
                yield found

    async def _all(self, offers: Offers) -> AsyncIterator[Json]:
        known = offers.interactions
        if known is not None and "search-type" not in known.get(KIND, ()):
            raise ConfigError(
                "fhir.no-programs",
                "the server's /metadata says that HealthcareService cannot be searched there",
                fix="Take directory out of the site's table; list its programs in the file of "
                "[routing] programs.",
            )
        pages = self._context.http.pages(
            KIND,
            params={"_count": str(self._config.page_size), **self._config.search},
            headers=FHIR_JSON,
            route=f"/{KIND}",
        )
        seen: set[str] = set()
        async for page in pages:
            for service in matches_of(resource_of(page, "Bundle"), KIND):
                id = programs.id_of(service)
                if id not in seen:
                    seen.add(id)
                    yield service

    async def _provider(self, service: Json, names: dict[str, str]) -> str:
        """The name of who provides it: as the reference shows it, else that of the record."""
        provider = service.get("providedBy")
        if not isinstance(provider, dict):
            return ""
        shown = provider.get("display")
        if isinstance(shown, str) and shown.strip():
            return shown.strip()
        place = relative(str(provider.get("reference") or ""), self._config.base_url)
        if not LITERAL.fullmatch(place):
            return ""
        if place not in names:
            names[place] = await self._name(place)
        return names[place]

    async def _name(self, place: str) -> str:
        """The name of an Organization; empty if the record is not there, or not for us."""
        try:
            kind = place.partition("/")[0]
            answer = await self._context.http.get(place, headers=FHIR_JSON, route=f"/{kind}/{{id}}")
            found = resource_of(answer).get("name")
        except DataError as error:
            self._context.log.warning("program.provider-not-read", code=error.code)
            return ""
        return found.strip() if isinstance(found, str) else ""
