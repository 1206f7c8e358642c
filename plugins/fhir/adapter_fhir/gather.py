"""Reading what a resource refers to: by batch where there is one, within limits.

SDOH-CC 3.0 asks the receiving party to use batch queries for referenced resources (refer-4).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import orjson

from adapter.plugin import Context, DataError, GoneError
from adapter_fhir.answers import FHIR_JSON, resource_of
from adapter_fhir.references import LITERAL, absolute, kind_of, references, relative, rewritten
from adapter_fhir.statement import Offers

Json = dict[str, Any]
MOST = 80
"""Resources that one referral is read from, at most."""
DEPTH = 3
FOLLOWED = frozenset(
    {
        "Appointment", "Communication", "Condition", "Consent", "DocumentReference", "Goal",
        "HealthcareService", "Location", "Observation", "Organization", "Patient", "Practitioner",
        "PractitionerRole", "Procedure", "QuestionnaireResponse", "RelatedPerson",
        "ServiceRequest",
    }
)  # fmt: skip
_ENDS = frozenset({"Patient", "Organization", "Practitioner", "HealthcareService", "Location"})
"""Types whose own references lead away from the referral."""
_ELSEWHERE = ("basedOn", "partOf", "encounter", "relevantHistory", "insurance", "replaces")


class Gatherer:
    """Reads resources of one site's server, and of others where its references lead there."""

    def __init__(self, context: Context, base: str) -> None:
        self._context = context
        self._base = base

    async def around(
        self, resources: Iterable[Json], offers: Offers, *, fields: Collection[str] = ()
    ) -> dict[str, Json]:
        """What resources refer to, and what that refers to, by absolute address.

        Args:
            fields: follow only these elements of the first resources.

        What cannot be read (404, 410, refused) is left out and logged; a fault that may pass is
        raised, so that nothing is taken for absent.
        """
        found: dict[str, Json] = {}
        wanted = {
            each
            for resource in resources
            for each in self._named(
                {name: resource[name] for name in fields if name in resource}
                if fields
                else resource
            )
        }
        for _ in range(DEPTH):
            fresh = sorted(wanted - found.keys())[: MOST - len(found)]
            if not fresh:
                break
            read = await self._read(fresh, offers)
            found |= read
            wanted = {
                each
                for resource in read.values()
                if resource["resourceType"] not in _ENDS
                for each in self._named(resource)
            }
        return found

    def _named(self, resource: Json) -> set[str]:
        followed = {name: value for name, value in resource.items() if name not in _ELSEWHERE}
        return {
            absolute(each["reference"], self._base)
            for each in references(followed)
            if kind_of(each["reference"]) in FOLLOWED
        }

    async def _read(self, addresses: list[str], offers: Offers) -> dict[str, Json]:
        own = [each for each in addresses if LITERAL.fullmatch(relative(each, self._base))]
        found: dict[str, Json] = {}
        if offers.batch and len(own) > 1:
            found = await self._batch(own)
        for address in addresses:
            if address not in found:
                resource = await self.one(address)
                if resource is not None:
                    found[address] = resource
        return found

    async def _batch(self, addresses: list[str]) -> dict[str, Json]:
        """One batch of reads; what it did not give is asked for once more by itself."""
        entries = [
            {"request": {"method": "GET", "url": relative(each, self._base)}} for each in addresses
        ]
        bundle = {"resourceType": "Bundle", "type": "batch", "entry": entries}
        response = await self._context.http.post(
            "",
            content=orjson.dumps(bundle),
            headers=FHIR_JSON,
            idempotent=True,
            expect=(400, 404, 405, 501),
            route="/",
        )
        if response.status_code >= 300:
            return {}
        given = resource_of(response, "Bundle").get("entry") or ()
        found = {}
        for address, entry in zip(addresses, given, strict=False):
            resource = entry.get("resource") if isinstance(entry, dict) else None
            if isinstance(resource, dict) and address.endswith(
                f"{resource.get('resourceType')}/{resource.get('id')}"
            ):
                found[address] = resource
        return found

    async def one(self, address: str) -> Json | None:
        """One resource, or None if it cannot be had."""
        kind = kind_of(address)
        place = relative(address, self._base)
        try:
            response = await self._context.http.get(
                place, headers=FHIR_JSON, route=f"/{kind}/{{id}}"
            )
        except (DataError, GoneError) as error:
            self._context.log.warning("reference.not-read", type=kind, code=error.code)
            return None
        return _at_home(resource_of(response, kind), address)


def _at_home(resource: Json, address: str) -> Json:
    """A resource whose relative references are absolute: they are of the server that it is on."""
    home = address.rsplit("/", 2)[0]

    def change(reference: Json) -> Json:
        return {**reference, "reference": absolute(reference["reference"], home)}

    changed: Json = rewritten(resource, change)
    return changed
