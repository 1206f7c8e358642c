"""`_summary` and `_elements`: a part of each resource, marked as a part (FHIR R4 3.1.1.5.8, .9)."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from functools import cache
from importlib import resources
from typing import Any

Json = dict[str, Any]
ALWAYS = ("resourceType", "id", "meta", "implicitRules")
MARK = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "SUBSETTED",
}
SUMMARIES = ("true", "text", "data", "count", "false")


@cache
def parts(kind: str) -> tuple[frozenset[str], frozenset[str]]:
    """What a summary of this type shows, and what is mandatory in it."""
    row = _table().get(kind, {})
    return frozenset(row.get("summary", ())), frozenset(row.get("mandatory", ()))


@cache
def _table() -> dict[str, dict[str, list[str]]]:
    file = resources.files("adapter.api") / "summaries.toml"
    return tomllib.loads(file.read_text("utf-8"))


def subset(summary: str, elements: frozenset[str]) -> Callable[[Json], Json]:
    """What makes of a resource the part that was asked for; the resource itself if all was."""
    if summary == "data":
        return lambda resource: _marked({n: v for n, v in resource.items() if n != "text"})
    if summary not in ("true", "text") and not elements:
        return lambda resource: resource

    def part(resource: Json) -> Json:
        shown, mandatory = parts(resource["resourceType"])
        wanted = mandatory | (elements or (shown if summary == "true" else frozenset({"text"})))
        kept = {
            name: value
            for name, value in resource.items()
            if name in ALWAYS or name.lstrip("_") in wanted or _choice(name, wanted)
        }
        return _marked(kept)

    return part


def _choice(name: str, wanted: frozenset[str]) -> bool:
    """True for ``valueString`` where ``value`` is wanted."""
    return any(
        name.startswith(each) and name[len(each) : len(each) + 1].isupper() for each in wanted
    )


def _marked(resource: Json) -> Json:
    meta = resource.get("meta", {})
    return {**resource, "meta": {**meta, "tag": [*meta.get("tag", ()), MARK]}}
