"""What `$extract` answers: a transaction that a client posts here, once or many times.

Every Observation has an identifier made from the response, the question and the place of the
answer (`adapter.fhir.extraction`). With it, what is stored already is found: a new Observation is
created unless one with that identifier is here, so that running and posting again changes nothing;
one whose answer was amended or taken away is the next version of the one that is here.
"""

from __future__ import annotations

from typing import Any

from adapter.api.access import Door
from adapter.api.parameters import Json
from adapter.api.query import Query, matches
from adapter.fhir.bundles import post, put, relink, transaction
from adapter.fhir.extraction import URI_SYSTEM, extract, source_of
from adapter.fhir.links import named_type
from adapter.store.resources import ResourceRow

MOST = 1000
"""Observations of one person that are looked through for those of the response."""


async def extraction(
    door: Door,
    response: Json,
    form: Json,
    recorded: str,
    *,
    identity: str | None = None,
    source: Json | None = None,
) -> Json:
    """Return the transaction Bundle for a response; raises ExtractionError.

    `identity` and `source` name a response that has no name of its own (`extract`).
    """
    rows = await _stored(door, response, source or source_of(response))
    own = {f"Observation/{row.id}": f"Observation/{name}" for name, row in rows.items()}
    before = {
        name: {**relink(row.content, own), "id": name, "meta": None} for name, row in rows.items()
    }
    previous = list(before.values())
    made = extract(
        response, form, recorded=recorded, identity=identity, source=source, previous=previous
    )
    urls = {f"{each['resourceType']}/{each['id']}": f"urn:uuid:{each['id']}" for each in made}
    entries: list[Json] = []
    changed = False
    for each in made:
        name, known = each["id"], before.get(each["id"])
        plain = {key: value for key, value in each.items() if value is not None}
        resource, full_url = relink(plain, urls), f"urn:uuid:{name}"
        if each["resourceType"] != "Observation":
            if changed:
                entries.append(post(resource, full_url=full_url))
        elif known is None or {**each, "meta": None} == known:
            changed = changed or known is None
            where = f"identifier={URI_SYSTEM}|urn:uuid:{name}"
            entries.append(post(resource, full_url=full_url, if_none_exist=where))
        else:
            changed, row = True, rows[name]
            version = str(row.version)
            entries.append(put({**resource, "id": row.id}, full_url=full_url, if_match=version))
    bundle = transaction(entries)
    if not entries:
        bundle.pop("entry")
    return bundle


async def _stored(door: Door, response: Json, source: Json) -> dict[str, ResourceRow]:
    """Return the Observations that an earlier extraction left here, by their ids in it."""
    subject = response.get("subject")
    person = subject.get("reference") if isinstance(subject, dict) else None
    if not isinstance(person, str) or named_type(person) is None:
        return {}
    query = Query.of("Observation", [("subject", person), ("category", "survey")], base="")
    rows = await door.read(lambda caller: matches(caller, query, MOST))
    found = {
        _name(row.content): row for row in rows if source in row.content.get("derivedFrom", ())
    }
    found.pop("", None)
    return found


def _name(observation: Any) -> str:
    """Return the id that an extracted Observation carries as identifier, or an empty string."""
    for one in observation.get("identifier", ()):
        if one.get("system") == URI_SYSTEM and str(one.get("value")).startswith("urn:uuid:"):
            return str(one["value"]).removeprefix("urn:uuid:")
    return ""
