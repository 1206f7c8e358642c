"""Chained search: by what the resource is that a reference leads to (FHIR R4 3.1.1.4.1).

``patient.identifier=…`` and ``owner:Organization.identifier=…``, one step far. The step is a search
of its own, by the same caller, so that it tells nothing of what the caller may not see.
"""

from __future__ import annotations

from adapter.api.caller import Caller
from adapter.api.faults import refused
from adapter.api.paging import Pairs
from adapter.api.parameters import PARAMETERS
from adapter.api.query import Query, matches

MOST = 500
NOTHING = "Nothing/nothing"


def unchained(caller: Caller, kind: str, asked: Pairs) -> Pairs:
    """The same search with every chain replaced by the references that it finds.

    Raises:
        Refused: 400, the chain is not known, or finds too many.
    """
    return [_one(caller, kind, name, text) for name, text in asked]


def _one(caller: Caller, kind: str, name: str, text: str) -> tuple[str, str]:
    first, dot, rest = name.partition(".")
    plain, _, named = first.partition(":")
    one = PARAMETERS.get(kind, {}).get(plain)
    if not dot or one is None or one.kind != "reference":
        return name, text
    targets = [each for each in ([named] if named else one.targets) if _knows(each, rest)]
    if not targets or (named and named not in one.targets):
        raise refused(400, "there is no such chain here", f"http.{plain}", rule="chain")
    found: list[str] = []
    for target in targets:
        caller.must("search", target)
        query = Query.of(target, [(rest, text)], base=caller.base)
        found += [f"{target}/{row.id}" for row in matches(caller, query, MOST + 1)]
    if len(found) > MOST:
        raise refused(400, "the chain finds too many; narrow it", f"http.{plain}", rule="chain")
    return plain, ",".join(found) or NOTHING


def _knows(target: str, rest: str) -> bool:
    return rest.partition(":")[0] in PARAMETERS.get(target, {})
