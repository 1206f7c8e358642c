"""Whether an item of a Questionnaire is enabled, given the answers around it.

Sources: FHIR R4 4.0.1 Questionnaire.item.enableWhen and enableBehavior. Where R4's words were
corrected in R5 (the definitions of <, >, <= and >=), the corrected meaning is used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from adapter.fhir.questionnaire_answers import compare, value_of
from adapter.fhir.questionnaire_form import Condition, Form, Question

MOST_COMPARISONS = 300_000
"""Comparisons of answers that one response may cost (a second); a hostile form wants billions."""
LONGEST_CHAIN = 60
"""Conditions on conditions on conditions that are followed, asked from the far end."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Where we stand in a response: an item with its answers, and what holds the nested items.

    For a group the container is the item itself; for a question with nested items, one answer.
    The outermost frame is the response, and has no question.
    """

    question: Question | None
    item: Mapping[str, Any]
    container: Mapping[str, Any]


@dataclass(slots=True)
class Enablement:
    """Answers "is this item enabled here?" for one response.

    Once `budget` comparisons are used up, every condition counts as met; who asks then says so.
    """

    form: Form
    budget: int = MOST_COMPARISONS
    _known: dict[tuple[str, int], bool] = field(default_factory=dict)
    _asking: set[tuple[str, int]] = field(default_factory=set)
    _found: dict[tuple[str, int], list[tuple[list[Frame], Mapping[str, Any]]]] = field(
        default_factory=dict
    )
    _values: dict[int, list[tuple[str, str, Any]]] = field(default_factory=dict)
    _lookup: dict[int, dict[str, list[Mapping[str, Any]]]] = field(default_factory=dict)

    def enabled(self, question: Question, frames: Sequence[Frame]) -> bool:
        """Whether the item is enabled by its own conditions, inside those frames.

        Its ancestors are the caller's matter. An item with an enableWhenExpression (SDC), which is
        not evaluated here, counts as enabled when its other conditions allow it.
        """
        if not question.conditions:
            return True
        key = (question.link_id, id(frames[-1].container))
        if key in self._known:
            return self._known[key]
        if key in self._asking:
            return True  # conditions that ask about each other: no answer can settle it
        if len(self._asking) >= LONGEST_CHAIN:
            self.budget = -1
        if self.budget < 0:
            return True
        self._asking.add(key)
        met = (self._met(condition, question, frames) for condition in question.conditions)
        result = any(met) if question.any_condition else all(met)
        self._asking.discard(key)
        self._known[key] = result
        return result

    def _met(self, condition: Condition, question: Question, frames: Sequence[Frame]) -> bool:
        answers = self._answers(condition.question, question, frames)
        if condition.operator == "exists":
            return bool(answers) is condition.answer
        if not answers:
            return False  # nothing is known of a question that nobody answered
        self.budget -= len(answers)
        if self.budget < 0:
            return True
        orders = [compare(kind, v, condition.kind, condition.answer) for _, kind, v in answers]
        if condition.operator == "!=":
            return 0 not in orders
        return any(order in _ALLOWED[condition.operator] for order in orders)

    def _answers(
        self, asked: str, question: Question, frames: Sequence[Frame]
    ) -> list[tuple[str, str, Any]]:
        """Return the values of the nearest occurrence of the asked question, if it is enabled."""
        target = self.form.questions.get(asked)
        if target is None:
            return []
        found = self._nearest(target, question, frames)
        if found is None or not self._wholly_enabled(target, found[0]):
            return []
        values = self._values.get(id(found[1]))
        if values is None:
            answers = found[1].get("answer")
            listed = answers if isinstance(answers, list) else []
            values = [v for one in listed if isinstance(one, dict) for v in value_of(one)]
            self._values[id(found[1])] = values
        return values

    def _nearest(
        self, target: Question, question: Question, frames: Sequence[Frame]
    ) -> tuple[list[Frame], Mapping[str, Any]] | None:
        """Find the occurrence that R4 means: an ancestor, else the closest before, else after.

        Occurrences are looked for inside the innermost group instance that holds both items, so
        that one instance of a repeating group never answers for another.
        """
        if target.link_id in question.ancestors:
            depth = question.ancestors.index(target.link_id)
            return list(frames[: depth + 1]), frames[depth + 1].item
        shared = _shared_depth(question.ancestors, target.ancestors)
        found = self._occurrences(target, list(frames[: shared + 1]), shared)
        if not found:
            return None
        return found[-1] if self._comes_before(target, question, shared) else found[0]

    def _occurrences(
        self, target: Question, frames: list[Frame], shared: int
    ) -> list[tuple[list[Frame], Mapping[str, Any]]]:
        """Return each place of the target inside the last of the frames, in the order of items."""
        key = (target.link_id, id(frames[-1].container))
        if key in self._found:
            return self._found[key]
        spots = [frames]
        for link_id in target.ancestors[shared:]:
            parent = self.form.questions[link_id]
            spots = [
                [*spot, Frame(parent, item, container)]
                for spot in spots
                for item in self.items(spot[-1].container, link_id)
                for container in containers(parent, item)
            ]
        wanted = target.link_id
        found = [(spot, item) for spot in spots for item in self.items(spot[-1].container, wanted)]
        self._found[key] = found
        return found

    def _comes_before(self, target: Question, question: Question, shared: int) -> bool:
        def branch(item: Question) -> int:
            path = (*item.ancestors, item.link_id)
            return self.form.questions[path[shared]].position

        return branch(target) < branch(question)

    def _wholly_enabled(self, target: Question, frames: Sequence[Frame]) -> bool:
        for depth, frame in enumerate(frames):
            if frame.question is not None and not self.enabled(frame.question, frames[:depth]):
                return False
        return self.enabled(target, frames)

    def items(self, container: Mapping[str, Any], link_id: str) -> list[Mapping[str, Any]]:
        """Return the items with that linkId directly inside a response, item or answer."""
        index = self._lookup.get(id(container))
        if index is None:
            index = {}
            raw = container.get("item")
            for item in raw if isinstance(raw, list) else ():
                if isinstance(item, dict) and isinstance(item.get("linkId"), str):
                    index.setdefault(item["linkId"], []).append(item)
            self._lookup[id(container)] = index
        return index.get(link_id, [])


def containers(question: Question, item: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return what may hold nested items: the item, for a group; its answers, for a question."""
    if not question.is_question:
        return [item]
    answers = item.get("answer")
    return [a for a in answers if isinstance(a, dict)] if isinstance(answers, list) else []


_ALLOWED: Mapping[str, tuple[int, ...]] = {
    "=": (0,),
    ">": (1,),
    "<": (-1,),
    ">=": (0, 1),
    "<=": (-1, 0),
}


def _shared_depth(path: Sequence[str], other: Sequence[str]) -> int:
    depth = 0
    while depth < min(len(path), len(other)) and path[depth] == other[depth]:
        depth += 1
    return depth
