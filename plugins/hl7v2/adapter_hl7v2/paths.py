"""HL7 v2 paths in mapping tables: ``PID-5.1``, ``PRD[1.1=RP]-2``, ``PID-3[5=JHN].1``, as source.

Reading works on an index of the message: segments by id, each a list of raw fields; a segment that
leads a group holds its followers. Fields split only where a row asks for a part. Writing collects
raw values in dictionaries by number and joins them at the end.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from adapter.plugin.formats import Element, Match, PathError, Step, selector
from adapter_hl7v2.paths_reading import Er7Reading
from adapter_hl7v2.paths_writing import Er7Writing
from adapter_hl7v2.sorting import Selectors

if TYPE_CHECKING:
    from adapter_hl7v2.places import Places

_SEGMENT = re.compile(r"([A-Z][A-Z0-9]{2})(?![a-z])")
_FIELD = re.compile(r"-(\d+)")
_PARTS = re.compile(r"(?:\.(\d+)(?:\.(\d+))?)?")
_FIX = "write SEG-field.component.subcomponent, for example PID-5.1"


class Er7Notation(Er7Reading, Er7Writing):
    """The paths of one HL7 v2 map.

    `groups` says which segments belong to the one before them; `order` is the order in which
    segments are written.
    """

    def __init__(
        self,
        groups: Mapping[str, Sequence[str]],
        order: Sequence[str],
        side: Mapping[str, Any] | None = None,
    ) -> None:
        self.side = side or {}
        self.asked: dict[str, Selectors] = {}
        self.traced = False
        self.sizes: set[int] = set()  # of the lists that emitted source compares with empty ones
        self._places: Places | None = None
        self.groups = {head: tuple(kids) for head, kids in groups.items()}
        self.rank = {name: number for number, name in enumerate(order)}

    def parse(
        self, text: str, at: tuple[Step, ...] = (), *, each: bool = False
    ) -> tuple[Step, ...]:
        """See `adapter.plugin.formats.Notation.parse`."""
        if text == ".":
            return ()
        if text.startswith("."):
            return tuple(self._parts(text, 0))
        found = _SEGMENT.match(text)
        if found is None:
            raise PathError("this is no HL7 v2 path", fix=_FIX)
        name, position = found[1], found.end()
        steps: list[Step] = []
        match: tuple[Match, ...] = ()
        if text[position : position + 1] == "[":
            end = text.find("]", position)
            if end < 0:
                raise PathError("a bracket is not closed", fix="close it with ]", offset=position)
            match = _selector(text[position + 1 : end], position)
            position = end + 1
            _refuse_deep(match)
        steps.extend(self._segment(name, match, at))
        if position == len(text):
            return tuple(steps)
        steps.extend(self._field(text, position, each))
        return tuple(steps)

    def _segment(self, name: str, match: tuple[Match, ...], at: tuple[Step, ...]) -> list[Step]:
        head = next((step for step in reversed(at) if step.kind in ("seg", "kid")), None)
        if head is None:
            return [Step("seg", name, match)]
        if head.key == name and not match:
            return []
        if name in self.groups.get(str(head.key), ()):
            return [Step("kid", name, match)]
        raise PathError(
            f"{name} does not belong to {head.key} here",
            fix=f"start the path with / or name {name} in left.groups under {head.key}",
        )

    def _field(self, text: str, position: int, each: bool) -> list[Step]:
        found = _FIELD.match(text, position)
        if found is None:
            raise PathError("a field follows its segment with a dash", fix=_FIX, offset=position)
        steps = [Step("field", int(found[1]))]
        position = found.end()
        rep: Step | None = None
        if text[position : position + 1] == "[":
            end = text.find("]", position)
            inner = text[position + 1 : end]
            if inner.isdigit():
                rep = Step("rep", int(inner) - 1)
            else:
                rep = Step("rep", None, _selector(inner, position))
            position = end + 1
        if each:
            if position != len(text) or (rep is not None and rep.key is not None):
                raise PathError("a loop goes over segments or repetitions", fix=_FIX)
            return [*steps, Step("reps", None, rep.match if rep else ())]
        steps.append(rep or Step("rep", 0))
        return [*steps, *self._parts(text, position)]

    def _parts(self, text: str, position: int) -> list[Step]:
        found = _PARTS.match(text, position)
        if found is None or found.end() != len(text):
            raise PathError("components and subcomponents are numbers", fix=_FIX, offset=position)
        kinds = ("comp", "sub")
        return [Step(kind, int(n)) for kind, n in zip(kinds, found.groups(), strict=True) if n]

    def peek(self, tree: Any, steps: tuple[Step, ...]) -> str | None:
        """See `Notation.peek`."""
        segment = tree.first(str(steps[0].key))
        if segment is None:
            return None
        numbers = [int(step.key or 0) for step in steps[1:] if step.kind != "rep"]
        field, comp, sub = [*numbers, 1, 1, 1][:3]
        return segment.part(field, 0, comp, sub) or None

    def element(self, steps: tuple[Step, ...]) -> Element:
        """What the standard says of a place.

        Raises:
            PathError: ``unknown-path`` or ``list-needs-index``.
        """
        return self.places_of().element(steps)

    def required(self, steps: Sequence[tuple[Step, ...]]) -> Sequence[str]:
        """Required fields and segments that a map writing these places leaves empty."""
        return self.places_of().required(steps)

    def places_of(self) -> Places:
        """The definitions of the versions that the map names; read when they are first asked."""
        from adapter_hl7v2.places import Places

        if self._places is None:
            self._places = Places(self.side)
        return self._places


def _refuse_deep(matches: tuple[Match, ...]) -> None:
    if any(len(match.path) > 2 for match in matches):
        raise PathError("a selector looks at components", fix="write [1.1=RP]")


def _selector(text: str, offset: int) -> tuple[Match, ...]:
    found = []
    for condition in re.split(r",(?=[\d.]+[!:]?=)", text):
        name, values, negated, written = selector(condition, offset)
        if not re.fullmatch(r"\d+(?:\.\d+)*", name):
            raise PathError(
                "a selector is [field.component=value]", fix="write [1.1=RP]", offset=offset
            )
        path = tuple(int(number) for number in name.split("."))
        found.append(Match(path, values, negated, written))
    return tuple(found)
