"""_include and _revinclude: what belongs to the matches of a search (FHIR R4 3.1.1.5.3)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from adapter.api.caller import Caller
from adapter.api.links import local
from adapter.api.offered import TYPES
from adapter.api.parameters import PARAMETERS, values
from adapter.api.read import resource
from adapter.store.resources import ResourceRow

MOST = 1000
INCLUDES: Mapping[str, tuple[str, ...]] = {
    kind: tuple(f"{kind}:{name}" for name, one in parameters.items() if one.kind == "reference")
    for kind, parameters in PARAMETERS.items()
}
"""By type: what can be included, every parameter that is a reference."""


def _revincludes() -> dict[str, tuple[str, ...]]:
    """By type: what points to it and can be found without reading everything."""
    found: dict[str, list[str]] = {}
    for kind, parameters in PARAMETERS.items():
        for name, one in parameters.items():
            if one.kind == "reference" and (one.key or one.column):
                for target in one.targets:
                    if target in TYPES:
                        found.setdefault(target, []).append(f"{kind}:{name}")
    return {target: tuple(names) for target, names in found.items()}


REVINCLUDES: Mapping[str, tuple[str, ...]] = _revincludes()


def included(
    caller: Caller, rows: Sequence[ResourceRow], include: Iterable[str], revinclude: Iterable[str]
) -> list[ResourceRow]:
    """What the matches point to and what points to them, each once, no match again."""
    seen = {(row.type, row.id) for row in rows}
    found: list[ResourceRow] = []
    include, revinclude = list(include), list(revinclude)
    for row in rows:
        for other in (*_pointed(caller, row, include), *_pointing(caller, row, revinclude)):
            if (other.type, other.id) not in seen and len(found) < MOST:
                seen.add((other.type, other.id))
                found.append(other)
    return found


def _pointed(caller: Caller, row: ResourceRow, include: list[str]) -> Iterator[ResourceRow]:
    for each in include:
        kind, _, name = each.partition(":")
        for path in PARAMETERS[kind][name].paths:
            for value in values(row.content, path):
                named = local(value.get("reference", "")) if isinstance(value, dict) else None
                if named is None or named[0] not in TYPES or not caller.may("read", named[0]):
                    continue
                other = caller.get(*named)
                if other is not None:
                    yield other


def _pointing(caller: Caller, row: ResourceRow, revinclude: list[str]) -> Iterator[ResourceRow]:
    address = f"{row.type}/{row.id}"
    for each in revinclude:
        kind, _, name = each.partition(":")
        one = PARAMETERS[kind][name]
        if not caller.may("search", kind):
            continue
        search, party = caller.tx.resources.search, caller.narrowed(kind)
        if one.column:
            found = search(kind, subject=address, limit=MOST, party=party)
        else:
            found = search(kind, keys={one.key: address}, limit=MOST, party=party)
        for _, stored in found:
            other = caller.compartment.shown(stored)
            if other is not None and any(
                value.get("reference") == address
                for path in one.paths
                for value in values(resource(other), path)
                if isinstance(value, dict)
            ):
                yield other
