"""What a code becomes in another system: $translate over ConceptMaps (R4 ConceptMap-translate).

A map's group says which codes of one system become which of another. Asked in reverse, the same
rows are read from the target's side, and wider and narrower change places.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
NO_MATCH = frozenset({"unmatched", "disjoint"})
_TURNED = {
    "wider": "narrower",
    "narrower": "wider",
    "subsumes": "specializes",
    "specializes": "subsumes",
}


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be translated.

    Attributes:
        codings: the codes asked about; each is translated. A `system` of None fits any group.
        source: the system (or value set) to translate from; None takes that of each coding.
        target: the system (or value set) that is wanted; None wants every one.
        reverse: True asks what becomes the code, not what the code becomes.
    """

    codings: Sequence[tuple[str | None, str]]
    source: str | None = None
    target: str | None = None
    reverse: bool = False


def translate(maps: Iterable[Json], question: Question) -> Json:
    """Return the Parameters of the answer: result, message where there is none, matches.

    Each match has its equivalence, its concept, and the canonical of the map that it is from.
    """
    matches: list[Json] = []
    for each in maps:
        for match in _matches(each, question):
            if match not in matches:
                matches.append(match)
    result = any(match["equivalence"] not in NO_MATCH for match in matches)
    parameters: list[Json] = [{"name": "result", "valueBoolean": result}]
    if not result:
        text = "no table translates it" if not matches else "every table says that nothing matches"
        parameters.append({"name": "message", "valueString": text})
    parameters += [{"name": "match", "part": _parts(match)} for match in matches]
    return {"resourceType": "Parameters", "parameter": parameters}


def _matches(concept_map: Json, question: Question) -> Iterator[Json]:
    for group in concept_map.get("group", ()):
        ends = [group.get("source"), group.get("target")]
        values = [_value_set(concept_map, "source"), _value_set(concept_map, "target")]
        if question.reverse:
            ends.reverse()
            values.reverse()
        if not (_fits(question.source, ends[0], values[0])):
            continue
        if not (_fits(question.target, ends[1], values[1])):
            continue
        for system, code in question.codings:
            if system is None or system == ends[0]:
                yield from _rows(concept_map, group, code, ends[1], question.reverse)


def _value_set(concept_map: Json, side: str) -> Any:
    return concept_map.get(f"{side}Uri") or concept_map.get(f"{side}Canonical")


def _fits(asked: str | None, system: Any, value_set: Any) -> bool:
    return asked is None or asked in (system, value_set)


def _rows(concept_map: Json, group: Json, code: str, system: Any, reverse: bool) -> Iterator[Json]:
    for element in group.get("element", ()):
        for target in element.get("target", ()):
            near, far = (target, element) if reverse else (element, target)
            if near.get("code") != code:
                continue
            equivalence = str(target["equivalence"])
            concept = {name: far[name] for name in ("code", "display") if far.get(name)}
            if concept and system:
                concept = {"system": system, **concept}
            yield {
                "equivalence": _TURNED.get(equivalence, equivalence) if reverse else equivalence,
                "concept": concept,
                "source": concept_map.get("url"),
            }


def _parts(match: Json) -> list[Json]:
    parts: list[Json] = [{"name": "equivalence", "valueCode": match["equivalence"]}]
    if match["concept"]:
        parts.append({"name": "concept", "valueCoding": match["concept"]})
    if match["source"]:
        parts.append({"name": "source", "valueUri": match["source"]})
    return parts
