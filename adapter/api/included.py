"""_include and _revinclude: what belongs to the matches of a search (FHIR R4 3.1.1.5.3)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from adapter.api.caller import Caller
from adapter.api.comparisons import values
from adapter.api.links import local
from adapter.api.offered import TYPES
from adapter.api.parameters import PARAMETERS
from adapter.api.read import resource
from adapter.store.resources import ResourceRow

MOST = 1000
INCLUDES: Mapping[str, tuple[str, ...]] = {
    kind: (
        "*",
        f"{kind}:*",
        *(f"{kind}:{name}" for name, one in parameters.items() if one.kind == "reference"),
    )
    for kind, parameters in PARAMETERS.items()
    if any(one.kind == "reference" for one in parameters.values())
}
"""By type: what can be included, every parameter that is a reference, and all of them."""


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


@dataclass(frozen=True, slots=True)
class Include:
    """What belongs to a match: by a parameter, or by all of them; to one type, or to any.

    `back` is what points to it; `again` is True where what was included has its own.
    """

    kind: str
    name: str
    target: str = ""
    back: bool = False
    again: bool = False


def include_of(kind: str, text: str, *, back: bool, again: bool) -> Include | None:
    """An `_include` as it is written: ``*``, ``Type:*``, ``Type:parameter``, with a target type.

    Without `again` it must be one of the type that is searched; None if it is not known.
    """
    if text == "*" and not back:
        return Include(kind, "*", again=again)
    source, _, rest = text.partition(":")
    name, _, target = rest.partition(":")
    if target and target not in TYPES:
        return None
    if back:
        known = {each for of, names in REVINCLUDES.items() if again or of == kind for each in names}
        return Include(source, name, target, True, again) if f"{source}:{name}" in known else None
    if not again and source != kind:
        return None
    known = set(INCLUDES.get(source, ()))
    return Include(source, name, target, False, again) if f"{source}:{name}" in known else None


def included(
    caller: Caller, rows: Sequence[ResourceRow], wanted: Sequence[Include]
) -> list[ResourceRow]:
    """What the matches point to and what points to them, each once, no match again."""
    seen = {(row.type, row.id) for row in rows}
    found: list[ResourceRow] = []
    waiting, every = list(rows), list(wanted)
    while waiting and every:
        others = [other for row in waiting for other in _of(caller, row, every)]
        waiting = []
        for other in others:
            if (other.type, other.id) not in seen and len(found) < MOST:
                seen.add((other.type, other.id))
                found.append(other)
                waiting.append(other)
        every = [each for each in every if each.again]
    return found


def _of(caller: Caller, row: ResourceRow, wanted: Iterable[Include]) -> Iterator[ResourceRow]:
    for one in wanted:
        if one.back and one.target in ("", row.type):
            yield from _pointing(caller, row, one)
        elif not one.back and one.kind == row.type:
            yield from _pointed(caller, row, one)


def _pointed(caller: Caller, row: ResourceRow, one: Include) -> Iterator[ResourceRow]:
    known = PARAMETERS[one.kind]
    names = [n for n in known if known[n].kind == "reference" and one.name in ("*", n)]
    for name in names:
        for path in known[name].paths:
            for value in values(row.content, path):
                named = local(value.get("reference", "")) if isinstance(value, dict) else None
                if named is None or named[0] not in TYPES or not caller.may("read", named[0]):
                    continue
                if one.target in ("", named[0]):
                    other = caller.get(*named)
                    if other is not None:
                        yield other


def _pointing(caller: Caller, row: ResourceRow, one: Include) -> Iterator[ResourceRow]:
    address = f"{row.type}/{row.id}"
    by = PARAMETERS[one.kind][one.name]
    if f"{one.kind}:{one.name}" not in REVINCLUDES.get(row.type, ()):
        return
    if not caller.may("search", one.kind):
        return
    search, party = caller.tx.resources.search, caller.narrowed(one.kind)
    if by.column:
        found = search(one.kind, subject=address, limit=MOST, party=party)
    else:
        found = search(one.kind, keys={by.key: address}, limit=MOST, party=party)
    for _, stored in found:
        other = caller.compartment.shown(stored)
        if other is not None and any(
            value.get("reference") == address
            for path in by.paths
            for value in values(resource(other), path)
            if isinstance(value, dict)
        ):
            yield other
