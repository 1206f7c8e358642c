"""The laws of one two-way map; `adapter.mapping.laws` says what each of them means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from adapter.mapping.cases import Case, Written
from adapter.mapping.compare import difference, ill_formed
from adapter.mapping.domain import MapDomain, projected
from adapter.mapping.expectations import SETTINGS, Expectations
from adapter.mapping.explain import trace
from adapter.mapping.law import Law, LawResult
from adapter.mapping.packs import Pack
from adapter.mapping.run import Map
from adapter.mapping.samples import document
from adapter.plugin.errors import DataError

TRACED = 100
"""How many generated documents are traced; tracing costs twenty times what mapping does."""


class MapLaws(Expectations):
    """Every law of one map, tested on its cases and on documents of its domain."""

    def __init__(
        self,
        mapping: Map,
        domain: MapDomain | None,
        files: Sequence[Case],
        pack: Pack,
        cases: int,
        seed: int,
    ) -> None:
        super().__init__(mapping, pack)
        self.domain = domain
        self.files = files
        self.cases = cases
        self.seed = seed
        self.documents: Sequence[Written] = ()
        self.refused: Sequence[Case] = ()
        self.fail_fast = False

    def results(self) -> Iterator[LawResult]:
        """Each law in turn, the cheap ones first."""
        yield self.expected()
        yield self.refuses()
        yield self.there_and_back()
        yield self.back_and_there()
        yield self.accounted()
        yield self.nothing_invented()
        yield self.well_formed()
        yield self.checks()
        if hasattr(self.left, "second_opinions"):
            yield self.models()

    def law(self, name: str) -> Law:
        """A law of this map, to be tested."""
        return Law(self.map, name, self.fail_fast)

    def generated(self, count: int) -> Iterator[tuple[str, dict[str, Any]]]:
        """Documents of the domain, each with a name that makes it again."""
        if self.domain is None:
            return
        random = Random(self.seed)  # noqa: S311 - synthetic data, not secrets
        for number in range(count):
            yield f"generated {number} (seed {self.seed})", document(self.domain, random)

    def there_and_back(self) -> LawResult:
        """What a domain document writes is read as the same document."""
        law = self.law("there-and-back")
        for name, x in self.generated(self.cases):

            def test(x: dict[str, Any] = x) -> str | None:
                assert self.domain is not None
                spec = {**self.domain.carries, **({"kind": "token"} if self.domain.kinds else {})}
                return difference(x, projected(self.read(self.written(x)), spec))

            law.check(name, test)
        return law.result()

    def back_and_there(self) -> LawResult:
        """A case that is read and written is read again, and writing is stable."""
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
        """Every leaf of a case is carried or lost, and tracing changes nothing."""
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
        """Every value written traces to the input, a constant or a table."""
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
        """References resolve, ids are unique, nothing is empty."""
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
        """What is written passes its format's own checks."""
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
        """And it passes the format's second opinion."""
        law = self.law("models")
        whole = not self.map.table.left.get("partial")
        for name, x in self.generated(min(self.cases, TRACED)) if whole else ():

            def test(x: dict[str, Any] = x) -> str | None:
                tree = self.left.parse(self.written(x))
                (found,) = self.left.second_opinions([tree])  # type: ignore[attr-defined]
                return "; ".join(found[:3]) or None

            law.check(name, test)
        return law.result()

    def expected(self) -> LawResult:
        """Each case against what cases/expected/ holds: document, message, losses."""
        law = self.law("expected")
        for case in self.files:
            law.check(case.name, lambda case=case: self.wrong_case(case))  # type: ignore[misc]
        for each in self.documents:
            law.check(each.name, lambda each=each: self.wrong_document(each))  # type: ignore[misc]
        return law.result()

    def refuses(self) -> LawResult:
        """What lies among the refused cases is refused."""
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


def _untraced(leaves: Sequence[Any]) -> str | None:
    return f"{leaves[0].path} comes from no row" if leaves else None


def _errors(findings: Sequence[Any]) -> str | None:
    wrong = [each for each in findings if each.severity in ("error", "fatal")]
    return f"{wrong[0].where}: {wrong[0].message}" if wrong else None
