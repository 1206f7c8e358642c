"""The laws of a two-way map, and the facts that a pack states of itself.

``there-and-back``    left(right⁻¹(x)): what a domain document writes is read as the same document
``back-and-there``    a case, read and written, is read again: nothing is lost, and what a constant
                      adds on the way (a required status) is all that may be new
``accounted``         every leaf of a case is carried or in the loss report, none twice
``nothing-invented``  every value written traces to the input, a constant or a code table
``well-formed``       references resolve, ids are unique, nothing is empty
``checks``            what is written passes its format's own checks
``models``            and, where the format has one, a second opinion: FHIR's is of fhir.resources
``expected``          cases give what cases/expected/ holds, both ways
``refused``           what lies in cases/refused/ is refused, as values are that two readers would
                      read in two ways
``tables``            code tables say what the domain says, and some row uses each
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from adapter.mapping.cases import read_cases, read_documents
from adapter.mapping.domain import MapDomain, read_domain
from adapter.mapping.expectations import accept
from adapter.mapping.law import LawResult
from adapter.mapping.map_laws import MapLaws
from adapter.mapping.packs import Packs
from adapter.mapping.table import MapTable
from adapter.mapping.table_laws import table_laws


def laws_of(
    packs: Packs,
    name: str,
    *,
    cases: int = 1000,
    fail_fast: bool = False,
    seed: int = 20260101,
    only: Collection[str] | None = None,
) -> Iterator[LawResult]:
    """Every law of every map of a pack (of those named in `only`), the cheap ones first.

    With `fail_fast`, it ends with the first failure.
    """
    pack = packs.packs[name]
    domain = read_domain(pack)
    own = packs.preferring(name)
    files = list(read_cases(pack, own))
    documents = list(read_documents(pack, own))
    for result in table_laws(pack, packs, domain):
        yield result
        if fail_fast and result.failed:
            return
    for case, picked in files:
        if picked is None:
            why = case.fault or "no map takes it"
            yield LawResult(name, "", "expected", 1, 1, f"{case.name}: {why}")
            if fail_fast:
                return
    refused = list(read_cases(pack, own, refused=True))
    for mapping in own.maps:
        if mapping.pack != name or (only is not None and mapping.name not in only):
            continue
        mine = [case for case, picked in files if picked is mapping]
        carried = domain.maps.get(mapping.name) or _inherited(mapping.table, packs)
        work = MapLaws(mapping, carried, mine, pack, cases, seed)
        work.fail_fast = fail_fast
        work.documents = [each for each, named in documents if named is mapping]
        work.refused = [case for case, picked in refused if picked is mapping]
        for result in work.results():
            if result.cases:
                yield result
            if fail_fast and result.failed:
                return


def _inherited(table: MapTable, packs: Packs) -> MapDomain | None:
    """The domain of the nearest map that this one extends: it is held to it if it states none."""
    seen = set()
    while table.extends and table.extends not in seen:
        seen.add(table.extends)
        name, _, parent = table.extends.rpartition("/")
        pack = packs.packs.get(name or table.pack)
        if pack is None or parent not in pack.tables:
            return None
        found = read_domain(pack).maps.get(parent)
        if found is not None:
            return found
        table = pack.tables[parent]
    return None


__all__ = ["LawResult", "accept", "laws_of"]
