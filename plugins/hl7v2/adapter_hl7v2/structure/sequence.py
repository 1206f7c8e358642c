"""Whether the segments of a message stand as its structure says.

Read greedily, as a receiver does: each segment goes to the first place that still takes it. What
the structure does not know is set aside first; what stands out of place is set aside when it is
met, and the rest is read again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

from adapter_hl7v2.structure.definitions import StructureNode

_MOST_MISPLACED = 20


@dataclass(frozen=True, slots=True)
class Arrangement:
    """What was found.

    Attributes:
        unknown: indexes of segments that the structure does not have anywhere.
        misplaced: indexes of segments that stand where the structure has none of them.
        missing: names of required segments that are not there, with the group that asks for them.
        complete: False if there were more misplaced segments than are worth telling.
    """

    unknown: tuple[int, ...]
    misplaced: tuple[int, ...]
    missing: tuple[str, ...]
    complete: bool = True


def arrange(names: Sequence[str], structure: StructureNode) -> Arrangement:
    """Compare segment ids, in order, with a structure. Linear in their number."""
    known = _all_segments(structure)
    unknown = tuple(i for i, name in enumerate(names) if name not in known)
    rest = [i for i, name in enumerate(names) if name in known]
    misplaced: list[int] = []
    while True:
        reading = _Reading([names[i] for i in rest])
        stopped = reading.group(structure, 0)
        if stopped == len(rest):
            return Arrangement(unknown, tuple(sorted(misplaced)), tuple(reading.missing))
        if len(misplaced) == _MOST_MISPLACED:
            return Arrangement(unknown, tuple(sorted(misplaced)), (), complete=False)
        misplaced.append(rest.pop(stopped))


@dataclass(slots=True)
class _Reading:
    names: list[str]
    missing: list[str] = field(default_factory=list)

    def group(self, node: StructureNode, at: int) -> int:
        """Read one occurrence of a group; returns where it ends."""
        for child in node.children:
            at = self._occurrences(node, child, at)
        return at

    def _occurrences(self, owner: StructureNode, child: StructureNode, at: int) -> int:
        count = 0
        while at < len(self.names) and (child.most < 0 or count < child.most):
            if child.is_group:
                after = self.group(child, at) if self.names[at] in _beginnings(child) else at
            else:
                after = at + 1 if self.names[at] == child.name else at
            if after == at:
                break
            count, at = count + 1, after
        if count < child.least:
            self.missing.append(f"{child.name} of {owner.name}")
        return at


@cache
def _all_segments(node: StructureNode) -> frozenset[str]:
    if not node.is_group:
        return frozenset({node.name})
    return frozenset().union(*map(_all_segments, node.children))


@cache
def _beginnings(node: StructureNode) -> frozenset[str]:
    """The segments that may stand first in a group."""
    found: set[str] = set()
    for child in node.children:
        found |= _beginnings(child) if child.is_group else {child.name}
        if child.least:
            break
    return frozenset(found)
