"""A second opinion: the models of fhir.resources read what we would send.

Our compiled checks stand at every edge (ADR 0008). These models were made by others from the same
definitions and share no code with them, so that a mistake of ours is seen here. They are R4B; the
resource types of referrals are the same in R4 4.0.1 and R4B 4.3.0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from adapter.plugin.collector import CollectorWaits


def second_opinions(resources: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """What the models refuse of each: a sentence for each fault, with its place and no value.

    A Bundle that is given its resources looks each class up by import, every time, and fails once
    before it finds it; and it asks each model again that it is given. So each resource is read by
    the class of its type and let go, and the Bundle is read with what remains of its entries. Those
    of one type follow one another: a model that was just used is read with in half the time.
    """
    parts = [
        (number, where, kind, part)
        for number, resource in enumerate(resources)
        for where, kind, part in _parts("", resource)
    ]
    found: list[list[str]] = [[] for _ in parts]
    with CollectorWaits():
        for each in sorted(range(len(parts)), key=lambda each: parts[each][2]):
            found[each] = _by_model(*parts[each][1:])
    opinions: list[list[str]] = [[] for _ in resources]
    for (number, *_), said in zip(parts, found, strict=True):
        opinions[number] += said
    return opinions


def _parts(where: str, resource: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Each resource that a model reads by itself: its place before it, its type, and it."""
    kind = str(resource.get("resourceType"))
    entries = resource.get("entry")
    if kind != "Bundle" or not isinstance(entries, list):
        yield where, kind, resource
        return
    rest = []
    for number, entry in enumerate(entries):
        if isinstance(entry, Mapping) and isinstance(entry.get("resource"), Mapping):
            yield from _parts(f"{where}Bundle.entry[{number}].resource.", entry["resource"])
            entry = {key: part for key, part in entry.items() if key != "resource"}
        rest.append(entry)
    yield where, kind, {**resource, "entry": rest}


def _by_model(where: str, kind: str, resource: Mapping[str, Any]) -> list[str]:
    try:
        model, refusal = _model(kind)
    except (ValueError, LookupError):
        return [f"{where}{kind}: no resource type of R4B"]
    try:
        model(**resource)
    except refusal as error:
        return [
            f"{where}{kind}.{'.'.join(map(str, each['loc']))}: {each['type']}"
            for each in error.errors(include_input=False, include_url=False)
        ]
    return []


@cache
def _model(kind: str) -> tuple[Any, Any]:
    """The class of a type, and the error by which it refuses; importing them takes a while."""
    from fhir.resources.R4B import get_fhir_model_class
    from pydantic import ValidationError

    return get_fhir_model_class(kind), ValidationError
