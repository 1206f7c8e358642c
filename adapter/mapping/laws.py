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

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from adapter.mapping.cases import WRITTEN, Case, Written, read_cases, read_documents
from adapter.mapping.check import written_places
from adapter.mapping.codes import CodeTable
from adapter.mapping.compare import difference, ill_formed
from adapter.mapping.domain import Domain, MapDomain, projected, read_domain
from adapter.mapping.explain import trace
from adapter.mapping.packs import Pack, Packs, codes_of, codes_used
from adapter.mapping.run import Map
from adapter.mapping.samples import document
from adapter.mapping.table import MapTable
from adapter.plugin.errors import DataError
from adapter.plugin.formats import Settings

SETTINGS = Settings(site="laws", timezone="America/Toronto")
TRACED = 100
"""How many generated documents are traced; tracing costs twenty times what mapping does."""


@dataclass(frozen=True, slots=True)
class LawResult:
    """How one law stands for one map. `first_failure` holds synthetic data only."""

    pack: str
    map: str
    law: str
    cases: int
    failed: int
    first_failure: str | None


class _Law:
    """One law of one map, as it is tested; with `fail_fast` its first failure ends it."""

    def __init__(self, mapping: Map, law: str, fail_fast: bool = False) -> None:
        self.mapping = mapping
        self.law = law
        self.fail_fast = fail_fast
        self.cases = 0
        self.failed = 0
        self.first: str | None = None

    def check(self, name: str, test: Callable[[], str | None]) -> None:
        """Run one test, which says what is wrong or returns None."""
        if self.failed and self.fail_fast:
            return
        self.cases += 1
        try:
            wrong = test()
        except DataError as error:
            wrong = error.message
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            wrong = f"{type(error).__name__}: {error}"
        if wrong is not None:
            self.failed += 1
            self.first = self.first or f"{name}: {wrong}"

    def result(self) -> LawResult:
        table = self.mapping.table
        return LawResult(table.pack, table.name, self.law, self.cases, self.failed, self.first)


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
    for result in _tables(pack, packs, domain):
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
        work = _MapLaws(mapping, carried, mine, own, pack, cases, seed)
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


class _MapLaws:
    def __init__(
        self,
        mapping: Map,
        domain: MapDomain | None,
        files: Sequence[Case],
        packs: Packs,
        pack: Pack,
        cases: int,
        seed: int,
    ) -> None:
        self.map = mapping
        self.domain = domain
        self.files = files
        self.packs = packs
        self.pack = pack
        self.cases = cases
        self.seed = seed
        self.documents: Sequence[Written] = ()
        self.refused: Sequence[Case] = ()
        self.fail_fast = False
        self.writes = any(True for _ in written_places(mapping.bound))
        self.left = mapping.left_format
        self.right = mapping.right_format

    def results(self) -> Iterator[LawResult]:
        yield self.expected()
        yield self.refuses()
        yield self.there_and_back()
        yield self.back_and_there()
        yield self.accounted()
        yield self.nothing_invented()
        yield self.well_formed()
        yield self.checks()
        if hasattr(self.left, "second_opinion"):
            yield self.models()

    def law(self, name: str) -> _Law:
        return _Law(self.map, name, self.fail_fast)

    def generated(self, count: int) -> Iterator[tuple[str, dict[str, Any]]]:
        if self.domain is None:
            return
        random = Random(self.seed)  # noqa: S311 - synthetic data, not secrets
        for number in range(count):
            yield f"generated {number} (seed {self.seed})", document(self.domain, random)

    def written(self, x: dict[str, Any]) -> bytes:
        return self.left.dump(self.map.to_left(x, SETTINGS).tree)

    def read(self, raw: bytes) -> Any:
        return self.map.to_right(self.left.parse(raw), SETTINGS).document

    def there_and_back(self) -> LawResult:
        law = self.law("there-and-back")
        for name, x in self.generated(self.cases):

            def test(x: dict[str, Any] = x) -> str | None:
                assert self.domain is not None
                spec = {**self.domain.carries, **({"kind": "token"} if self.domain.kinds else {})}
                return difference(x, projected(self.read(self.written(x)), spec))

            law.check(name, test)
        return law.result()

    def back_and_there(self) -> LawResult:
        law = self.law("back-and-there")
        for case in self.files if self.writes else ():

            def test(case: Case = case) -> str | None:
                first = self.read(case.raw)
                return difference(first, self.read(self.written(first)), more=True)

            law.check(case.name, test)
        for name, x in self.generated(min(self.cases, TRACED)):

            def stable(x: dict[str, Any] = x) -> str | None:
                once = self.written(x)
                again = self.written(self.read(once))
                return None if once == again else "written, read and written is not the same"

            law.check(name, stable)
        return law.result()

    def accounted(self) -> LawResult:
        law = self.law("accounted")
        for case in self.files:

            def test(case: Case = case) -> str | None:
                found = trace(self.map, case.tree, SETTINGS)
                carried = {each.where for each in found.carried}
                if len(carried) + len(found.lost) != found.parts:
                    return f"{found.parts} parts, {len(carried)} carried, {len(found.lost)} lost"
                plain = self.map.to_right(case.tree, SETTINGS).document
                return difference(plain, found.result)

            law.check(case.name, test)
        return law.result()

    def nothing_invented(self) -> LawResult:
        law = self.law("nothing-invented")
        for case in self.files:

            def test(case: Case = case) -> str | None:
                found = trace(self.map, case.tree, SETTINGS)
                return _untraced(found.untraced)

            law.check(case.name, test)
        for name, x in self.generated(min(self.cases, TRACED)):

            def left(x: dict[str, Any] = x) -> str | None:
                return _untraced(trace(self.map, x, SETTINGS, to_right=False).untraced)

            law.check(name, left)
        return law.result()

    def well_formed(self) -> LawResult:
        law = self.law("well-formed")
        for case in self.files:
            law.check(case.name, lambda case=case: ill_formed(self.read(case.raw)))  # type: ignore[misc]
        for name, x in self.generated(min(self.cases, TRACED)):

            def test(x: dict[str, Any] = x) -> str | None:
                tree = self.map.to_left(x, SETTINGS).tree
                return ill_formed(tree) if isinstance(tree, dict) else None

            law.check(name, test)
        return law.result()

    def checks(self) -> LawResult:
        law = self.law("checks")
        for case in self.files:

            def test(case: Case = case) -> str | None:
                document = self.read(case.raw)
                return _errors(self.right.validate(self.right.dump(document)))

            law.check(case.name, test)
        whole = not self.map.table.left.get("partial")
        for name, x in self.generated(min(self.cases, TRACED)) if whole else ():
            law.check(name, lambda x=x: _errors(self.left.validate(self.written(x))))  # type: ignore[misc]
        return law.result()

    def models(self) -> LawResult:
        law = self.law("models")
        whole = not self.map.table.left.get("partial")
        for name, x in self.generated(min(self.cases, TRACED)) if whole else ():

            def test(x: dict[str, Any] = x) -> str | None:
                found = self.left.second_opinion(self.left.parse(self.written(x)))  # type: ignore[attr-defined]
                return "; ".join(found[:3]) or None

            law.check(name, test)
        return law.result()

    def expected(self) -> LawResult:
        """Each case against what cases/expected/ holds: document, message, losses."""
        law = self.law("expected")
        for case in self.files:

            def test(case: Case = case) -> str | None:
                for file, content in self.given(case).items():
                    wanted = self.pack.file("cases", "expected", file)
                    if not wanted.is_file():
                        if file.endswith(".lost.txt"):
                            continue  # a pack may leave its losses unsaid; then nothing holds them
                        return f"cases/expected/{file} is missing"
                    wrong = self.unexpected(file, wanted.read_bytes(), content)
                    if wrong is not None:
                        return wrong
                return None

            law.check(case.name, test)
        for each in self.documents:

            def writes(each: Written = each) -> str | None:
                if each.fault:
                    return each.fault
                (file, content), *_ = self.given_document(each).items()
                wanted = self.pack.file("cases", "expected", file)
                if not wanted.is_file():
                    return f"cases/expected/{file} is missing"
                return self.unexpected(file, wanted.read_bytes(), content)

            law.check(each.name, writes)
        return law.result()

    def refuses(self) -> LawResult:
        law = self.law("refused")
        for case in self.refused:

            def test(case: Case = case) -> str | None:
                try:
                    self.map.to_right(case.tree, SETTINGS)
                except DataError:
                    return None
                return "it is taken"

            law.check(case.name, test)
        return law.result()

    def given_document(self, each: Written) -> dict[str, bytes]:
        """What a document among the cases writes now, by the name of the expected file."""
        stem = each.name.removesuffix(WRITTEN)
        return {f"{stem}.written{self.left.suffix}": self.written(each.document)}

    def given(self, case: Case) -> dict[str, bytes]:
        """What a case gives now, by the name of the file that holds what is expected."""
        import orjson

        stem = case.name.rpartition(".")[0]
        document = self.read(case.raw)
        lost = trace(self.map, case.tree, SETTINGS).lost
        report = "".join(f"{each.path}: {each.why}\n" for each in lost)
        found = {
            f"{stem}.referral.json": orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n",
            f"{stem}.lost.txt": report.encode(),
        }
        if self.writes:
            found[f"{stem}.written{self.left.suffix}"] = self.written(document)
        return found

    def unexpected(self, file: str, wanted: bytes, found: bytes) -> str | None:
        """How a file differs from what is expected; None if it does not."""
        if file.endswith(".referral.json"):
            return difference(self.right.parse(wanted), self.right.parse(found))
        same = wanted.strip() == found.strip()
        return None if same else f"{file} is not what is expected"


def accept(packs: Packs, name: str) -> int:
    """Write what the cases of a pack give now as what is expected; the number of cases.

    The difference is for a person to review before it is committed.
    """
    own = packs.preferring(name)
    pack = packs.packs[name]
    count = 0
    for case, mapping in read_cases(pack, own):
        if mapping is None or mapping.pack != name:
            continue
        work = _MapLaws(mapping, None, (), own, pack, 0, 0)
        _write(pack, work.given(case))
        count += 1
    for each, mapping in read_documents(pack, own):
        if each.fault:
            continue
        _write(pack, _MapLaws(mapping, None, (), own, pack, 0, 0).given_document(each))
        count += 1
    return count


def _write(pack: Pack, files: dict[str, bytes]) -> None:
    for file, content in files.items():
        target = Path(str(pack.file("cases", "expected", file)))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def _tables(pack: Pack, packs: Packs, domain: Domain) -> Iterator[LawResult]:
    """Each code table against what the domain says of it."""
    tables = codes_of(pack, packs.packs)
    used = codes_used(packs.packs.values())
    for name in sorted({*pack.codes, *domain.tables, *domain.meanings}):
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
        f"{row.left_code} = {row.right_code}".strip(): (
            f"{row.relationship}: {row.display_en} / {row.display_fr}"
        )
        for row in table.rows
    }


def _untraced(leaves: Sequence[Any]) -> str | None:
    return f"{leaves[0].path} comes from no row" if leaves else None


def _errors(findings: Sequence[Any]) -> str | None:
    wrong = [each for each in findings if each.severity in ("error", "fatal")]
    return f"{wrong[0].where}: {wrong[0].message}" if wrong else None


__all__ = ["SETTINGS", "Case", "LawResult", "accept", "difference", "laws_of", "read_cases"]
