"""The law of code tables: each says what the pack's domain says of it, and some row uses it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from adapter.mapping.codes import CodeRow, CodeTable
from adapter.mapping.compare import difference
from adapter.mapping.domain import EVERY_ROW, Domain
from adapter.mapping.law import LawResult
from adapter.mapping.packs import Pack, Packs, codes_of, codes_used


def table_laws(pack: Pack, packs: Packs, domain: Domain) -> Iterator[LawResult]:
    """Each code table against what the domain says of it."""
    tables = codes_of(pack, packs.packs)
    used = codes_used(packs.packs.values())
    for name in sorted({*pack.codes, *domain.tables, *domain.meanings, *domain.systems}):
        said = domain.tables.get(name)
        wrong = None
        if said is None:
            wrong = "domain.yaml does not state this table"
        elif name not in tables:
            wrong = "there is no such table"
        else:
            found = {**tables[name].to_right, **_ways_back(tables[name])}
            wrong = difference(said, found) if tables[name].rows else None
        if wrong is None and name in domain.meanings:
            wrong = difference(domain.meanings[name], _meanings(tables[name]))
        if wrong is None and name in domain.systems:
            wrong = difference(_of_every_row(domain, name, tables[name]), _systems(tables[name]))
        if wrong is None and name not in used:
            wrong = "no row of any map uses this table"
        yield LawResult(pack.name, name, "tables", 1, int(wrong is not None), wrong)


def _ways_back(table: CodeTable) -> dict[str, str]:
    """The way back of each right code that does not follow from the way there: ``<code: left``."""
    several = Counter(row.right_code for row in table.rows if row.left_code)
    return {
        f"<{right}": left
        for right, left in table.to_left.items()
        if table.to_right.get(left) != right or several[right] > 1
    }


def _meanings(table: CodeTable) -> dict[str, str]:
    """What each row says besides its codes; a row without a left code is ``= right``."""
    return {
        _row(row): f"{row.relationship}: {row.display_en} / {row.display_fr}" for row in table.rows
    }


def _systems(table: CodeTable) -> dict[str, str]:
    """The code systems of each row, left and right."""
    return {_row(row): f"{row.left_system} = {row.right_system}" for row in table.rows}


def _of_every_row(domain: Domain, name: str, table: CodeTable) -> dict[str, str]:
    """The code systems that a domain states, with those of all other rows at each of these."""
    said = dict(domain.systems[name])
    usual = said.pop(EVERY_ROW, None)
    return {**({_row(row): usual for row in table.rows} if usual else {}), **said}


def _row(row: CodeRow) -> str:
    return f"{row.left_code} = {row.right_code}".strip()
