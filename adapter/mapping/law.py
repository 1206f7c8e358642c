"""One law of one map while it is tested, and how it stands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from adapter.mapping.run import Map
from adapter.plugin.errors import DataError


@dataclass(frozen=True, slots=True)
class LawResult:
    """How one law stands for one map. `first_failure` holds synthetic data only."""

    pack: str
    map: str
    law: str
    cases: int
    failed: int
    first_failure: str | None


class Law:
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
        """How the law stands."""
        table = self.mapping.table
        return LawResult(table.pack, table.name, self.law, self.cases, self.failed, self.first)
