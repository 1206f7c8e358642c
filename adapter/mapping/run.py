"""A map that runs: two compiled functions, and their results."""

from __future__ import annotations

import linecache
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from adapter.mapping.bound import BoundMap, BoundRow
from adapter.mapping.emit import Emitter, Source
from adapter.mapping.errors import MappingError
from adapter.mapping.table import Place, Where
from adapter.plugin.collector import CollectorWaits
from adapter.plugin.formats import DomainError, Settings

_DEFAULT = Settings()


@dataclass(frozen=True, slots=True)
class Loss:
    """One part of the input that the output does not carry.

    Attributes:
        path: the input's place in its format's words.
        raw: what stood there. It is patient data: for the store, never for a log.
        why: in words.
        row: where the table says so, or None.
    """

    path: str
    raw: str = field(repr=False)
    why: str
    row: Where | None = None


@dataclass(slots=True)
class Mapped:
    """The result of one mapping.

    Attributes:
        document: the canonical document (`Map.to_right`), or the tree (`Map.to_left`).
        warnings: losses that rows declare with ``else: report`` and that happened here.
    """

    document: Any = field(repr=False)
    warnings: list[Loss]
    _map: Map = field(repr=False)
    _tree: Any = field(repr=False)
    _settings: Settings = field(repr=False)
    _to_right: bool = True
    _lost: list[Loss] | None = field(default=None, repr=False)

    @property
    def tree(self) -> Any:
        """The tree that was written (the same object as `document`)."""
        return self.document

    @property
    def lost(self) -> list[Loss]:
        """Every leaf of the input that the output does not carry; found when first asked for."""
        if self._lost is None:
            from adapter.mapping.explain import trace

            traced = trace(self._map, self._tree, self._settings, to_right=self._to_right)
            self._lost = list(traced.lost)
        return self._lost


class Map:
    """One two-way map, compiled. Cheap to keep, safe to share between threads."""

    def __init__(self, bound: BoundMap, file: str = "") -> None:
        self.bound = bound
        self.table = bound.table
        self.name = bound.table.name
        self.pack = bound.table.pack
        self.dialect = bound.table.dialect
        self.left_format = bound.left_format
        self.right_format = bound.right_format
        self._kind = bound.table.left_kinds[0] if bound.table.left_kinds else ""

    def __repr__(self) -> str:
        return f"<Map {self.pack}/{self.name}>"

    @cached_property
    def right_source(self) -> Source:
        """The generated source, left to right."""
        return Emitter(self.bound, True, False).emit()

    @cached_property
    def left_source(self) -> Source:
        """The generated source, right to left."""
        return Emitter(self.bound, False, False).emit()

    @cached_property
    def _right(self) -> Callable[[Any, Any], Any]:
        return compiled(self.right_source, f"<{self.pack}/{self.name} to right>")

    @cached_property
    def _left(self) -> Callable[[Any, Any], Any]:
        return compiled(self.left_source, f"<{self.pack}/{self.name} to left>")

    def compile(self) -> Map:
        """Generate and compile both directions now rather than at the first message."""
        for function in (self._right, self._left):
            assert callable(function)
        return self

    def to_right(self, tree: Any, settings: Settings = _DEFAULT) -> Mapped:
        """The canonical document of a tree.

        Raises:
            MappingError: a value outside the domain of its row.
        """
        env = self.left_format.reading(tree, settings)
        document = self.run(self._right, self.right_source, tree, env)
        return Mapped(document, self.reports(env), self, tree, settings, True)

    def to_left(
        self,
        document: Mapping[str, Any],
        settings: Settings = _DEFAULT,
        *,
        kind: str = "",
        **envelope: Any,
    ) -> Mapped:
        """The left tree of a canonical document; of this kind, where the map writes several.

        `envelope` gives fields of the envelope (`id`, `sent_at`, …) that this message has.

        Raises:
            MappingError: a value outside the domain of its row.
        """
        if envelope:
            document = {**document, "envelope": {**document.get("envelope", {}), **envelope}}
        env = self.left_format.writing(document, settings, kind or self._kind)
        tree = self.run(self._left, self.left_source, document, env)
        return Mapped(tree, self.reports(env), self, document, settings, False)

    def run(self, function: Callable[[Any, Any], Any], source: Source, tree: Any, env: Any) -> Any:
        """Call a compiled function; a fault names the row that it happened in."""
        try:
            with CollectorWaits():
                return function(tree, env)
        except DomainError as error:
            raise self._fault(error, source, error.why) from None
        except (
            AttributeError,
            TypeError,
            KeyError,
            IndexError,
            ValueError,
            OverflowError,
        ) as error:
            raise self._fault(error, source, "the value does not have the expected shape") from None

    def _fault(self, error: Exception, source: Source, why: str) -> MappingError:
        row: BoundRow | None = None
        step = error.__traceback__
        while step is not None:
            if step.tb_frame.f_code.co_name == "convert" and "env" in step.tb_frame.f_locals:
                number = source.rows.get(step.tb_lineno, 0)
                entry = self.bound.by_number.get(number)
                row = entry if isinstance(entry, BoundRow) else None
                break
            step = step.tb_next
        if row is None:
            return MappingError(why, file=self.table.where.file, line=self.table.where.line)
        return MappingError(
            why,
            path=_text(row.source.left),
            row=f"{_text(row.source.left)} {row.source.arrow} {_text(row.source.right)}",
            file=row.source.where.file,
            line=row.source.where.line,
        )

    def reports(self, env: Any) -> list[Loss]:
        """What rows with ``else: report`` left out."""
        found = []
        for number, why, *_ in getattr(env, "reported", ()):
            row = self.bound.by_number[number].source
            found.append(Loss(_text(row.left), "", why, row.where))
        return found


def _text(end: Any) -> str:
    return end.text if isinstance(end, Place) else "const"


def compiled(source: Source, name: str) -> Callable[[Any, Any], Any]:
    """The function of generated source; its lines can be shown in a traceback."""
    namespace: dict[str, Any] = dict(source.names)
    exec(compile(source.text, name, "exec"), namespace)  # noqa: S102 - generated from checked tables
    linecache.cache[name] = (len(source.text), None, source.text.splitlines(True), name)
    function: Callable[[Any, Any], Any] = namespace["convert"]
    return function
